"""A run whose figures would mislead is not valid, and says why."""

from typing import Any

import msgspec
import pytest

from mirliton.benchmark.judging import notes, problems
from mirliton.benchmark.result import Share

from .results import FLOOR, MACHINE, SET_UP, TASK, TRAFFIC, bridge, measured

replace = msgspec.structs.replace


def with_traffic(**changes: Any) -> Any:
    """The engine's measurement with other traffic."""
    return measured("engine", Share(0.1, 0.1), traffic=replace(TRAFFIC, **changes))


def test_a_good_run_has_no_problems() -> None:
    assert problems(FLOOR, bridge(), TASK) == []


def test_loss_is_a_result_and_not_a_problem() -> None:
    assert problems(FLOOR, bridge(measured=with_traffic(received=1000)), TASK) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"measured": with_traffic(late_slots=4)}, "load generator was late"),
        ({"measured": measured("engine", Share(0.1, 0.1), dropped_by_load=5)}, "no room for 5 packets"),
        ({"measured": with_traffic(silent=2)}, "2 callers got no sound"),
        ({"measured": with_traffic(hearing=19)}, "19 callers hear somebody, it should be 20"),
        ({"members_at_start": 16}, "4 of 20 calls are missing"),
        ({"members_at_end": 18}, "2 of 20 calls are missing"),
        ({"set_up": replace(SET_UP, answered=17)}, "3 of 20 calls are missing"),
        ({"burst": replace(SET_UP, answered=15)}, "5 of 20 burst calls"),
        ({"restarts": 1}, "engine died"),
    ],
)
def test_what_spoils_a_run_is_told(changes: dict[str, Any], why: str) -> None:
    found = problems(FLOOR, bridge(**changes), TASK)
    assert len(found) == 1
    assert why in found[0]


def test_a_generator_that_is_rarely_late_is_forgiven() -> None:
    assert problems(FLOOR, bridge(measured=with_traffic(late_slots=3)), TASK) == []


def test_the_floor_is_judged_too() -> None:
    floor = replace(FLOOR, traffic=replace(TRAFFIC, late_slots=100, silent=3))
    assert [text.startswith("the floor: ") for text in problems(floor, None, TASK)] == [True, True]


def test_a_lone_core_and_company_on_it_are_noted() -> None:
    machine = replace(MACHINE, load_core=0)
    crowded = measured("engine", Share(0.1, 0.1), core_busy=Share(0.4, 0.2), core_stolen=0.3)
    found = notes(machine, FLOOR, bridge(measured=crowded))
    assert [text.split()[0:5] for text in found] == [
        ["there", "was", "only", "one", "core:"],
        ["others", "used", "40%", "of", "the"],
        ["the", "machine's", "host", "took", "30%"],
    ]


def test_a_quiet_machine_needs_no_notes() -> None:
    assert notes(MACHINE, FLOOR, bridge()) == []
