"""What recordings get: a mix as a listener hears it, a leg as it speaks, at the times of the engine's clock."""

import itertools

import numpy as np
import pytest

from mirliton.media import messages as m
from mirliton.media.limits import TAP_CHUNKS
from mirliton.media.taps import TapHandle
from mirliton.media.types import Chunk
from tests.media.bench import MS, EngineBench, FakeCaller, level, tone

AUDIBLE, INAUDIBLE = 6000.0, 60.0


def tap(bench: EngineBench, index: int = 0) -> TapHandle:
    return TapHandle(bench.taps, index, lambda _: None)


def joined(chunks: list[Chunk]) -> np.ndarray:
    return np.concatenate([chunk.samples for chunk in chunks])


@pytest.mark.parametrize(("codecs", "rate"), [(["PCMU", "PCMA"], 8000), (["PCMU", "G722"], 16000)])
def test_a_tapped_mix_has_everybody_in_it_once(bench: EngineBench, codecs: list[str], rate: int) -> None:
    for codec, hertz in zip(codecs, (440.0, 1100.0), strict=True):
        bench.add(FakeCaller(tone(hertz), codec))
    mix = bench.open_mix()
    bench.join_all(mix)
    bench.run(500)
    heard = tap(bench)
    bench.apply(m.OpenTap(0, -1, mix))
    bench.run(1000)
    chunks = heard.read()
    assert {chunk.rate for chunk in chunks} == {rate}
    assert {later.at - earlier.at for earlier, later in itertools.pairwise(chunks)} == {20 * MS}
    for hertz in (440.0, 1100.0):
        assert 7000 < level(joined(chunks), hertz, rate) < 9000
    assert heard.lost == 0
    assert heard.read() == []


def test_a_tapped_leg_is_heard_alone_muted_and_before_any_room(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440.0)))
    bench.add(FakeCaller(tone(1100.0)))
    heard = tap(bench)
    bench.apply(m.OpenTap(0, 0, -1))
    bench.run(1000)
    assert level(joined(heard.read())[-4000:], 440) > AUDIBLE
    bench.join_all(bench.open_mix())
    bench.set(0, muted=True)
    bench.run(1000)
    spoken = joined(heard.read())
    assert level(spoken, 440) > AUDIBLE
    assert level(spoken, 1100) < INAUDIBLE
    assert level(bench.callers[1].heard(last_ms=500), 440) < INAUDIBLE


def test_a_tap_of_what_is_heard_has_nothing_of_the_muted(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440.0)))
    bench.join_all(bench.open_mix())
    heard = tap(bench)
    bench.apply(m.OpenTap(0, 0, -1, heard_only=True))
    bench.run(1000)
    assert level(joined(heard.read())[-4000:], 440) > AUDIBLE
    bench.set(0, muted=True)
    bench.run(20)
    heard.read()
    bench.run(1000)
    assert heard.read() == []
    bench.set(0, muted=False)
    bench.run(1000)
    assert level(joined(heard.read())[-4000:], 440) > AUDIBLE


def test_where_nothing_came_there_is_a_gap_in_time_and_no_chunk(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440.0)))
    heard = tap(bench)
    bench.apply(m.OpenTap(0, 0, -1))
    bench.run(500)
    bench.callers[0].sending = False
    bench.run(1000)
    bench.callers[0].sending = True
    bench.run(500)
    chunks = heard.read()
    gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(chunks)]
    assert sorted(gaps)[-2] == 20 * MS
    assert 500 * MS < max(gaps) < 1100 * MS


def test_what_is_not_read_in_time_is_lost_and_counted(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440.0)))
    heard = tap(bench)
    bench.apply(m.OpenTap(0, 0, -1))
    bench.run(500)
    first = heard.read()
    bench.run(20 * (TAP_CHUNKS + 50))
    chunks = heard.read()
    assert len(chunks) <= TAP_CHUNKS
    assert heard.lost == 50 + TAP_CHUNKS - len(chunks)
    assert chunks[0].at - first[-1].at == (heard.lost + 1) * 20 * MS


def test_at_full_rate_the_ring_of_samples_holds_three_and_a_half_seconds(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440.0), "OPUS"))
    mix = bench.open_mix(rate=48000)
    bench.join_all(mix)
    heard = tap(bench)
    bench.apply(m.OpenTap(0, -1, mix))
    bench.run(3500)
    chunks = heard.read()
    assert {chunk.rate for chunk in chunks} == {48000}
    assert level(joined(chunks)[-48000:], 440, 48000) > AUDIBLE
    assert heard.lost == 0
    bench.run(6000)
    late = heard.read()
    assert heard.lost == 300 - len(late) > 0
    assert {later.at - earlier.at for earlier, later in itertools.pairwise(late)} == {20 * MS}
    assert level(joined(late), 440, 48000) > AUDIBLE


def test_memory_that_was_lent_is_nobody_elses_until_it_is_given_back(bench: EngineBench) -> None:
    closed: list[TapHandle] = []
    free: list[TapHandle] = []
    heard = TapHandle(bench.taps, 0, closed.append, free.append)
    assert heard.lend().next == bench.taps.written(0)
    heard.close()
    assert (closed, free) == ([heard], [])
    heard.give_back()
    heard.give_back()
    assert free == [heard]


def test_what_came_before_a_tap_was_closed_can_be_read_once(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440.0)))
    heard = tap(bench)
    bench.apply(m.OpenTap(0, 0, -1))
    bench.run(500)
    heard.read()
    bench.run(200)
    heard.close()
    bench.run(200)  # the engine may hear of it later
    left = heard.read()
    assert 180 * MS <= left[-1].at - left[0].at + 20 * MS <= 200 * MS
    heard.close()
    assert heard.read() == []


def test_a_closed_tap_gets_nothing_more(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440.0)))
    heard = tap(bench)
    bench.apply(m.OpenTap(0, 0, -1))
    bench.run(500)
    bench.apply(m.CloseTap(0, -1))
    assert heard.read()
    bench.run(500)
    assert heard.read() == []
