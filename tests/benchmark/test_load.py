"""The load generator measures what a bridge does to its packets: a bridge of the test's own keeps account of that."""

import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest

from mirliton.benchmark.building import build, cache_folder
from mirliton.benchmark.judging import overload
from mirliton.benchmark.load import Heard, Load, voices
from mirliton.benchmark.measuring import added_ms, delay_of, hearing_of
from mirliton.benchmark.ports import HOST, free_range
from mirliton.benchmark.result import Scenario
from mirliton.benchmark.voices import CODINGS, write_voices

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler"),
]
_TIMESTAMP = getattr(socket, "SO_TIMESTAMPNS", 35)
CALLERS = 4


@dataclass
class FakeBridge:
    """Gives the first caller's packets to all others, later and not all of them, and notes how late.

    `number_holes`: what is dropped has had a sequence number.
    """

    delay: float = 0.0
    drop_every: int = 0
    number_holes: bool = True
    added: list[float] = field(default_factory=list)
    wire: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def serve(self, callers: range, stop: threading.Event) -> None:
        """Until it is told to stop."""
        waiting: deque[tuple[float, bytes]] = deque()
        count = sequence = 0
        while not stop.is_set():
            wait = waiting[0][0] + self.delay - time.time() if waiting else 0.05
            self.wire.settimeout(max(wait, 0.0005))
            try:
                packet, control, _, sender = self.wire.recvmsg(2048, 64)
            except TimeoutError:
                pass
            else:
                if sender[1] == callers[0]:
                    seconds, nanoseconds = struct.unpack("qq", control[0][2])
                    waiting.append((seconds + nanoseconds / 1e9, packet))
            while waiting and waiting[0][0] + self.delay <= time.time():
                came, packet = waiting.popleft()
                count += 1
                dropped = self.drop_every > 0 and count % self.drop_every == 0
                sequence += not dropped or self.number_holes
                if not dropped:
                    self._pass_on(came, packet, sequence, callers)

    def _pass_on(self, came: float, packet: bytes, sequence: int, callers: range) -> None:
        changed = packet[:2] + struct.pack(">H", sequence % 65536) + packet[4:]
        for caller in callers[1:]:
            self.wire.sendto(changed, (HOST, caller))
        self.added.append(1000 * (time.time() - came))


@contextmanager
def bridged(bridge: FakeBridge, callers: range) -> Iterator[int]:
    """The bridge's port while it runs."""
    stop = threading.Event()
    with bridge.wire:
        bridge.wire.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
        bridge.wire.bind((HOST, 0))
        thread = threading.Thread(target=bridge.serve, args=(callers, stop))
        thread.start()
        try:
            yield bridge.wire.getsockname()[1]
        finally:
            stop.set()
            thread.join()


@contextmanager
def load(folder: Path, codec: str, callers: range) -> Iterator[Load]:
    """Four callers, of whom the first talks."""
    said = folder / "voices"
    write_voices(said, CODINGS[codec])
    scenario = Scenario("test", codec, CALLERS, CALLERS, 1)
    with voices(build("rtpload", cache_folder()), said, scenario, callers, [0, 1], 0, folder) as started:
        yield started


def listen(bridge: FakeBridge, folder: Path, codec: str = "pcmu", seconds: float = 2.0) -> Heard:
    """What is heard through the bridge."""
    callers = free_range(CALLERS, 2)
    with bridged(bridge, callers) as port, load(folder, codec, callers) as started:
        started.connect([port] * CALLERS)
        time.sleep(0.3)
        started.begin()
        time.sleep(seconds)
        return started.finish()


@pytest.mark.parametrize(("codec", "added"), [("pcmu", 0.0), ("pcmu", 0.06), ("opus", 0.03)])
def test_the_delay_of_a_bridge_is_what_it_says_itself(tmp_path: Path, codec: str, added: float) -> None:
    bridge = FakeBridge(delay=added)
    heard = listen(bridge, tmp_path, codec)
    found = delay_of(added_ms(heard, [(0, 1)], codec))
    assert found.packets > 50
    assert found.p50_ms == pytest.approx(median(bridge.added), abs=2.0)
    assert found.p50_ms is not None
    assert found.p50_ms >= 1000 * added - 1.0
    assert hearing_of(heard, codec) == CALLERS - 1  # the talker is sent nothing
    assert heard.traffic.silent == 1


def test_lost_packets_are_counted_by_their_numbers(tmp_path: Path) -> None:
    traffic = listen(FakeBridge(drop_every=10), tmp_path).traffic
    assert 1 - traffic.received / traffic.expected == pytest.approx(0.1, abs=0.03)
    assert overload(traffic) != ""


def test_packets_that_were_never_sent_are_missed_by_the_clock(tmp_path: Path) -> None:
    bridge = FakeBridge(drop_every=5, number_holes=False)
    callers_due = 1 / CALLERS  # of the talker, who is sent nothing
    traffic = listen(bridge, tmp_path).traffic
    assert traffic.received == traffic.expected
    assert traffic.loss == pytest.approx(callers_due + (1 - callers_due) * 0.2, abs=0.03)


@pytest.mark.parametrize("silent_at", ["beginning", "end"])
def test_a_bridge_that_stops_for_a_while_is_not_forgiven(tmp_path: Path, silent_at: str) -> None:
    callers = free_range(CALLERS, 2)
    bridge = FakeBridge()
    with load(tmp_path, "pcmu", callers) as started:
        if silent_at == "beginning":
            started.connect([free_range(1).start] * CALLERS)  # where nobody listens
            started.begin()
            time.sleep(1.0)
        with bridged(bridge, callers) as port:
            started.connect([port] * CALLERS)
            time.sleep(0.3)
            if silent_at == "end":
                started.begin()
            time.sleep(1.0)
            if silent_at == "beginning":
                traffic = started.finish().traffic
        if silent_at == "end":
            time.sleep(0.7)
            traffic = started.finish().traffic
    assert traffic.silent == 1  # the talker
    heard = CALLERS - 1
    assert traffic.gap_max_ms > 600
    assert traffic.received < 0.8 * 50 * traffic.seconds * heard
    assert traffic.due == pytest.approx(50 * traffic.seconds * CALLERS, rel=0.05)


def test_nothing_is_missed_of_a_bridge_that_loses_nothing(tmp_path: Path) -> None:
    traffic = listen(FakeBridge(), tmp_path).traffic
    heard = CALLERS - 1
    assert traffic.received == traffic.expected
    assert traffic.expected == pytest.approx(traffic.due * heard / CALLERS, rel=0.02)
    assert traffic.gap_p50_ms == pytest.approx(20.0, abs=4.0)


def test_a_generator_that_could_not_run_says_so(tmp_path: Path) -> None:
    callers = free_range(CALLERS, 2)
    with load(tmp_path, "pcmu", callers) as started:
        started.connect(list(callers))
        started.begin()
        time.sleep(0.2)
        subprocess.run(["kill", f"-{signal.SIGSTOP.value}", str(started.pid)], check=True)
        time.sleep(0.25)
        subprocess.run(["kill", f"-{signal.SIGCONT.value}", str(started.pid)], check=True)
        time.sleep(0.3)
        traffic = started.finish().traffic
    assert traffic.latest_ms >= 200
    assert traffic.late_slots >= 180


def test_a_bad_file_of_voices_is_refused(tmp_path: Path) -> None:
    (tmp_path / "voices").write_bytes(b"\0" * 9)
    program = build("rtpload", cache_folder())
    words = ["-n", "1", "-p", str(free_range(1).start), "-v", str(tmp_path / "voices")]
    done = subprocess.run([program, *words], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"ends too early" in done.stderr
