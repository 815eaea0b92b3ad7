"""One measurement: processor time and traffic over the same stretch of time."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mirliton.benchmark.load import Load
from mirliton.benchmark.proc import Used, core_used, dropped, process_used
from mirliton.benchmark.progress import Screen
from mirliton.benchmark.result import Measured


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: processes by name, the core that the first of them has to itself, and their UDP ports."""

    processes: Mapping[str, int]
    core: int
    ports: range


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
    subject: Subject,
    load: Load,
    seconds: float,
    screen: Screen,
    description: str,
    each_second: Callable[[], None] | None = None,
) -> Measured:
    """Measure for so many seconds, and end the load. Raises `OSError` when a process has gone."""
    load.begin()
    before = _look(subject, load)
    screen.wait(description, seconds, each_second)
    after = _look(subject, load)
    traffic = load.finish()
    elapsed = after.at - before.at
    return Measured(
        processes={name: used.share_since(before.processes[name], elapsed) for name, used in after.processes.items()},
        load=after.load.share_since(before.load, elapsed),
        core_busy=after.core.share_since(before.core, elapsed),
        core_stolen=(after.core.stolen - before.core.stolen) / elapsed,
        traffic=traffic,
        dropped_by_load=after.dropped_by_load - before.dropped_by_load,
        dropped_by_bridge=after.dropped_by_bridge - before.dropped_by_bridge,
    )


def _look(subject: Subject, load: Load) -> _Snapshot:
    return _Snapshot(
        time.monotonic(),
        {name: process_used(pid) for name, pid in subject.processes.items()},
        process_used(load.pid),
        core_used(subject.core),
        dropped(load.ports),
        dropped(subject.ports),
    )
