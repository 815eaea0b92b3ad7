"""A measurement whose figures would mislead is not valid, and says why."""

from typing import Any

import msgspec
import pytest

from mirliton.benchmark.judging import notes, overload, problems
from mirliton.benchmark.result import Delay, Share

from .results import ACCOUNT, FLOOR, SET_UP, TRAFFIC, measured, measurement

replace = msgspec.structs.replace
CORES = (0, 1)


def with_traffic(**changes: Any) -> Any:
    """The engine's measurement with other traffic."""
    return measured("engine", Share(0.1, 0.1), traffic=replace(TRAFFIC, **changes))


def test_a_good_run_has_no_problems() -> None:
    assert problems(measurement(), there=20) == []
    assert problems(FLOOR, there=20) == []


def test_loss_is_a_result_and_not_a_problem() -> None:
    made = measurement(measured=with_traffic(received=1000))
    assert problems(made, there=20) == []
    assert notes(made, CORES) == ["overloaded: 66.67% lost"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"measured": with_traffic(late_slots=4)}, "load generator was late"),
        ({"measured": with_traffic(unkept=4)}, "could not keep 4 packets"),
        ({"measured": measured("engine", Share(0.1, 0.1), dropped_by_load=5)}, "no room for 5 packets"),
        ({"measured": with_traffic(silent=2)}, "2 callers got nothing"),
        ({"measured": measured("engine", Share(0.1, 0.1), hearing=19)}, "19 callers hear somebody, it should be 20"),
        ({"measured": measured("engine", Share(0.1, 0.1), delay=Delay(150, 1, 21.0, 28.0))}, "1 listeners do not hear"),
        ({"account": replace(ACCOUNT, members_at_end=18)}, "2 of 20 calls are missing"),
        ({"set_up": replace(SET_UP, answered=17)}, "3 of 20 calls are missing"),
        ({"burst": replace(SET_UP, answered=15)}, "5 of 20 burst calls"),
        ({"account": replace(ACCOUNT, restarts=1)}, "engine died"),
    ],
)
def test_what_spoils_a_run_is_told(changes: dict[str, Any], why: str) -> None:
    found = problems(measurement(**changes), there=20)
    assert len(found) == 1
    assert why in found[0]


def test_who_never_came_in_is_missing() -> None:
    assert problems(measurement("janus"), there=16) == ["4 of 20 calls are missing"]


def test_a_generator_that_is_rarely_late_is_forgiven() -> None:
    assert problems(measurement(measured=with_traffic(late_slots=3)), there=20) == []


def test_nobody_is_asked_what_the_floor_sounds_like() -> None:
    assert problems(replace(FLOOR, measured=replace(FLOOR.measured, hearing=6)), there=20) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"received": 2998}, ""),  # one packet of a thousand is allowed
        ({"received": 2996}, "0.13% lost"),
        ({"due": 4000}, "25.00% lost"),  # what is never sent has no sequence number
        ({"gap_p999_ms": 39.9, "gap_max_ms": 300.0}, ""),
        ({"gap_p999_ms": 40.0}, "gaps of 40 ms"),
        ({"silent": 1}, "1 callers got nothing"),
    ],
)
def test_a_bridge_is_overloaded_when_it_loses_or_stutters(changes: dict[str, Any], why: str) -> None:
    assert overload(replace(TRAFFIC, **changes)) == why


def test_a_lone_core_and_company_on_it_are_noted() -> None:
    crowded = measured("engine", Share(0.1, 0.1), core_busy=Share(0.4, 0.2), core_stolen=0.3)
    crowded = replace(crowded, load_core_stolen=0.002)
    found = notes(measurement(measured=crowded), (0, 0))
    assert [text.split()[0:5] for text in found] == [
        ["there", "was", "only", "one", "core:"],
        ["others", "used", "40%", "of", "the"],
        ["the", "machine's", "host", "took", "30.0%"],
    ]


@pytest.mark.parametrize(("bridge", "load"), [(0.02, 0.0), (0.0, 0.02)])
def test_what_the_host_took_of_either_core_is_noted(bridge: float, load: float) -> None:
    made = measured("engine", Share(0.1, 0.1), core_stolen=bridge, load_core_stolen=load)
    (note,) = notes(measurement(measured=made), CORES)
    assert note == f"the machine's host took {bridge:.1%} of the bridge's core, {load:.1%} of the load's"
    quiet = measured("engine", Share(0.1, 0.1), core_stolen=0.01, load_core_stolen=0.01)
    assert notes(measurement(measured=quiet), CORES) == []


def test_a_load_on_a_thread_of_the_same_core_is_noted() -> None:
    (note,) = notes(measurement(), CORES, threads_of_one=True)
    assert "thread" in note


def test_a_quiet_machine_needs_no_notes() -> None:
    assert notes(measurement(), CORES) == []
