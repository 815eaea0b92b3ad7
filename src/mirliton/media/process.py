"""The engine's own process: ticks on time, takes commands and reports, and does nothing else.

Started by `link` with everything inherited as file descriptors: the command socket, the shared leg records, the clip
memory and the bound RTP sockets. So when this process dies, its successor gets the same ports and goes on.
"""

import gc
import mmap
import os
import select
import signal
import socket
import sys
import time
from bisect import bisect_left

import msgspec
import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media import messages as m
from mirliton.media.engine import Engine, EngineFull
from mirliton.media.kernels import watch_compiling
from mirliton.media.tables import LEG, Capacity, Tables, make_tables, map_shared, map_taps

_LONGEST_WAIT = 1.0
_REPORT_EVENTS = 500
_DATAGRAM = 1 << 17


class Start(msgspec.Struct, frozen=True):
    """What the control process hands over, as one JSON argument."""

    control: int
    shared: int
    clips: int
    clip_bytes: int
    taps: int
    sockets: list[int]
    odd: list[int]
    max_taps: int
    max_relations: int
    legs: int
    mixes: int
    core: int | None = None
    opus_complexity: int = 5
    max_jitter_ms: int = 500


class _Lateness:
    """How late ticks begin: for one second at a time, and all of them as a histogram in the shared counters."""

    def __init__(self) -> None:
        self.ticks = self.total = self.most = 0
        self.since = time.monotonic_ns()

    def note(self, late: int, counters: NDArray[np.int64]) -> None:
        counters[counting.LATE_TICKS + bisect_left(counting.LATE_NS, late)] += 1
        counters[counting.LATE_SUM] += late
        self.ticks += 1
        self.total += late
        self.most = max(self.most, late)

    def report(self, now: int) -> list[m.Event]:
        """The event for the second that is over, if it is."""
        if now - self.since < 1_000_000_000 or not self.ticks:
            return []
        event = m.Ticked(self.ticks, self.total, self.most)
        self.ticks = self.total = self.most = 0
        self.since = now
        return [event]


class Process:
    """The loop around an `Engine`."""

    def __init__(self, start: Start) -> None:
        self._control = socket.socket(fileno=start.control)
        self._control.setblocking(False)
        self._lines = [self._control]
        self._start = start
        self._engine: Engine | None = None
        self._decoder = msgspec.msgpack.Decoder(m.Batch)
        self._encoder = msgspec.msgpack.Encoder()
        self._applied = self._reported = 0
        self._unsent: list[m.Event] = []
        self._lateness = _Lateness()

    def run(self) -> None:
        """Until the control process closes its end. The tables are touched only after the first batch came.

        Until then this may be the spare of an engine that runs.
        """
        began = time.monotonic()
        with watch_compiling(self._tell_share):
            load_kernels()  # or compile them
        self._unsent.append(m.Ready(time.monotonic() - began))
        self._report()
        gc.collect()
        gc.freeze()
        gc.disable()
        due = -1
        while self._engine is None:
            select.select(self._lines, (), ())
            if not self._read_commands():
                return
        readable = True
        while not readable or self._read_commands():
            now = time.monotonic_ns()
            if 0 <= due <= now:
                self._lateness.note(now - due, self._engine.counters)
            due = self._engine.step(now, time.time_ns() - now)
            if self._engine.has_news:
                self._unsent.extend(self._engine.events())
            self._unsent.extend(self._lateness.report(now))
            self._report()
            readable = self._wait(due)

    def _tell_share(self, share: float) -> None:
        self._unsent.append(m.Compiling(share))
        self._report()

    def _wait(self, due: int) -> bool:
        """Until the next tick or the next command; returns whether a command waits."""
        left = _LONGEST_WAIT if due < 0 else min(_LONGEST_WAIT, (due - time.monotonic_ns()) / 1e9)
        return bool(select.select(self._lines, (), (), max(0.0, left))[0])

    def _read_commands(self) -> bool:
        """Apply everything that waits. False when the control process is gone."""
        while True:
            try:
                data = self._control.recv(_DATAGRAM)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            batch = self._decoder.decode(data)
            now = time.monotonic_ns()
            engine = self._engine or self._begin(batch, now)
            for command in batch.commands:
                self._apply(engine, command, now)
            self._applied = batch.number

    def _begin(self, batch: m.Batch, now: int) -> Engine:
        resume = bool(batch.commands) and isinstance(batch.commands[0], m.Resume)
        start = self._start
        self._engine = Engine(
            _tables(start),
            now,
            resume=resume,
            opus_complexity=start.opus_complexity,
            max_jitter_ms=start.max_jitter_ms,
        )
        return self._engine

    def _apply(self, engine: Engine, command: m.Command, now: int) -> None:
        try:
            engine.apply(command, now)
        except EngineFull as full:
            print(f"engine: {full}", file=sys.stderr, flush=True)
            if isinstance(command, m.Play):
                self._unsent.append(m.SoundDone(command.play_id, False))

    def _report(self) -> None:
        """Send what happened; what does not fit into the socket now goes with the next tick."""
        while self._unsent or self._applied != self._reported:
            events = self._unsent[:_REPORT_EVENTS]
            try:
                self._control.send(self._encoder.encode(m.Report(self._applied, events)))
            except BlockingIOError:
                return
            except OSError:
                return  # the control process is gone: the next read ends the loop
            del self._unsent[:_REPORT_EVENTS]
            self._reported = self._applied


def _tables(start: Start) -> Tables:
    legs, counters = map_shared(start.shared, start.legs, writable=True)
    counters[counting.EVENTS] = 0
    memory = mmap.mmap(start.clips, start.clip_bytes, access=mmap.ACCESS_WRITE)
    clips = np.frombuffer(memory, np.int16)
    plays = 4 * start.legs + 2 * start.mixes
    capacity = Capacity(start.legs, start.mixes, plays, len(start.sockets), start.max_relations)
    taps = map_taps(start.taps, start.max_taps, writable=True)
    return make_tables(capacity, legs, counters, clips, start.sockets, taps, start.odd)


def load_kernels() -> None:
    """Compile `tick.step`, or load what was compiled before, on tables of the same types that hold nothing."""
    legs, counters = np.zeros(1, LEG).view(np.recarray), np.zeros(counting.SIZE, np.int64)
    tables = make_tables(Capacity(1, 5, 1, 1), legs, counters, np.zeros(1, np.int16), [-1])
    Engine(tables, 0).step(0)


def main() -> None:
    """`python -m mirliton.media.process JSON`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the control process's business
    start = msgspec.json.decode(sys.argv[1], type=Start)
    if start.core is not None:
        os.sched_setaffinity(0, {start.core})
    Process(start).run()


if __name__ == "__main__":
    main()
