"""Tone scripts are judged by what can be heard: frequencies, levels, lengths (semantics 5.1 and 5.2)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.sounds.tones import DIGITS, ENTRY_TONE, EXIT_TONE, ToneLimits, ToneScriptInvalid, render_tones

from .spectrum import amplitude, strongest

RATE = 8000


def ms(milliseconds: float, rate: int = RATE) -> int:
    return int(milliseconds * rate // 1000)


def sound(script: str, rate: int = RATE) -> np.typing.NDArray[np.int16]:
    return render_tones(script, rate).samples


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize(
    ("address", "first", "second"), [(ENTRY_TONE, (523, 659), (659, 783)), (EXIT_TONE, (440, 523), (349, 440))]
)
def test_the_default_tones_are_two_chords_of_1100_ms(
    address: str, first: tuple[float, ...], second: tuple[float, ...], rate: int
) -> None:
    samples = sound(address.removeprefix("tone_stream://"), rate)
    assert len(samples) == ms(1100, rate)
    assert strongest(samples[: ms(300, rate)], rate, 2) == pytest.approx(first, abs=3)
    assert strongest(samples[ms(300, rate) :], rate, 2) == pytest.approx(second, abs=3)


def test_the_entry_tone_sinks_by_50_db_a_second_and_starts_again_at_the_second_chord() -> None:
    samples = sound(ENTRY_TONE.removeprefix("tone_stream://"))

    def level(start: int) -> float:
        return float(20 * np.log10(np.sqrt(np.mean(samples[ms(start) : ms(start + 40)].astype(float) ** 2))))

    assert level(0) - level(200) == pytest.approx(10, abs=1.5)
    assert level(300) == pytest.approx(level(0), abs=1.5)
    assert level(300) - level(900) == pytest.approx(20, abs=1.5)


def test_the_level_of_one_frequency_is_10186_at_minus_7_dbm0() -> None:
    assert amplitude(sound("%(1000,0,1000)"), RATE, 1000) == pytest.approx(10_186, rel=0.001)


def test_each_6_db_halve_the_amplitude_and_levels_out_of_range_are_ignored() -> None:
    assert amplitude(sound("v=-13.02;%(1000,0,1000)"), RATE, 1000) == pytest.approx(5093, rel=0.002)
    assert amplitude(sound("v=3;v=-64;%(1000,0,1000)"), RATE, 1000) == pytest.approx(10_186, rel=0.001)


def test_loudness_does_not_grow_with_the_number_of_frequencies() -> None:
    samples = sound("%(1000,0,400,700,1100)")
    assert [amplitude(samples, RATE, f) for f in (400, 700, 1100)] == pytest.approx([10_186 / 3] * 3, rel=0.002)


def test_a_constant_of_128_is_added_before_dividing() -> None:
    assert np.mean(sound("%(1000,0,1000)")) == pytest.approx(128, abs=1)
    assert np.mean(sound("%(1000,0,1000,2000)")) == pytest.approx(64, abs=1)


@pytest.mark.parametrize("key", sorted(DIGITS))
def test_a_key_sounds_its_pair_for_default_time_and_wait(key: str) -> None:
    samples = sound(f"d=200;w=100;{key}")
    assert len(samples) == ms(300)
    assert strongest(samples[: ms(200)], RATE, 2) == pytest.approx(DIGITS[key], abs=3)
    assert not samples[ms(200) :].any()


def test_start_values_of_duration_and_wait_are_samples() -> None:
    assert len(sound("5", 8000)) == len(sound("5", 16000)) == 2500


def test_a_run_of_tokens_is_written_one_after_the_other_and_other_characters_are_skipped() -> None:
    assert len(sound("d=100;w=50; 1 2x\n3")) == 3 * ms(150)
    assert len(sound("1(40,20)%(100,50,440)")) == ms(60) + ms(150)


def test_a_ramp_goes_up_to_0_and_down_to_minus_63_and_stops_there() -> None:
    up = sound("v=-20;<=1;+=1;%(1000,0,1000)")
    assert amplitude(up[ms(500) :], RATE, 1000) == pytest.approx(46_340 * 10 ** (-6.16 / 20), rel=0.002)
    down = sound(">=1;+=1;%(1000,0,1000)")
    assert amplitude(down[ms(500) :], RATE, 1000) == pytest.approx(46_340 * 10 ** (-69.16 / 20), abs=1)


def test_a_ramp_step_of_0_ms_is_a_step_each_sample() -> None:
    samples = sound("v=0;>=0;+=1;%(1000,0,1000)")
    assert np.abs(samples[70:].astype(int) - 128).max() <= 20


def test_l_repeats_only_the_next_token_and_big_l_the_whole_script() -> None:
    assert len(sound("l=3;%(100,0,440);%(50,0,440)")) == ms(350)
    assert len(sound("l=0;%(100,0,440)")) == ms(100)
    assert len(sound("L=3;%(100,0,440);L=9")) == ms(300)


def test_a_negative_l_goes_on_to_the_longest_sound_allowed() -> None:
    assert len(render_tones("l=-1;%(100,100,440)", RATE, ToneLimits(seconds=2)).samples) == ms(2000)


def test_r_changes_the_rate_of_the_conversions() -> None:
    assert len(sound("r=16000;%(100,0,440)")) == ms(200)


@pytest.mark.parametrize("bad", ["%(100,0)", "%(100", "%", "1(100)", "1(100,1,2)", "%(100,x,440)"])
def test_a_syntax_error_drops_the_rest_and_keeps_what_was_made(bad: str) -> None:
    tones = render_tones(f"%(100,0,440);{bad};%(100,0,440)", RATE)
    assert len(tones.samples) == ms(100)
    assert tones.problem


def test_unknown_settings_and_channels_are_ignored() -> None:
    tones = render_tones("c=2;z=9;v=abc;%(100,0,440)", RATE)
    assert (len(tones.samples), tones.problem) == (ms(100), None)


@pytest.mark.parametrize(
    "script",
    ["", "hello", "%(0,0,440)", "%(100,0)", "%(99999999,0,440)", "L=99999999;1", "l=99999;%(1000,0,1)", "1;" * 2000],
)
def test_scripts_without_sound_or_with_too_much_are_refused_in_words(script: str) -> None:
    with pytest.raises(ToneScriptInvalid, match="tone script"):
        render_tones(script, RATE)


@given(st.text(alphabet="%(),;=0123456789.-+<>lLvdwrcABD*# \n", max_size=60))
def test_no_script_does_anything_but_sound_or_be_refused(script: str) -> None:
    limits = ToneLimits(seconds=1, statements=50, runs=50)
    try:
        samples = render_tones(script, RATE, limits).samples
    except ToneScriptInvalid:
        return
    assert 0 < len(samples) <= RATE
