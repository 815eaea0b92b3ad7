"""Results to judge and to print, without a run."""

from typing import Any

import msgspec

from mirliton.benchmark.result import (
    FORMAT,
    Bridge,
    Machine,
    Measured,
    Memory,
    Result,
    SetUp,
    Share,
    Task,
    Ticks,
    Traffic,
)

TASK = Task(callers=20, room=10, talkers=3, seconds=3.0, rate=50.0, burst_rate=150.0)
TRAFFIC = Traffic(
    calls=20, seconds=3.0, sent=3000, received=2997, expected=3000, fewest=147, silent=0, hearing=20,
    gap_p50_ms=20.0, gap_p99_ms=23.9, gap_p999_ms=24.0, gap_max_ms=24.1, slots=3000, late_slots=0, latest_ms=4.0,
)  # fmt: skip
SET_UP = SetUp(calls=20, answered=20, offered=50.0, reached=43.2, p50_ms=12.0, p99_ms=30.0, max_ms=31.0)
MACHINE = Machine(
    "A CPU", 2, 0, 1, "Linux 6.1", "3.11.2", "0.63", "0.1.0", "2026-03-04T05:06:07+00:00", "mirliton bench"
)


def measured(name: str, share: Share, **changes: Any) -> Measured:
    """A stretch in which this process was all that ran on its core."""
    made = Measured({name: share}, Share(0.1, 0.1), share, 0.0, TRAFFIC, 0, 0)
    return msgspec.structs.replace(made, **changes)


def bridge(**changes: Any) -> Bridge:
    """A good one."""
    made = Bridge(
        peer="mirliton",
        codec="PCMU",
        measured=measured("engine", Share(0.03, 0.09)),
        hearing_expected=20,
        members_at_start=20,
        members_at_end=20,
        restarts=0,
        set_up=SET_UP,
        burst=SET_UP,
        memory=Memory(idle=100_000_000, loaded=102_000_000, per_call=100_000.0),
        ticks=Ticks(mean_ms=0.1, worst_second_mean_ms=0.2, max_ms=3.0, skipped=0),
        per_frame={"packets in": 20.0, "packets out": 20.0, "decodes": 20.0, "encodes": 8.0},
    )
    return msgspec.structs.replace(made, **changes)


FLOOR = measured("floor", Share(0.01, 0.05))
RESULT = Result(FORMAT, MACHINE, TASK, FLOOR, bridge(), [], [])
