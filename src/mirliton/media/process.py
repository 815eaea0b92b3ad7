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

import msgspec
import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media import messages as m
from mirliton.media.engine import Engine, EngineFull
from mirliton.media.kernels import watch_compiling
from mirliton.media.records import LEG
from mirliton.media.tables import Capacity, Tables, make_tables, map_shared, map_taps

_LONGEST_WAIT = 1.0
_LONGEST_RUN = 100_000_000  # ns without the interpreter
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
    """How late ticks began, one second at a time, from what the engine counts."""

    def __init__(self) -> None:
        self._since = time.monotonic_ns()
        self._ticks = self._total = 0

    def report(self, now: int, counters: NDArray[np.int64]) -> list[m.Event]:
        """The event for the second that is over, if it is."""
        if now - self._since < 1_000_000_000:
            return []
        ticks, total = int(counters[counting.LATE_TICKS : counting.LATE_SUM].sum()), int(counters[counting.LATE_SUM])
        event = m.Ticked(ticks - self._ticks, total - self._total, int(counters[counting.LATE_MOST]))
        self._since, self._ticks, self._total, counters[counting.LATE_MOST] = now, ticks, total, 0
        return [event] if event.ticks else []


class Process:
    """The loop around an `Engine`."""

    def __init__(self, start: Start) -> None:
        self._control = socket.socket(fileno=start.control)
        self._control.setblocking(False)
        self._news = select.poll()  # not `select`, which takes no descriptor above 1023: ours has its parent's number
        self._news.register(self._control, select.POLLIN)
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
            self._news.poll()
            if not self._read_commands():
                return
        readable = True
        while not readable or self._read_commands():
            now = time.monotonic_ns()
            until = now if self._unsent else now + _LONGEST_RUN  # what could not be sent is tried again after a step
            due = self._engine.run(self._control.fileno(), due, now, until)
            if self._engine.has_news:
                self._unsent.extend(self._engine.events())
            self._unsent.extend(self._lateness.report(now, self._engine.counters))
            self._report()
            readable = self._wait(due)

    def _tell_share(self, share: float) -> None:
        self._unsent.append(m.Compiling(share))
        self._report()

    def _wait(self, due: int) -> bool:
        """Until the last millisecond before the next tick, or the next command; returns whether a command waits."""
        left = _LONGEST_WAIT if due < 0 else min(_LONGEST_WAIT, (due - time.monotonic_ns()) / 1e9)
        return bool(self._news.poll(int(max(0.0, left) * 1000)))

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
    """Compile `running.step`, or load what was compiled before, on tables of the same types that hold nothing."""
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
