"""The search for a bridge's limit ends near it, soon, and says what stopped it; ratios compare like with like."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.benchmark.capacity import CARRIED, LOAD_LATE, OVERLOADED, Limits, find_capacity
from mirliton.benchmark.peer import Bench, Crowd, Figures, Peer, Seated
from mirliton.benchmark.ports import NoPorts
from mirliton.benchmark.progress import Screen
from mirliton.benchmark.ratios import A_CALLER, AGAINST_FLOOR, LISTENER, ratios
from mirliton.benchmark.result import Capacity, Scenario, Share, Trial, read, write
from mirliton.benchmark.run import Diary, late_below
from mirliton.benchmark.session import Search, Session, judge

from .results import CAPACITIES, FLOOR, JANUS, SCENARIO, TRAFFIC, measured, measurement, result

replace = msgspec.structs.replace
LIMITS = Limits(step=10, most=4000, seconds=60.0)


def carries(limit: int, verdict: str = OVERLOADED) -> Callable[[int], Trial]:
    """A bridge with a sharp limit."""
    return lambda callers: Trial(callers, CARRIED if callers <= limit else verdict, "", 0.5)


def search(attempt: Callable[[int], Trial], first: int = 300, clock: Callable[[], float] = lambda: 0.0) -> Capacity:
    return find_capacity("mirliton", "pcmu", 10, first, LIMITS, attempt, clock)


@given(st.integers(10, 3999), st.integers(1, 4000))
def test_the_limit_is_found_in_few_trials(limit: int, first: int) -> None:
    found = search(carries(limit), first)
    assert found.limited_by == "bridge"
    assert found.callers <= limit
    assert limit - found.callers < max(2 * LIMITS.step, 0.09 * limit + LIMITS.step)
    assert found.callers % LIMITS.step == 0
    assert len(found.trials) <= 26


def test_a_bridge_that_carries_nobody_has_no_capacity() -> None:
    assert (search(carries(0)).callers, search(carries(0)).limited_by) == (0, "bridge")


def test_a_limit_of_the_load_generator_is_not_the_bridges() -> None:
    found = search(carries(1500, LOAD_LATE))
    assert (found.callers <= 1500, found.limited_by) == (True, "load")


def test_a_trial_that_could_not_be_made_is_no_limit_of_the_bridge(tmp_path: Path) -> None:
    def no_ports(_bench: Bench, scenario: Scenario, _folder: Path) -> AbstractContextManager[Peer]:
        raise NoPorts(f"there are no {scenario.callers} free UDP ports")

    place = Bench(Path(), Path(), "", {}, (0, 0), tmp_path, Screen())
    session = Session(place, {"janus": no_ports}, [], [], [])
    session.search(["pcmu"], Search(1.0, 60.0, 400, 3), 100.0)
    (found,) = session.capacities
    assert (found.callers, found.limited_by) == (0, "failure")
    assert "free UDP ports" in found.trials[0].why


def test_more_than_the_most_is_not_tried() -> None:
    found = search(carries(10_000))
    assert (found.callers, found.limited_by) == (4000, "most")
    assert max(trial.callers for trial in found.trials) == 4000


def test_time_ends_a_search_with_what_is_known() -> None:
    times = iter(range(0, 1000, 25))
    found = search(carries(2000), clock=lambda: float(next(times)))
    assert found.limited_by == "time"
    assert found.callers == max(trial.callers for trial in found.trials if trial.verdict == CARRIED)
    assert len(found.trials) == 3


def test_a_crowd_is_carried_late_or_too_much() -> None:
    def verdict(**changes: object) -> str:
        traffic = replace(TRAFFIC, **changes)
        return judge(measurement(measured=measured("engine", Share(0.1, 0.1), traffic=traffic))).verdict

    assert verdict() == CARRIED
    assert verdict(received=2990) == OVERLOADED
    assert verdict(gap_p999_ms=60.0) == OVERLOADED
    assert verdict(late_slots=100, received=2000) == LOAD_LATE
    assert judge(measurement(problems=["3 of 20 calls are missing"])).verdict == OVERLOADED


def test_the_same_crowd_is_compared() -> None:
    other = replace(JANUS, scenario=replace(SCENARIO, callers=30))
    found = {(ratio.of, ratio.against): ratio for ratio in ratios([FLOOR, measurement(), JANUS, other], [])}
    assert found[AGAINST_FLOOR, "floor"].value == pytest.approx(2.0)
    assert found[A_CALLER, "janus"].value == pytest.approx(5.0)
    assert found[A_CALLER, "janus"].mark == ""
    assert len(found) == 2


def test_an_overloaded_peer_is_at_least_so_much_dearer() -> None:
    choking = replace(JANUS, measured=replace(JANUS.measured, traffic=replace(TRAFFIC, received=1500)))
    assert [ratio.mark for ratio in ratios([measurement(), choking], [])] == ["at least"]


def test_an_overload_of_ones_own_is_no_merit() -> None:
    ours = measurement()
    choking = replace(ours, measured=replace(ours.measured, traffic=replace(TRAFFIC, received=1500)))
    marks = {ratio.against: ratio.mark for ratio in ratios([FLOOR, choking, JANUS], [])}
    assert marks == {"floor": "at least", "janus": "at most"}
    both = replace(JANUS, measured=replace(JANUS.measured, traffic=replace(TRAFFIC, received=1500)))
    assert ratios([choking, both], []) == []  # how much more either would need nobody knows


def test_a_listener_with_opus_is_compared_with_one_with_g711() -> None:
    g711 = measurement(scenario=replace(SCENARIO, shape="listeners"))
    opus = measurement(scenario=replace(SCENARIO, shape="listeners", codec="opus"), share=Share(0.06, 0.09))
    (found,) = ratios([g711, opus], [])
    assert found.of == LISTENER
    assert found.value == pytest.approx(1.25)


def test_capacities_are_compared_where_the_peers_own_is_known() -> None:
    assert [(ratio.value, ratio.mark) for ratio in ratios([], CAPACITIES)] == [(5.0, "at least")]
    unknown = [CAPACITIES[0], replace(CAPACITIES[1], limited_by="time")]
    assert ratios([], unknown) == []


def figures(late_counts: dict[float, float], late_max: float = 0.0) -> Figures:
    return Figures(0, 0, 0, 0, 0, 0, 0, 0, late_max, late_counts)


def test_lateness_beyond_the_histogram_is_not_lost_in_the_file(tmp_path: Path) -> None:
    seen = iter([figures({0.1: 0.0, float("inf"): 0.0}), figures({0.1: 10.0, float("inf"): 20.0}, late_max=0.4)])
    diary = Diary(Peer("mirliton", {}, nobody, lambda: next(seen)))
    diary.note()
    diary.note()
    account = diary.account()
    assert account is not None
    assert account.ticks.p999_ms == 400.0
    write(result(measurement(account=account)), tmp_path / "bench.json")
    assert read(tmp_path / "bench.json").measurements[0].account == account


def nobody(_crowd: Crowd, _folder: Path) -> AbstractContextManager[Seated]:
    raise AssertionError("nobody is seated in this test")


def test_lateness_is_that_of_the_time_between() -> None:
    before = figures({0.001: 1000.0, 0.005: 1500.0, float("inf"): 2000.0})
    after = figures({0.001: 10_980.0, 0.005: 11_500.0, float("inf"): 12_000.0})
    assert late_below(before, after, 0.99) == pytest.approx(1.0)
    assert late_below(before, after, 0.999) == pytest.approx(5.0)
    assert late_below(before, before, 0.999) is None
    assert late_below(figures({}), figures({}), 0.999) is None
