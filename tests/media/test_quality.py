"""Scores of calls by the E-model, against figures of the recommendations."""

from collections.abc import Iterator

import pytest

from mirliton.media.ended_calls import EndedCalls, Histogram
from mirliton.media.leg_statistics import read_statistics
from mirliton.media.quality import burst_ratio, delay_impairment, opinion, score
from mirliton.media.types import LegStatistics
from tests.media.bad_line import room
from tests.media.bench import EngineBench, FakeCaller, silence, tone
from tests.media.netem import Network, uniform


@pytest.mark.parametrize(
    ("rating", "mos"), [(93.2, 4.41), (90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (100, 4.5)]
)
def test_ratings_become_the_scores_of_annex_b(rating: float, mos: float) -> None:
    assert score(rating) == pytest.approx(mos, abs=0.01)


@pytest.mark.parametrize(("delay", "impairment"), [(0, 0), (100, 0), (150, 0.1), (200, 3.0), (300, 14.5), (400, 24.0)])
def test_delay_is_unnoticed_to_100_ms_and_hurts_from_200_on(delay: float, impairment: float) -> None:
    assert delay_impairment(delay) == pytest.approx(impairment, abs=0.6)


def test_g711_with_one_percent_of_random_loss_scores_as_planned() -> None:
    """Ie,eff = 95 * 1 / (1 + 25.1) = 3.64."""
    assert opinion("PCMU", 8000, loss_percent=1, delay_ms=0) == pytest.approx(score(93.2 - 3.64), abs=0.01)


@pytest.mark.parametrize(
    ("codec", "rate"),
    [("PCMA", 8000), ("G722", 16000), ("L16", 48000), ("OPUS", 8000), ("OPUS", 16000), ("OPUS", 48000)],
)
def test_more_loss_more_delay_and_longer_bursts_are_worse(codec: str, rate: int) -> None:
    def mos(loss: float = 0.0, delay: float = 20.0, burst: float = 1.0) -> float:
        found = opinion(codec, rate, loss_percent=loss, delay_ms=delay, burst=burst)
        assert found is not None
        return found

    assert 4.5 >= mos() > 4.1
    assert mos() > mos(loss=1) > mos(loss=5) > mos(loss=30) >= 1
    assert mos() > mos(delay=250) > mos(delay=500)
    assert mos(loss=5) > mos(loss=5, burst=3)


def test_nothing_is_said_of_a_codec_that_is_not_known() -> None:
    assert opinion("OPUS", 0, loss_percent=0, delay_ms=0) is None


def test_losses_one_by_one_are_no_burst() -> None:
    assert burst_ratio(10, 10, 1.0) == 1.0
    assert burst_ratio(30, 10, 1.0) == pytest.approx(2.97)
    assert burst_ratio(0, 0, 0.0) == 1.0


def seen(bench: EngineBench, leg: int = 0) -> LegStatistics:
    return read_statistics(bench.tables.legs[leg], bench.now, 0, None)


@pytest.fixture
def lossy() -> Iterator[EngineBench]:
    """A caller of whose packets every tenth two are missing."""
    bench = EngineBench([FakeCaller(tone(600)), FakeCaller(silence)])
    bench.callers[0].drop = {number + more for number in range(100, 600, 10) for more in (0, 1)}
    bench.join_all(bench.open_mix())
    bench.run(10_000)
    yield bench
    bench.close()


def test_a_caller_whose_packets_are_lost_scores_less_than_one_whose_are_not(lossy: EngineBench) -> None:
    bad, good = seen(lossy), seen(lossy, 1)
    assert 15 < bad.loss_percent < 21
    assert (good.loss_percent, good.codec) == (0.0, "PCMU")
    assert good.mos is not None
    assert bad.mos is not None
    assert good.mos > 4.3
    assert bad.mos < 2.6
    assert good.sent_mos is None, "nobody told"


def test_the_last_statistics_of_calls_are_counted_by_codec_and_measure(lossy: EngineBench) -> None:
    ended = EndedCalls()
    for leg in (0, 1):
        ended.note(seen(lossy, leg))
    ((codec, scores),) = ended.histograms("mos")
    assert codec == "PCMU"
    assert scores.cumulative()[-1] == (float("inf"), 2)
    assert dict(scores.cumulative())[3.0] == 1
    assert not list(ended.histograms("sent_mos"))


def test_calls_without_sound_are_not_counted() -> None:
    ended = EndedCalls()
    ended.note(LegStatistics(10, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, False, 0, None, codec="PCMU"))
    assert not list(ended.histograms("loss_percent"))


def test_a_value_on_a_bound_is_not_above_it() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.note(value)
    assert histogram.cumulative() == [(1.0, 2), (2.0, 3), (float("inf"), 4)]
    assert histogram.total == 12.0


@pytest.mark.parametrize("codec", ["PCMU", "OPUS"])
@pytest.mark.parametrize("jitter", [0, 60])
def test_the_playout_delay_is_how_long_packets_wait(codec: str, jitter: int) -> None:
    """From the quickest packet's arrival to the tick that reads its sound: never nothing."""
    with room(Network(uniform(0, jitter), in_order=True), codec=codec) as line:
        line.run(5000)
        told = read_statistics(line.record, line.bench.now, 0, None).playout_delay_ms
        assert told == pytest.approx(line.wait, abs=0.2)
        assert 5 <= told <= 30 if jitter == 0 else 40 <= told <= 100
