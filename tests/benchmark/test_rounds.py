"""Several rounds are one measurement: medians of shares, all packets together, the worst of what was late."""

import os
from contextlib import AbstractContextManager
from io import StringIO
from pathlib import Path
from statistics import median

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mirliton.benchmark import session as session_module
from mirliton.benchmark.children import ProgramFailed
from mirliton.benchmark.measuring import Seconds
from mirliton.benchmark.peer import Bench, Peer, StartPeer
from mirliton.benchmark.progress import Screen
from mirliton.benchmark.ratios import A_CALLER, AGAINST_FLOOR, ratios
from mirliton.benchmark.report import grids, rows
from mirliton.benchmark.result import FLOOR, MIRLITON, Measurement, Scenario, Second, Share, read, write
from mirliton.benchmark.rounds import Samples, combined, middle
from mirliton.benchmark.run import Pace
from mirliton.benchmark.session import Session

from .results import ACCOUNT, SCENARIO, SET_UP, TRAFFIC, measured, measurement, result

replace = msgspec.structs.replace
SAMPLES = Samples({200: 1000}, [20.0], [10.0])


def in_rounds(system: str, *shares: float) -> Measurement:
    """So much of a core in each round."""
    each = [replace(measurement(system, Share(0.0, share)), round=k) for k, share in enumerate(shares, 1)]
    return combined(each, [SAMPLES] * len(each))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_the_middle_ones_tell_the_median(figures: list[float]) -> None:
    found = middle(figures, lambda figure: figure)
    assert sum(found) / len(found) == pytest.approx(median(figures))


def test_the_share_is_the_median_and_its_parts_sum_up_to_it() -> None:
    parts = [(0.30, 0.02), (0.58, 0.01), (0.33, 0.04)]
    each = []
    for number, (engine, control) in enumerate(parts, 1):
        alone = measured("engine", Share(engine, 0.0))
        whole = replace(alone, processes=alone.processes | {"control": Share(0.0, control)})
        each.append(measurement(measured=whole, round=number))
    made = combined(each, [SAMPLES] * 3)
    assert made.measured.total == pytest.approx(0.37)
    assert made.measured.processes == {"engine": Share(0.33, 0.0), "control": Share(0.0, 0.04)}
    assert [found.round for found in made.rounds] == [1, 2, 3]


def test_packets_are_counted_together_and_percentiles_are_of_all() -> None:
    lossy = measured("engine", Share(0.1, 0.0), traffic=replace(TRAFFIC, received=2700, gap_max_ms=90.0))
    samples = [Samples({200: 998, 239: 2}, [10.0, 12.0], [5.0]), Samples({200: 900, 399: 100}, [50.0], [7.0, 9.0])]
    made = combined([measurement(round=1), measurement(measured=lossy, round=2)], samples)
    traffic = made.measured.traffic
    assert traffic.loss == pytest.approx(0.05)
    assert (traffic.gap_p50_ms, traffic.gap_p99_ms, traffic.gap_max_ms) == (20.0, 39.9, 90.0)
    assert (made.measured.delay.p50_ms, made.measured.delay.p99_ms) == (12.0, 50.0)
    assert made.set_up is not None
    assert (made.set_up.calls, made.set_up.answered, made.set_up.p50_ms, made.set_up.max_ms) == (40, 40, 7.0, 9.0)


def test_lateness_and_who_is_missing_are_the_worst_rounds() -> None:
    late = replace(ACCOUNT, members_at_end=18, ticks=replace(ACCOUNT.ticks, mean_ms=0.9, max_ms=41.0, skipped=2))
    made = combined([measurement(account=late, round=1), measurement(round=2)], [SAMPLES] * 2)
    assert made.account is not None
    assert (made.account.ticks.mean_ms, made.account.ticks.max_ms, made.account.ticks.skipped) == (0.9, 41.0, 2)
    assert made.account.members_at_end == 18


def test_what_spoils_one_round_spoils_them_all() -> None:
    spoilt = measurement(round=2, problems=["the load was late"], notes=["crowded"])
    made = combined([measurement(round=1), spoilt], [SAMPLES] * 2)
    assert not made.valid
    assert (made.problems, made.notes) == (["round 2: the load was late"], ["round 2: crowded"])


def test_one_round_stays_as_it_is() -> None:
    assert combined([measurement()], [SAMPLES]) == measurement()
    assert "rounds" not in dict(rows(measurement()))


def test_ratios_are_taken_within_a_round() -> None:
    floor, ours = in_rounds(FLOOR, 0.10, 0.20, 0.12), in_rounds(MIRLITON, 0.13, 0.22, 0.18)
    (ratio,) = ratios([floor, ours], [])
    assert ratio.of == AGAINST_FLOOR
    assert [ratio.value, ratio.least, ratio.most] == [pytest.approx(figure) for figure in (1.3, 1.1, 1.5)]
    # The medians of the shares are of different moments.
    assert ours.measured.total / floor.measured.total == pytest.approx(1.5)


def test_rounds_that_a_peer_missed_are_not_compared() -> None:
    ours = in_rounds(MIRLITON, 0.1, 0.2, 0.1)
    (ratio,) = ratios([ours, in_rounds("janus", 0.5, 0.4)], [])
    assert ratio.of == A_CALLER
    assert ratio.value == pytest.approx((5.0 + 2.0) / 2)
    lone = replace(measurement("janus"), round=4)
    assert ratios([ours, lone], []) == []


def test_an_overload_in_one_round_bounds_the_ratio() -> None:
    ours, janus = in_rounds(MIRLITON, 0.1, 0.1), in_rounds("janus", 0.5, 0.5)
    choking = replace(janus.rounds[1], measured=replace(janus.measured, traffic=replace(TRAFFIC, received=1500)))
    bounded = ratios([ours, replace(janus, rounds=[janus.rounds[0], choking])], [])
    assert [ratio.mark for ratio in bounded] == ["at least"]


def test_the_spread_is_shown_and_kept(tmp_path: Path) -> None:
    run = result(in_rounds(FLOOR, 0.10, 0.20, 0.10), in_rounds(MIRLITON, 0.13, 0.30, 0.12), rounds=3)
    found = {title: body for title, _, body in grids(run)}
    (crowd, told) = found.values()
    assert ["share of a core", "10.0% (10.0% to 20.0%)", "13.0% (12.0% to 30.0%)"] in crowd
    assert told[0][3] == "1.30 (1.20 to 1.50)"
    write(run, tmp_path / "bench.json")
    assert read(tmp_path / "bench.json") == run


def nobody(_bench: Bench, _scenario: Scenario, _folder: Path) -> AbstractContextManager[Peer]:
    raise ProgramFailed("not started in a test")


@pytest.fixture
def turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session of three rounds that measures nothing, and whose peer fails in the second round."""
    ran: list[str] = []

    def run(_bench: Bench, system: str, _start: StartPeer, scenario: Scenario, pace: Pace) -> object:
        ran.append(system)
        if system == "janus" and ran.count(system) == 2:
            raise ProgramFailed("it did not start")
        burst = SET_UP if pace.burst else None
        share = Share(0.1 * len(ran), 0.0)
        return measurement(system, share, scenario=scenario, burst=burst), SAMPLES

    monkeypatch.setattr(session_module, "run", run)
    place = Bench(Path(), Path(), "", {}, (0, 0), tmp_path, Screen())
    return Session(place, dict.fromkeys((FLOOR, MIRLITON, "janus"), nobody), [], [], [], rounds=3)


def test_systems_are_measured_in_turns(turns: Session) -> None:
    turns.measure([SCENARIO], Pace(1.0, 0.0, 100.0, burst=150.0))
    floor, ours, janus = turns.measurements
    assert [round(made.measured.total, 1) for made in floor.each] == [0.1, 0.4, 0.7]
    assert [round(made.measured.total, 1) for made in ours.each] == [0.2, 0.5, 0.8]
    assert [made.round for made in janus.each] == [1, 3]
    assert [failure.why for failure in turns.failures] == ["round 2: it did not start"]
    assert [made.burst is not None for made in ours.each] == [True, False, False]
    assert ours.burst == SET_UP


def test_in_rounds_the_floor_is_measured_beside_each_crowd(turns: Session) -> None:
    turns.measure([SCENARIO, replace(SCENARIO, shape="rooms-of-3", room=3)], Pace(1.0, 0.0, 100.0))
    floors = [made for made in turns.measurements if made.system == FLOOR]
    assert [len(made.rounds) for made in floors] == [3, 3]
    assert floors[0].measured != floors[1].measured


def test_processor_time_is_told_second_by_second() -> None:
    seconds = Seconds({"us": os.getpid()}, min(os.sched_getaffinity(0)))
    seconds.note()
    seconds.note()  # too soon: there is nothing to tell
    assert seconds.shares() == []
    seconds.seen[0] = (seconds.seen[0][0] - 2.0, *seconds.seen[0][1:])
    seconds.note()
    (second,) = seconds.shares()
    assert isinstance(second, Second)
    assert second.seconds >= 2.0
    assert set(second.processes) == {"us"}


@pytest.mark.parametrize(("costs", "times"), [(0.0, [1.0, 2.0, 2.5]), (0.4, [1.0, 2.0, 2.5]), (1.5, [1.0])])
def test_seconds_are_looked_at_as_they_end(monkeypatch: pytest.MonkeyPatch, costs: float, times: list[float]) -> None:
    clock, seen = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    def look() -> None:
        seen.append(clock[0] - 100.0)
        sleep(costs)

    monkeypatch.setattr("mirliton.benchmark.progress.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("mirliton.benchmark.progress.time.sleep", sleep)
    Screen(Console(file=StringIO())).wait("measuring", 2.5, look)
    assert seen == pytest.approx(times)
