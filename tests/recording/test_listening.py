"""When a caller has said a name, and what of it is kept."""

import numpy as np
import pytest

from mirliton.media.types import Chunk
from mirliton.recording.listening import Listener

from .conftest import SECOND, TICK, Samples, ticks, tone

START = 900 * SECOND


def listen(listener: Listener, sound: Samples, rate: int, *, until: float = 60.0, at: int = START) -> float | None:
    """Feed 20 ms at a time, then nothing; seconds after which it ended."""
    chunks = {chunk.at: chunk for chunk in ticks(sound, rate, at)}
    if listener.hear([], START):
        return 0.0
    for number in range(round(until * 50)):
        now = START + (number + 1) * TICK
        chunk = chunks.get(now - TICK)
        if listener.hear([chunk] if chunk else [], now):
            return (number + 1) / 50
    return None


def silence(seconds: float, rate: int, noise: int = 0) -> Samples:
    random = np.random.default_rng(1)
    return np.asarray(random.integers(-noise, noise + 1, round(seconds * rate)), np.int16)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("noise", [0, 150])
def test_it_ends_after_the_silence_and_keeps_what_was_said(rate: int, noise: int) -> None:
    name = tone(1.0, rate)
    sound = np.concatenate([silence(0.5, rate, noise), name, silence(10, rate, noise)])
    listener = Listener(60, 200, 2.0)
    assert listen(listener, sound, rate) == pytest.approx(3.5, abs=0.05)
    recorded = listener.recorded()
    assert recorded is not None
    assert recorded.rate == rate
    assert recorded.seconds == pytest.approx(1.1, abs=0.03)
    lead = rate // 10
    assert np.abs(recorded.samples[: lead - rate // 50]).max(initial=0) <= noise
    assert np.array_equal(recorded.samples[lead : lead + rate], name)


def test_a_pause_within_the_name_is_kept() -> None:
    sound = np.concatenate([tone(0.5, 8000), silence(1.5, 8000), tone(0.5, 8000)])
    listener = Listener(60, 200, 2.0)
    assert listen(listener, sound, 8000) == pytest.approx(4.5, abs=0.05)
    recorded = listener.recorded()
    assert recorded is not None
    assert recorded.seconds == pytest.approx(2.5, abs=0.03)


def test_where_the_tap_had_nothing_there_was_silence() -> None:
    listener = Listener(60, 200, 2.0)
    listener.hear([], START)
    assert not listener.hear(ticks(tone(0.5, 8000), 8000, START + SECOND), START + 3 * SECOND // 2)
    assert not listener.hear([], START + 3 * SECOND)
    assert listener.hear([], START + 7 * SECOND // 2)
    recorded = listener.recorded()
    assert recorded is not None
    assert recorded.seconds == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("noise", [0, 150])
def test_nothing_said_is_nothing_recorded(noise: int) -> None:
    listener = Listener(60, 200, 3.0)
    assert listen(listener, silence(10, 8000, noise), 8000) == pytest.approx(3.0, abs=0.03)
    assert listener.recorded() is None


def test_a_tap_that_gives_nothing_at_all_ends_too() -> None:
    listener = Listener(60, 200, 3.0)
    assert listen(listener, silence(0, 8000), 8000) == pytest.approx(3.0, abs=0.03)
    assert listener.recorded() is None


def test_who_talks_without_end_is_cut_at_the_longest() -> None:
    listener = Listener(5, 200, 2.0)
    assert listen(listener, tone(20, 8000), 8000) == pytest.approx(5, abs=0.03)
    recorded = listener.recorded()
    assert recorded is not None
    assert recorded.seconds == pytest.approx(5, abs=0.001)


def test_a_change_of_rate_keeps_the_first() -> None:
    listener = Listener(60, 200, 2.0)
    listener.hear([], START)
    chunks = [*ticks(tone(1, 8000), 8000, START), *ticks(tone(1, 16000), 16000, START + SECOND)]
    listener.hear(chunks, START + 2 * SECOND)
    recorded = listener.recorded()
    assert recorded is not None
    assert recorded.rate == 8000
    assert recorded.seconds == pytest.approx(2, abs=0.03)


def test_what_the_caller_did_before_the_start_is_not_heard() -> None:
    listener = Listener(60, 200, 2.0)
    listener.hear(ticks(tone(1, 8000), 8000, START - SECOND), START)
    assert listener.hear([], START + 2 * SECOND)
    assert listener.recorded() is None


def test_the_last_part_of_a_frame_counts() -> None:
    """Ends in the middle of 20 ms: the loud rest is not lost."""
    listener = Listener(60, 200, 2.0)
    listener.hear([], START)
    listener.hear([Chunk(START, 8000, tone(0.05, 8000))], START + SECOND // 20)
    recorded = listener.recorded()
    assert recorded is not None
    assert len(recorded.samples) == 400
