"""Results to judge and to print, without a run."""

from typing import Any

import msgspec

from mirliton.benchmark.ratios import ratios
from mirliton.benchmark.result import (
    FORMAT,
    Account,
    Capacity,
    Delay,
    Machine,
    Measured,
    Measurement,
    Memory,
    Result,
    Scenario,
    SetUp,
    Share,
    Ticks,
    Traffic,
    Trial,
)

SCENARIO = Scenario("rooms-of-10", "pcmu", callers=20, room=10, talkers=3)
TRAFFIC = Traffic(
    calls=20, seconds=3.0, sent=3000, received=3000, expected=3000, due=3000, fewest=147, silent=0,
    gap_p50_ms=20.0, gap_p99_ms=23.9, gap_p999_ms=24.0, gap_max_ms=24.1, slots=3000, late_slots=0, latest_ms=4.0,
    unkept=0,
)  # fmt: skip
SET_UP = SetUp(calls=20, answered=20, offered=50.0, reached=43.2, p50_ms=12.0, p99_ms=30.0, max_ms=31.0)
MACHINE = Machine(
    "A CPU", 2, 0, 1, "Linux 6.1", "3.11.2", "0.63", "0.1.0", "2026-03-04T05:06:07+00:00", "mirliton bench"
)
ACCOUNT = Account(
    members_at_start=20,
    members_at_end=20,
    restarts=0,
    ticks=Ticks(mean_ms=0.1, worst_second_mean_ms=0.2, max_ms=3.0, p999_ms=None, skipped=0),
    per_frame={"packets in": 20.0, "packets out": 20.0, "decodes": 20.0, "encodes": 8.0},
)


def measured(name: str, share: Share, **changes: Any) -> Measured:
    """A stretch in which this process was all that ran on its core."""
    made = Measured({name: share}, Share(0.1, 0.1), share, 0.0, TRAFFIC, 20, Delay(300, 0, 21.0, 28.0), 0, 0)
    return msgspec.structs.replace(made, **changes)


def measurement(system: str = "mirliton", share: Share = Share(0.03, 0.09), **changes: Any) -> Measurement:  # noqa: B008
    """A good one."""
    name = {"mirliton": "engine"}.get(system, system)
    made = Measurement(
        system=system,
        scenario=SCENARIO,
        measured=measured(name, share),
        set_up=SET_UP if system == "mirliton" else None,
        burst=SET_UP if system == "mirliton" else None,
        memory=Memory({name: 100_000_000}, {name: 100_000_000 + 20 * 51_200}, 20),
        account=ACCOUNT if system == "mirliton" else None,
        problems=[],
        notes=[],
    )
    return msgspec.structs.replace(made, **changes)


FLOOR = measurement("floor", Share(0.01, 0.05))
JANUS = measurement("janus", Share(0.3, 0.3))
CAPACITIES = [
    Capacity(
        "mirliton", "pcmu", 10, 2000, "load", [Trial(2000, "carried", "", 0.8), Trial(2400, "load late", "x", 0.9)]
    ),
    Capacity("janus", "pcmu", 10, 400, "bridge", [Trial(400, "carried", "", 0.9)]),
]


def result(*made: Measurement, capacities: list[Capacity] | None = None, **changes: Any) -> Result:
    """A whole run of these."""
    limits = capacities or []
    found = Result(FORMAT, MACHINE, 3.0, list(made), limits, [], ratios(made, limits), {})
    return msgspec.structs.replace(found, **changes)


RESULT = result(FLOOR, measurement(), JANUS, capacities=CAPACITIES)
