"""Everybody hears everybody else and never themselves: measured by spectrum."""

import numpy as np
import pytest

from mirliton.media import counting
from mirliton.media import messages as m
from tests.media.bench import EngineBench, FakeCaller, level, silence, tone

TONES = (440.0, 700.0, 1100.0, 1900.0)
AUDIBLE, INAUDIBLE = 6000.0, 60.0


def talk(bench: EngineBench, codecs: list[str], **mix: int) -> None:
    for codec, hertz in zip(codecs, TONES, strict=False):
        bench.add(FakeCaller(tone(hertz), codec, phase_ms=5 * len(bench.callers)))
    bench.join_all(bench.open_mix(**mix))
    bench.run(1500)


def assert_all_hear_all_others(bench: EngineBench) -> None:
    for i, listener in enumerate(bench.callers):
        heard = listener.heard(last_ms=800)
        for j, hertz in enumerate(TONES[: len(bench.callers)]):
            strength = level(heard, hertz, listener.rate)
            if i == j:
                assert strength < INAUDIBLE, f"caller {i} hears itself"
            else:
                assert strength > AUDIBLE, f"caller {i} does not hear {hertz} Hz"


@pytest.mark.parametrize(
    "codecs",
    [
        ["PCMU", "PCMU", "PCMU"],
        ["PCMU", "PCMA", "PCMA", "PCMU"],
        ["G722", "G722", "G722"],
        ["G722", "PCMU", "PCMA", "G722"],
    ],
)
def test_all_hear_all_others_and_not_themselves(bench: EngineBench, codecs: list[str]) -> None:
    talk(bench, codecs)
    assert_all_hear_all_others(bench)


def test_a_room_limited_to_8_khz_takes_wideband_callers(bench: EngineBench) -> None:
    talk(bench, ["G722", "PCMU", "G722"], rate=8000)
    assert_all_hear_all_others(bench)


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
@pytest.mark.parametrize("interval", [10, 20, 60])
def test_packet_time_and_mixing_interval_are_independent(bench: EngineBench, ptime: int, interval: int) -> None:
    for hertz in TONES[:2]:
        bench.add(FakeCaller(tone(hertz), ptime=ptime))
    bench.join_all(bench.open_mix(interval=interval))
    bench.run(2400)
    for i, listener in enumerate(bench.callers):
        heard = listener.heard(last_ms=960)
        assert level(heard, TONES[1 - i]) > AUDIBLE
        assert {len(p) for p in listener.packets} == {12 + ptime * 8}


def test_a_steady_tone_arrives_without_a_single_gap(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(1000.0)))
    bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix())
    bench.run(5000)
    heard = bench.callers[1].heard(last_ms=4500)
    residue = heard - _fitted_tone(heard, 1000.0)
    assert np.abs(residue).max() < 500


def _fitted_tone(samples: np.ndarray, hertz: float) -> np.ndarray:
    t = 2 * np.pi * hertz * np.arange(len(samples)) / 8000
    basis = np.stack([np.sin(t), np.cos(t)], 1)
    weights, *_ = np.linalg.lstsq(basis, samples.astype(float), rcond=None)
    return np.asarray(basis @ weights)


def test_a_muted_caller_is_not_heard_and_a_deaf_one_hears_nothing(bench: EngineBench) -> None:
    for hertz in TONES[:3]:
        bench.add(FakeCaller(tone(hertz)))
    bench.join_all(bench.open_mix())
    bench.set(0, muted=True)
    bench.set(1, deaf=True)
    bench.run(1500)
    third = bench.callers[2].heard(last_ms=800)
    assert level(third, TONES[0]) < INAUDIBLE
    assert level(third, TONES[1]) > AUDIBLE
    assert np.abs(bench.callers[1].heard(last_ms=800)).max() == 0


def test_twenty_callers_at_full_scale_are_limited_and_never_wrap() -> None:
    bench = EngineBench()
    for i in range(20):
        bench.add(FakeCaller(tone(300 + 61.0 * i, 32000)))
    listener = bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix())
    bench.run(2000)
    heard = bench.callers[listener].heard(last_ms=1000).astype(int)
    assert np.abs(heard).max() <= 32767
    assert np.abs(np.diff(heard)).max() < 40000, "a wrap would jump from one end of the scale to the other"
    assert np.abs(heard).max() > 20000
    bench.close()


def test_two_rooms_do_not_hear_each_other(bench: EngineBench) -> None:
    for hertz in TONES:
        bench.add(FakeCaller(tone(hertz)))
    bench.open_mix(5)
    bench.open_mix(6)
    for leg in range(4):
        bench.apply(m.JoinMix(leg, 5 + leg // 2))
    bench.run(1500)
    for leg, listener in enumerate(bench.callers):
        heard = listener.heard(last_ms=800)
        for other in range(4):
            expected = other != leg and other // 2 == leg // 2
            assert (level(heard, TONES[other]) > AUDIBLE) == expected


def test_listeners_of_one_codec_share_one_encoding(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440)))
    for _ in range(30):
        bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix())
    bench.run(1000)
    before, ticks = bench.counters[counting.ENCODES], 50
    bench.run(ticks * 20)
    assert bench.counters[counting.ENCODES] - before == 2 * ticks, "one for the talker, one for the thirty listeners"


def test_members_who_wait_hear_sounds_but_no_members(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440)))
    bench.add(FakeCaller(tone(700)))
    mix = bench.open_mix()
    bench.join_all(mix)
    bench.set(0, isolated=True)
    bench.set(1, isolated=True)
    t = np.arange(8000) / 8000, np.arange(16000) / 16000
    music = bench.clip(*[(6000 * np.sin(2 * np.pi * 1500 * x)).astype(np.int16) for x in t])
    bench.apply(m.Loop(mix, music, 1.0))
    bench.run(1500)
    for caller in bench.callers:
        heard = caller.heard(last_ms=800)
        assert level(heard, 1500) > 5000
        assert level(heard, 440) < INAUDIBLE
        assert level(heard, 700) < INAUDIBLE
