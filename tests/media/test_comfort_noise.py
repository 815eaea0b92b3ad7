"""Comfort noise, semantics 3.4: its size, when it is heard, by whom, and what it costs."""

import numpy as np
import pytest

from mirliton.media import counting
from mirliton.media import messages as m
from tests.media.bench import EngineBench, FakeCaller, level, silence, tone


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("divisor", [2, 10, 1400])
def test_the_value_divides_full_scale_and_wider_rooms_are_quieter(bench: EngineBench, rate: int, divisor: int) -> None:
    bench.add(FakeCaller(codec="L16", rate=rate))
    bench.join_all(bench.open_mix(rate=rate, noise=divisor))
    bench.run(1200)
    heard = bench.callers[0].heard(last_ms=1000).astype(int)
    peak = 32768 / (divisor * (rate // 8000))
    assert 0.97 * peak - 1 <= np.abs(heard).max() <= peak + 0.5
    assert np.abs(heard).mean() == pytest.approx(peak / 2, rel=0.05, abs=0.3)


def test_zero_is_no_noise(bench: EngineBench) -> None:
    bench.add(FakeCaller(codec="L16", rate=16000))
    bench.join_all(bench.open_mix(noise=0))
    bench.run(500)
    assert not bench.callers[0].heard().any()


def test_it_is_no_bed_under_speech(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(500), "L16", rate=8000))
    bench.add(FakeCaller(codec="L16", rate=8000))
    bench.join_all(bench.open_mix(rate=8000, noise=10))
    bench.run(1000)
    heard = bench.callers[1].heard(last_ms=500).astype(float)
    t = 2 * np.pi * 500 * np.arange(len(heard)) / 8000
    basis = np.stack([np.sin(t), np.cos(t)], 1)
    weights, *_ = np.linalg.lstsq(basis, heard, rcond=None)
    assert np.abs(heard - basis @ weights).max() < 3
    assert not bench.callers[0].heard(last_ms=500).any(), "nor for the one who talks"


def test_it_is_no_bed_under_a_sound(bench: EngineBench) -> None:
    bench.add(FakeCaller(codec="L16", rate=16000))
    mix = bench.open_mix(noise=10)
    bench.join_all(mix)
    quiet = np.zeros(16000, np.int16)
    bench.apply(m.Play(-1, mix, 1, bench.clip(quiet[:8000], quiet), 1, 1.0))
    bench.run(2000)
    heard = bench.callers[0].heard().astype(int)
    assert not heard[1600:14000].any()
    assert heard[-8000:].any()


def members(bench: EngineBench, *, talks: bool) -> None:
    """Eleven of one codec, of whom three are deaf and two hear voices only."""
    bench.add(FakeCaller(tone(500) if talks else silence))
    for _ in range(10):
        bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix(noise=100))
    for leg in (3, 4, 5):
        bench.set(leg, deaf=True)
    for leg in (6, 7):
        bench.set(leg, voices_only=True)
    bench.run(1000)


def encodes(bench: EngineBench, ticks: int = 50) -> float:
    before = bench.counters[counting.ENCODES]
    bench.run(ticks * 20)
    return float(bench.counters[counting.ENCODES] - before) / ticks


def test_all_hear_the_same_noise_the_deaf_too_encoded_once(bench: EngineBench) -> None:
    members(bench, talks=False)
    assert encodes(bench) == 1
    first = bench.callers[0].heard(last_ms=900)
    assert np.abs(first.astype(int)).max() > 100
    for caller in bench.callers[1:]:
        assert np.array_equal(caller.heard(last_ms=900), first)


def test_the_deaf_hear_noise_before_and_after_speech_and_nothing_of_it(bench: EngineBench) -> None:
    members(bench, talks=True)
    assert encodes(bench) == 1 + 1 + 3, "the talker, all others, and each who is deaf"
    assert not bench.callers[3].heard(last_ms=900).any()
    bench.callers[0].signal = silence
    bench.run(1500)
    assert encodes(bench) == 1
    after = bench.callers[3].heard(last_ms=900)
    assert np.abs(after.astype(int)).max() > 100
    assert level(after, 500) < 60


def test_who_waits_for_a_moderator_shares_the_music_of_all(bench: EngineBench) -> None:
    for _ in range(5):
        bench.add(FakeCaller(tone(440)))
    mix = bench.open_mix(noise=100)
    bench.join_all(mix)
    for leg in range(5):
        bench.set(leg, isolated=True)
    t = np.arange(16000)
    music = [(6000 * np.sin(2 * np.pi * 1500 * t[: 8000 * k] / (8000 * k))).astype(np.int16) for k in (1, 2)]
    bench.apply(m.Loop(mix, bench.clip(music[0], music[1]), 1.0))
    bench.run(1000)
    assert encodes(bench) == 1
    for caller in bench.callers:
        assert level(caller.heard(last_ms=600), 1500) > 5000
        assert level(caller.heard(last_ms=600), 440) < 60
