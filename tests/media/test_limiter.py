"""Nothing that is sent is above the ceiling, whatever its rate, its volume and the prompts on top."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mirliton.media import messages as m
from mirliton.media.codecs.g711 import ALAW_DECODE, ULAW_DECODE
from mirliton.media.limiter import CEILING, limit_on
from tests.media.bench import EngineBench, FakeCaller, level, silence, tone

HIGHEST = float(CEILING) * 10 ** (0.1 / 20)
"""0.1 dB above the ceiling."""


def limited(signal: NDArray[np.float32], look: int, tick: int = 160) -> NDArray[np.float32]:
    """A stream through the limiter, tick by tick."""
    gain, tail, room = 1.0, np.zeros(look, np.float32), np.zeros(look + tick, np.float32)
    out = np.zeros(len(signal), np.float32)
    for start in range(0, len(signal), tick):
        room[look:] = signal[start : start + tick]
        gain = float(limit_on(room, tick, look, gain, tail, out[start:]))
    return out


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 3.0, 20.0, 80.0]))
def test_no_sample_is_above_the_ceiling(seed: int, size: float) -> None:
    random = np.random.default_rng(seed)
    loud = np.repeat(random.choice([0.0, 0.1, 1.0], 20), 160)
    signal = (loud * size * 32768 * random.uniform(-1, 1, 3200)).astype(np.float32)
    assert np.abs(limited(signal, 16)).max() <= float(CEILING) * 1.00001


def test_what_is_below_the_ceiling_passes_to_the_bit_2_ms_later() -> None:
    signal = np.random.default_rng(1).integers(-32256, 32257, 1600).astype(np.float32)
    assert np.array_equal(limited(signal, 16)[16:], signal[:-16])


def test_the_gain_comes_back_after_a_peak_and_not_at_once() -> None:
    t = np.arange(8000) / 8000
    signal = (20000 * np.sin(2 * np.pi * 500 * t)).astype(np.float32)
    signal[1600:1616] *= 8
    after = np.abs(limited(signal, 16))
    assert after[1650:1760].max() < 8000
    assert after[2000:2160].max() < 16000, "after 50 ms"
    assert after[1600 + 4000 :].max() > 19900, "after half a second"


def test_two_loud_tones_make_little_between_them() -> None:
    """Products of third order (2a - b, 2b - a) of tones that are 6 dB too loud together."""
    t = np.arange(32000) / 8000
    signal = (32000 * (np.sin(2 * np.pi * 900 * t) + np.sin(2 * np.pi * 1300 * t))).astype(np.float32)
    heard = limited(signal, 16)[16000:].astype(np.int16)
    clipped = np.clip(signal, -32256, 32256)[16000:].astype(np.int16)
    tones = level(heard, 900)
    assert tones > 13000, "they are as loud as they can be"
    products = [level(heard, hertz) for hertz in (500, 1700)]
    assert max(products) < tones * 10 ** (-36 / 20)
    assert max(level(clipped, hertz) for hertz in (500, 1700)) > 4 * max(products), "a hard clip is far worse"


def loud_sound(bench: EngineBench, hertz: float = 3100) -> m.Parts:
    """A prompt at full scale, a square wave."""
    narrow, wide = (32767 * np.sign(np.sin(2 * np.pi * hertz * np.arange(rate) / rate)) for rate in (8000, 16000))
    return bench.clip(narrow.astype(np.int16), wide.astype(np.int16))


def square(hertz: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda t: 32767 * np.sign(np.sin(2 * np.pi * hertz * t))


@pytest.mark.parametrize("ceiling", [8000, 16000, 48000])
@pytest.mark.parametrize("prompts", [False, True], ids=["", "with prompts"])
def test_twenty_callers_at_full_scale_stay_below_the_ceiling_at_every_rate(ceiling: int, prompts: bool) -> None:
    bench = EngineBench()
    for i in range(20):
        bench.add(FakeCaller(square(200 + 61.7 * i)))
    listeners = [bench.add(FakeCaller(codec="L16", rate=rate)) for rate in (8000, 16000, 48000)]
    listeners += [bench.add(FakeCaller(codec="L16", rate=rate)) for rate in (8000, 16000, 48000)]
    mix = bench.open_mix(rate=ceiling)
    bench.join_all(mix)
    for leg in listeners[3:]:
        bench.set(leg, output_gain=4.3)
    if prompts:
        sound = loud_sound(bench)
        bench.apply(m.Play(-1, mix, 1, sound, -1, 1.0))
        for number, leg in enumerate([0, *listeners[:2], *listeners[4:]]):
            bench.apply(m.Play(leg, -1, 2 + number, sound, -1, 1.0))
    bench.run(1200)
    for leg in listeners:
        heard = bench.callers[leg].heard(last_ms=1000).astype(int)
        assert np.abs(heard).max() <= HIGHEST
        assert np.abs(heard).max() > 20000
    bench.close()


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_a_single_talker_passes_to_the_bit(bench: EngineBench, codec: str) -> None:
    """All codes of G.711, full scale included."""
    random = np.random.default_rng(3)
    table = ULAW_DECODE if codec == "PCMU" else ALAW_DECODE
    said = table[random.integers(0, 256, 4000)].astype(float)
    bench.add(FakeCaller(lambda t: said[np.round(t * 8000).astype(int) % 4000], codec))
    bench.add(FakeCaller(silence, codec))
    bench.join_all(bench.open_mix(rate=16000))
    bench.run(1500)
    heard = bench.callers[1].heard(last_ms=900).astype(int)
    repeated = np.concatenate([said, said, said]).astype(int)
    starts = [at for at in range(4000) if np.array_equal(repeated[at : at + len(heard)], heard)]
    assert len(starts) == 1


@pytest.mark.parametrize("gain", [1.0, 4.3])
def test_a_loud_prompt_over_loud_speech_is_not_clipped(bench: EngineBench, gain: float) -> None:
    """Two pure tones stay pure: a clip would leave products between them."""
    bench.add(FakeCaller(tone(900, 30000)))
    bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix(rate=8000))
    bench.set(1, output_gain=gain)
    narrow, wide = (30000 * np.sin(2 * np.pi * 1300 * np.arange(2 * rate) / rate) for rate in (8000, 16000))
    bench.apply(m.Play(1, -1, 1, bench.clip(narrow.astype(np.int16), wide.astype(np.int16)), 1, 1.0))
    bench.run(1900)
    heard = bench.callers[1].heard(last_ms=1000)
    assert level(heard, 1300) > 5000
    assert level(heard, 900) > 13000
    assert max(level(heard, 500), level(heard, 1700)) < level(heard, 900) * 10 ** (-30 / 20)


def test_who_moves_between_the_mix_of_all_and_an_own_one_hears_no_click(bench: EngineBench) -> None:
    """The limiter works all the while: gain and look-ahead move with the listener."""
    for hertz in (150, 210):
        bench.add(FakeCaller(tone(hertz, 26000), "L16", rate=16000))
    listener = bench.add(FakeCaller(codec="L16", rate=16000))
    bench.join_all(bench.open_mix(rate=16000))
    bench.run(1000)
    quiet = np.zeros(16000, np.int16)
    for number in range(5):
        bench.apply(m.Play(listener, -1, 10 + number, bench.clip(quiet[:1000], quiet[:2000]), 1, 1.0))
        bench.run(400)
    heard = bench.callers[listener].heard(last_ms=2000).astype(int)
    steepest = 26000 * 2 * np.pi * (150 + 210) / 16000
    assert np.abs(np.diff(heard)).max() < steepest
