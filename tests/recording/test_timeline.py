"""Where samples land: by the clock, whatever the ticks, gaps and rates do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.media.types import Chunk
from mirliton.recording.timeline import Timeline

from .conftest import SECOND, TICK, Samples, ticks, tone

START = 77 * SECOND + 123


class Sink:
    def __init__(self, rate: int = 16000, max_seconds: float = 60) -> None:
        self.pieces: list[Samples] = []
        self.timeline = Timeline(rate, START, max_seconds, self.pieces.append)

    def place(self, chunks: list[Chunk]) -> "Sink":
        for chunk in chunks:
            self.timeline.place(chunk)
        return self

    def sound(self) -> Samples:
        self.timeline.flush()
        return np.concatenate(self.pieces) if self.pieces else np.zeros(0, np.int16)


def onset(sound: Samples) -> int:
    return int(np.flatnonzero(np.abs(sound) > 2000)[0])


def spectrum_peak(sound: Samples, rate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(sound * np.hanning(len(sound))))) * rate / len(sound))


def test_sound_of_the_same_rate_comes_out_sample_for_sample() -> None:
    sound = tone(1.0, 16000)
    assert np.array_equal(Sink().place(ticks(sound, 16000, START)).sound(), sound)


@pytest.mark.parametrize(("given_rate", "rate"), [(8000, 16000), (16000, 8000), (48000, 16000)])
def test_another_rate_is_converted_without_seams_and_without_losing_time(given_rate: int, rate: int) -> None:
    sound = Sink(rate).place(ticks(tone(2.0, given_rate), given_rate, START)).sound()
    assert len(sound) == 2 * rate
    middle = slice(rate // 10, -rate // 10)
    expected = tone(2.0, rate)
    assert np.abs(sound[middle].astype(int) - expected[middle]).max() < 20


def test_a_pause_becomes_silence_of_its_length() -> None:
    sound = tone(0.2, 16000)
    both = Sink().place([*ticks(sound, 16000, START), *ticks(sound, 16000, START + 3 * SECOND)]).sound()
    assert len(both) == round(3.2 * 16000)
    assert not both[3200 : 3 * 16000].any()
    assert np.array_equal(both[3 * 16000 :], sound)


def test_sound_that_begins_late_begins_late_in_the_recording() -> None:
    sound = Sink().place(ticks(tone(0.2, 8000), 8000, START + SECOND)).sound()
    assert abs(onset(sound) - 16000) < 40


def test_the_rate_may_change_on_the_way() -> None:
    low, high = ticks(tone(1.0, 8000), 8000, START), ticks(tone(1.0, 16000), 16000, START + SECOND)
    again = ticks(tone(1.0, 8000), 8000, START + 2 * SECOND)
    sound = Sink().place([*low, *high, *again]).sound()
    assert len(sound) == 3 * 16000
    for second in range(3):
        assert spectrum_peak(sound[second * 16000 + 800 : (second + 1) * 16000 - 800], 16000) == pytest.approx(
            440, 0.01
        )


def test_what_was_there_already_is_not_put_twice() -> None:
    sound = tone(1.0, 16000)
    chunks = ticks(sound, 16000, START)
    assert np.array_equal(Sink().place([*chunks, *chunks[-10:]]).sound(), sound)


def test_sound_from_before_the_start_is_left_out() -> None:
    sound = tone(1.0, 16000)
    assert np.array_equal(Sink().place(ticks(sound, 16000, START - SECOND // 2)).sound(), sound[8000:])


@given(
    st.lists(
        st.tuples(st.integers(-TICK // 2, TICK // 2), st.booleans(), st.sampled_from([8000, 16000])),
        min_size=5,
        max_size=300,
    ),
    st.sampled_from([8000, 16000]),
)
def test_jitter_and_lost_chunks_never_add_up(plan: list[tuple[int, bool, int]], rate: int) -> None:
    """However ticks tremble and chunks are missing: every chunk is within a tick and a half (and its tremble)."""
    sink = Sink(rate)
    for number, (jitter, lost, chunk_rate) in enumerate(plan):
        if lost:
            continue
        at = START + number * TICK + jitter
        sink.timeline.place(Chunk(at, chunk_rate, np.full(chunk_rate // 50, 1000, np.int16)))
        end = sink.timeline._end
        expected = (number + 1) * rate // 50
        assert abs(end - expected) <= rate // 50 * 2 + 1
    total = len(sink.sound())
    assert total == sink.timeline.frames


def test_a_clock_a_little_faster_than_the_samples_is_followed() -> None:
    """One per mille off for a minute: 60 ms apart at the end, of which at most a tick and a half are seen."""
    chunks = [Chunk(START + n * (TICK + TICK // 1000), 8000, np.full(160, 1000, np.int16)) for n in range(3000)]
    total = len(Sink(8000, 120).place(chunks).sound())
    assert abs(total - round(60 * 1.001 * 8000)) <= 240


def test_silence_is_written_up_to_a_time_but_never_over_sound() -> None:
    sink = Sink().place(ticks(tone(1.0, 8000), 8000, START))
    sink.timeline.fill(START + SECOND // 2)
    sink.timeline.fill(START + 2 * SECOND)
    sound = sink.sound()
    assert len(sound) == 2 * 16000
    assert np.abs(sound[:16000]).max() > 7000
    assert not sound[16000:].any()


def test_it_ends_at_its_longest_and_takes_nothing_more() -> None:
    sink = Sink(max_seconds=1.5)
    parts = [
        ticks(tone(1.0, 8000), 8000, START),
        ticks(tone(1.0, 8000), 8000, START + SECOND),
        ticks(tone(1.0, 16000), 16000, START + 2 * SECOND),
    ]
    full = [sink.place(chunks).timeline.full for chunks in parts]
    assert full == [False, True, True]
    assert len(sink.sound()) == 24000


def test_a_long_silence_comes_in_pieces_of_at_most_a_second() -> None:
    sink = Sink(max_seconds=3600)
    sink.timeline.fill(START + 5000 * SECOND)
    assert sink.timeline.full
    assert sum(map(len, sink.pieces)) == 3600 * 16000
    assert max(map(len, sink.pieces)) == 16000


def test_loud_sound_is_clipped_not_wrapped() -> None:
    square = np.asarray(np.sign(tone(1.0, 8000)) * 32767, np.int16)
    sound = Sink().place(ticks(square, 8000, START)).sound()
    assert (np.sign(sound[200:-200:2].astype(int)) == np.sign(square[100:-100].astype(int))).mean() > 0.95
