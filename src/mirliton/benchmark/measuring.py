"""One measurement: processor time, traffic and delay over the same stretch of time."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from mirliton.benchmark.load import Heard
from mirliton.benchmark.peer import Bench, Crowd, Peer, Seated
from mirliton.benchmark.probes import delays, hears_somebody
from mirliton.benchmark.proc import Used, cores_used, dropped, process_used
from mirliton.benchmark.result import Delay, Measured, Second
from mirliton.benchmark.sipp import percentile
from mirliton.benchmark.voices import CODINGS

_LEAST_SECOND = 0.1  # less than that is too few ticks of the kernel's clock to tell a share


@dataclass(slots=True)
class Seconds:
    """Processor time of each process, looked at second by second."""

    processes: Mapping[str, int]
    core: int
    seen: list[tuple[float, dict[str, Used], Used]] = field(default_factory=list)

    def note(self) -> None:
        """Look now, unless it is hardly later than the last time."""
        present = time.monotonic()
        if not self.seen or present - self.seen[-1][0] >= _LEAST_SECOND:
            used = {name: process_used(pid) for name, pid in self.processes.items()}
            self.seen.append((present, used, cores_used()[self.core]))

    def shares(self) -> list[Second]:
        """Of the times between."""
        return [_second(before, after) for before, after in pairwise(self.seen)]


def _second(before: tuple[float, dict[str, Used], Used], after: tuple[float, dict[str, Used], Used]) -> Second:
    seconds = after[0] - before[0]
    shares = {name: used.share_since(before[1][name], seconds).total for name, used in after[1].items()}
    return Second(seconds, shares, (after[2].stolen - before[2].stolen) / seconds)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """Everything that counts up, at one moment."""

    at: float
    processes: dict[str, Used]
    load: Used
    core: Used
    load_core: Used
    dropped_by_load: int
    dropped_by_bridge: int


def measure(
    bench: Bench,
    peer: Peer,
    crowd: Crowd,
    seated: Seated,
    seconds: float,
    each_second: Callable[[], None] | None = None,
) -> tuple[Measured, Heard]:
    """Measure for so many seconds, and end the load; what it says of delay and hearing is left open, see `judged`.

    Raises `OSError` when a process has gone, and `ProgramFailed`.
    """
    by_second = Seconds(peer.processes, bench.cores[0])

    def tick() -> None:
        by_second.note()
        if each_second is not None:
            each_second()

    seated.load.begin()
    before = _look(peer.processes, seated, bench.cores)
    by_second.note()
    bench.screen.wait(f"{peer.name}, {crowd.scenario.name}: measuring", seconds, tick)
    after = _look(peer.processes, seated, bench.cores)
    heard = seated.load.finish()
    elapsed = after.at - before.at
    measured = Measured(
        processes={name: used.share_since(before.processes[name], elapsed) for name, used in after.processes.items()},
        load=after.load.share_since(before.load, elapsed),
        core_busy=after.core.share_since(before.core, elapsed),
        core_stolen=(after.core.stolen - before.core.stolen) / elapsed,
        traffic=heard.traffic,
        hearing=0,
        delay=Delay(0, 0, None, None),
        dropped_by_load=after.dropped_by_load - before.dropped_by_load,
        dropped_by_bridge=after.dropped_by_bridge - before.dropped_by_bridge,
        load_core_stolen=(after.load_core.stolen - before.load_core.stolen) / elapsed,
        by_second=by_second.shares(),
    )
    return measured, heard


def hearing_of(heard: Heard, codec: str) -> int:
    """How many callers hear somebody at the end."""
    return sum(hears_somebody(probe, CODINGS[codec]) for probe in heard.probes.values())


def added_ms(heard: Heard, pairs: Sequence[tuple[int, int]], codec: str) -> list[list[float]]:
    """What was added from each talker's mouth to its listener's ear, packet by packet."""
    return [delays(heard.probes, [pair], CODINGS[codec]) for pair in pairs]


def delay_of(each: Sequence[Sequence[float]]) -> Delay:
    """All pairs of `added_ms` together."""
    added = sorted(delay for found in each for delay in found)
    deaf = sum(not found for found in each)
    return Delay(len(added), deaf, percentile(added, 0.5), percentile(added, 0.99))


def _look(processes: Mapping[str, int], seated: Seated, cores: tuple[int, int]) -> _Snapshot:
    present, used = time.monotonic(), cores_used()
    return _Snapshot(
        present,
        {name: process_used(pid) for name, pid in processes.items()},
        process_used(seated.load.pid),
        used[cores[0]],
        used[cores[1]],
        dropped(seated.load.ports),
        dropped(seated.ports),
    )
