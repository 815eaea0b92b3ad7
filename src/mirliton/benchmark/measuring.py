"""One measurement: processor time, traffic and delay over the same stretch of time."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mirliton.benchmark.load import Heard
from mirliton.benchmark.peer import Bench, Crowd, Peer, Seated
from mirliton.benchmark.probes import delays, hears_somebody
from mirliton.benchmark.proc import Used, core_used, dropped, process_used
from mirliton.benchmark.result import Delay, Measured
from mirliton.benchmark.sipp import percentile
from mirliton.benchmark.voices import CODINGS


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """Everything that counts up, at one moment."""

    at: float
    processes: dict[str, Used]
    load: Used
    core: Used
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
    seated.load.begin()
    before = _look(peer.processes, seated, bench.cores[0])
    bench.screen.wait(f"{peer.name}, {crowd.scenario.name}: measuring", seconds, each_second)
    after = _look(peer.processes, seated, bench.cores[0])
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
    )
    return measured, heard


def hearing_of(heard: Heard, codec: str) -> int:
    """How many callers hear somebody at the end."""
    return sum(hears_somebody(probe, CODINGS[codec]) for probe in heard.probes.values())


def delay_of(heard: Heard, pairs: Sequence[tuple[int, int]], codec: str) -> Delay:
    """What was added from the talkers' mouths to the listeners' ears."""
    each = [delays(heard.probes, [pair], CODINGS[codec]) for pair in pairs]
    added = sorted(delay for found in each for delay in found)
    return Delay(len(added), each.count([]), percentile(added, 0.5), percentile(added, 0.99))


def _look(processes: Mapping[str, int], seated: Seated, core: int) -> _Snapshot:
    return _Snapshot(
        time.monotonic(),
        {name: process_used(pid) for name, pid in processes.items()},
        process_used(seated.load.pid),
        core_used(core),
        dropped(seated.load.ports),
        dropped(seated.ports),
    )
