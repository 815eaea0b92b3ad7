"""A whole run: the floor, then a bridge with all calls, then how fast it sets calls up."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mirliton.benchmark.building import build, cache_folder, find_program
from mirliton.benchmark.floor import measure_floor
from mirliton.benchmark.load import STRIDE, Load, hearing_expected, voices
from mirliton.benchmark.measuring import Subject, measure
from mirliton.benchmark.peer import Figures, Peer, StartPeer
from mirliton.benchmark.ports import free_range
from mirliton.benchmark.proc import resident_bytes
from mirliton.benchmark.progress import Screen
from mirliton.benchmark.result import Bridge, Measured, Memory, SetUp, Task, Ticks
from mirliton.benchmark.sipp import Placed, calls

_FRAMES_A_SECOND = 50
_SLOW_SECONDS = 6.0
_SLOW_SHARE = 0.5
"""A server that is slower than the callers gets half as much time again, and this much, to let them all in."""
_POLL_SECONDS = 0.25
_BURST_SECONDS = 3.0
WARM_UP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Tools:
    """The programs of a run."""

    floor: Path
    rtpload: Path
    sipp: str


def find_tools(*, with_calls: bool) -> Tools:
    """Compile and find what is needed; `with_calls`: SIPp too. Raises `ToolMissing`."""
    sipp = find_program("sipp", "sip-tester") if with_calls else ""
    cache = cache_folder()
    return Tools(build("floor", cache), build("rtpload", cache), sipp)


@dataclass(slots=True)
class _Lateness:
    """Collects what the bridge says about its ticks, once a second."""

    peer: Peer
    seen: list[Figures] = field(default_factory=list)

    def note(self) -> None:
        self.seen.append(self.peer.figures())

    def ticks(self, before: Figures, after: Figures) -> Ticks:
        seen = self.seen or [after]
        return Ticks(
            mean_ms=1000 * sum(figures.late_mean for figures in seen) / len(seen),
            worst_second_mean_ms=1000 * max(figures.late_mean for figures in seen),
            max_ms=1000 * max(figures.late_max for figures in seen),
            skipped=int(after.skipped_ticks - before.skipped_ticks),
        )


@dataclass(frozen=True, slots=True)
class Run:
    """The tools and places of one run. `cores`: the engine's and the load's."""

    task: Task
    tools: Tools
    cores: tuple[int, int]
    folder: Path
    screen: Screen

    def floor(self, sockets: int) -> Measured:
        """Measure the floor. Raises `ProgramFailed`, `NoPorts`, `OSError`."""
        return measure_floor(
            self.tools.floor, self.tools.rtpload, self.task, sockets, self.cores, self.folder / "floor", self.screen
        )

    def bridge(self, start: StartPeer) -> Bridge:
        """Measure a bridge with real calls. Raises `ProgramFailed`, `NoPorts`, `OSError`."""
        with ExitStack() as stack:
            own = self.folder / "bridge"
            own.mkdir()
            with self.screen.stage("starting the server (the first time it compiles the audio engine)"):
                peer = stack.enter_context(start(self.task, *self.cores, own))
            return self._measure(peer)

    def _measure(self, peer: Peer) -> Bridge:
        idle = _resident(peer)
        hold = WARM_UP_SECONDS + self.task.seconds
        with self._in_the_rooms(peer, self.task.callers, self.task.rate, hold, "calls") as (placed, streams):
            self.screen.wait("warming up", WARM_UP_SECONDS)
            before, began, lateness = peer.figures(), time.monotonic(), _Lateness(peer)
            subject = Subject(peer.processes, self.cores[0], peer.rtp_ports)
            measured = measure(subject, streams, self.task.seconds, self.screen, "measuring", lateness.note)
            after, elapsed = peer.figures(), time.monotonic() - began
            loaded = _resident(peer)
        return Bridge(
            peer=peer.name,
            codec=peer.codec,
            measured=measured,
            hearing_expected=hearing_expected(self.task),
            members_at_start=before.members,
            members_at_end=after.members,
            restarts=int(after.restarts),
            set_up=placed.set_up(),
            burst=self._burst(peer),
            memory=Memory(idle, loaded, (loaded - idle) / self.task.callers),
            ticks=lateness.ticks(before, after),
            per_frame=_per_frame(before, after, elapsed),
        )

    def _burst(self, peer: Peer) -> SetUp | None:
        """How fast calls are set up when they come much faster, by a server that has no others."""
        rate = self.task.burst_rate
        if rate <= 0:
            return None
        count = max(1, min(self.task.callers, round(rate * _BURST_SECONDS)))
        with self._in_the_rooms(peer, count, rate, 0.0, "burst") as (placed, _):
            pass
        return placed.set_up()

    @contextmanager
    def _in_the_rooms(
        self, peer: Peer, count: int, rate: float, hold: float, name: str
    ) -> Iterator[tuple[Placed, Load]]:
        """Place calls and wait until all are members; at the end wait until nobody is.

        SIPp ends a call some time after it was answered, not when it is told to; so that all are there for `hold`
        seconds at a time, the first must stay while the others come, and a little longer for a slow server.
        """
        ports = free_range(count, STRIDE)
        numbers = peer.numbers(count, self.task.room)
        core, folder = self.cores[1], self.folder / name
        folder.mkdir()
        joining = (1 + _SLOW_SHARE) * count / rate + _SLOW_SECONDS
        with (
            voices(self.tools.rtpload, self.task, ports, core, folder) as streams,
            calls(self.tools.sipp, peer.sip, numbers, ports, rate, joining + hold, core, folder) as placed,
        ):
            self._until_members(peer, count, joining, f"placing {count} calls", placed)
            yield placed, streams
            with self.screen.stage("hanging up"):
                placed.wait_for_end()
        self._until_members(peer, 0, _SLOW_SECONDS, "emptying the rooms")

    def _until_members(
        self, peer: Peer, wanted: int, seconds: float, description: str, placed: Placed | None = None
    ) -> None:
        """Wait until so many are in the rooms. Who does not come in time is missing in the result."""
        deadline = time.monotonic() + seconds
        with self.screen.stage(description, wanted or None) as bar:
            while (there := peer.figures().members) != wanted and time.monotonic() < deadline:
                if placed is not None and placed.ended:
                    self.screen.say(f"SIPp gave up: {placed.complaint()}")
                    return
                bar.at(there)
                time.sleep(_POLL_SECONDS)


def _resident(peer: Peer) -> int:
    return sum(resident_bytes(pid) for pid in peer.processes.values())


def _per_frame(before: Figures, after: Figures, seconds: float) -> dict[str, float]:
    """What the bridge counted, for each 20 ms."""
    frames = seconds * _FRAMES_A_SECOND
    return {
        "packets in": (after.packets_in - before.packets_in) / frames,
        "packets out": (after.packets_out - before.packets_out) / frames,
        "decodes": (after.decodes - before.decodes) / frames,
        "encodes": (after.encodes - before.encodes) / frames,
    }
