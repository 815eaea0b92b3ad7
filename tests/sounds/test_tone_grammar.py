"""Tone scripts against a second, slow reading of semantics 5.1: sample by sample, rule by rule."""

import math
import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirliton.sounds.tones import ToneLimits, ToneScriptInvalid, render_tones

from .spectrum import strongest

RATE = 8000
LONG = ToneLimits(seconds=20)

KEYS = {
    "1": (697, 1209), "2": (697, 1336), "3": (697, 1477), "A": (697, 1633),
    "4": (770, 1209), "5": (770, 1336), "6": (770, 1477), "B": (770, 1633),
    "7": (859, 1209), "8": (859, 1336), "9": (859, 1477), "C": (859, 1633),
    "*": (941, 1209), "0": (941, 1336), "#": (941, 1477), "D": (941, 1633),
}  # fmt: skip


@dataclass(frozen=True)
class Token:
    """A tone as a test means it; times in ms."""

    on: int
    off: int
    frequencies: tuple[float, ...]
    level: float = -7
    ramp: str = ""  # "<" or ">"
    every: int = 1
    step: float = 1
    times: int = 1

    def script(self) -> str:
        ramp = f"{self.ramp}={self.every};+={self.step};" if self.ramp else ""
        return f"v={self.level};{ramp}l={self.times};%({self.on},{self.off},{','.join(map(str, self.frequencies))})"

    def samples(self, rate: int) -> list[int]:
        """Sample by sample, with a counter that is wound up again at each step."""
        level, counter, made = self.level, 0, []
        for index in range(self.on * (rate // 1000)):
            if self.ramp and counter == max(1, self.every * (rate // 1000)):
                level = min(0.0, level + self.step) if self.ramp == "<" else max(-63.0, level - self.step)
                counter = 0
            peak = 46_340 * 10 ** ((level - 6.16) / 20)
            total = sum(peak * math.sin(2 * math.pi * f * index / rate) for f in self.frequencies) + 128
            made.append(int(total / len(self.frequencies)))
            counter += 1
        return (made + [0] * (self.off * (rate // 1000))) * self.times


FREQUENCIES = st.lists(st.integers(1, 4000).map(float), min_size=1, max_size=18).map(tuple)
PLAIN = st.builds(
    Token,
    on=st.integers(1, 40),
    off=st.integers(0, 20),
    frequencies=FREQUENCIES,
    level=st.integers(-63, 0),
    times=st.integers(1, 3),
)
RAMPED = st.builds(
    Token,
    on=st.integers(1, 80),
    off=st.integers(0, 5),
    frequencies=FREQUENCIES,
    level=st.integers(-63, 0),
    ramp=st.sampled_from("<>"),
    every=st.integers(0, 5),
    step=st.sampled_from([0.125, 0.5, 1.0, 7.0]),
)


@settings(deadline=None)
@given(st.one_of(st.lists(PLAIN, min_size=1, max_size=4), st.lists(RAMPED, min_size=1, max_size=3)))
def test_scripts_sound_as_a_reading_of_the_rules_one_by_one(tokens: list[Token]) -> None:
    rendered = render_tones(";".join(token.script() for token in tokens), RATE, LONG)
    expected = [sample for token in tokens for sample in token.samples(RATE)]
    assert rendered.problem is None
    assert len(rendered.samples) == len(expected)
    assert np.abs(rendered.samples.astype(int) - np.array(expected)).max() <= 1


@given(st.integers(1, 200), st.integers(0, 100), st.sampled_from([8000, 11025, 16000, 44100, 48000]))
def test_times_are_milliseconds_of_whole_samples(on: int, off: int, rate: int) -> None:
    assert len(render_tones(f"%({on},{off},440)", rate).samples) == (on + off) * (rate // 1000)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("form", ["d=300;w=100;{}", "{}(300,100)"])
def test_keys_have_their_frequencies_and_the_third_row_859(key: str, form: str) -> None:
    samples = render_tones(form.format(key), 16000).samples
    assert len(samples) == 6400
    assert strongest(samples[:4800], 16000, 2) == pytest.approx(KEYS[key], abs=1)
    assert not samples[4800:].any()


@given(st.integers(1, 200), st.integers(0, 200))
def test_a_key_with_its_own_times_leaves_the_default_times_as_they_are(on: int, off: int) -> None:
    assert len(render_tones(f"d=10;w=5;1({on},{off})2", RATE).samples) == (on + off + 15) * 8


def test_eighteen_frequencies_are_heard_and_more_are_not() -> None:
    frequencies = [200 * n for n in range(1, 20)]
    samples = render_tones(f"%(1000,0,{','.join(map(str, frequencies))})", 16000).samples
    assert strongest(samples, 16000, 18) == pytest.approx(frequencies[:18], abs=1)


def test_frequencies_and_times_may_have_fractions() -> None:
    samples = render_tones("%(500.5,0.25,440.5)", RATE).samples
    assert len(samples) == 4004 + 2
    assert strongest(samples[:4004], RATE, 1)[0] == pytest.approx(440.5, abs=0.2)


def test_a_run_begins_with_the_settings_that_the_last_one_left() -> None:
    samples = render_tones("L=2;%(100,0,1000);v=-27", RATE).samples.astype(int)
    loud, soft = (np.abs(part - 128).max() for part in np.split(samples, 2))
    assert loud / soft == pytest.approx(10, rel=0.02)


def test_a_syntax_error_ends_one_run_and_not_those_after_it() -> None:
    tones = render_tones("L=3;%(100,0,440);%(50,0);%(100,0,440)", RATE)
    assert len(tones.samples) == 3 * 800
    assert tones.problem is not None


def test_the_next_token_alone_is_repeated_also_within_a_run_of_tokens() -> None:
    assert len(render_tones("d=100;w=0;l=3;12", RATE).samples) == 4 * 800


def test_a_later_ramp_takes_the_place_of_the_earlier_and_both_share_the_step() -> None:
    both = render_tones("+=.5;>=1;<=2;v=-20;%(100,0,440)", RATE).samples
    assert np.array_equal(both, render_tones("+=.5;<=2;v=-20;%(100,0,440)", RATE).samples)


@given(st.floats(-1000, 1000, allow_nan=False))
def test_levels_count_only_from_minus_63_to_0(level: float) -> None:
    text = f"{level:.3f}"
    samples = render_tones(f"v={text};%(50,0,1000)", RATE).samples
    used = float(text) if -63 <= float(text) <= 0 else -7.0
    assert int(samples.max()) == pytest.approx(128 + 46_340 * 10 ** ((used - 6.16) / 20), abs=2)


def test_spaces_and_line_ends_between_statements_are_skipped() -> None:
    spaced = render_tones(" v=-7 ;\n >=2;\r\n\t+=.1 ; %(300,0,523,659) ;", RATE).samples
    assert np.array_equal(spaced, render_tones("v=-7;>=2;+=.1;%(300,0,523,659)", RATE).samples)


HOSTILE = {
    "as many frequencies as there may be, for as long": f"%(60000,0,{','.join(['440.1'] * 18)})",
    "a ramp that moves at each sample": f">=0;+=.0001;%(60000,0,{','.join(['440.1'] * 18)})",
    "tones of no length": "L=999;" + "1(0,0)" * 650,
    "many short tones": "d=1;w=0;" + "1" * 4000,
    "silence only": "l=-1;%(0,1,440)",
    "nothing but settings": "L=900;v=-7",
    "brackets": "%(" * 2000,
    "frequencies without an end": f"%(1,0,{'9,' * 2000}1)",
    "a high rate": "r=192000;l=-1;%(1000,0,440)",
    "endless after endless": "l=-1;%(1,0,440);" * 200,
}


@pytest.mark.parametrize("script", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_script_takes_much_memory_or_makes_more_than_a_minute(script: str) -> None:
    tracemalloc.start()
    try:
        assert len(render_tones(script, 16000).samples) <= 60 * 16000
    except ToneScriptInvalid as refusal:
        assert "tone script" in str(refusal)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 100_000_000


@pytest.mark.parametrize("script", ["1" * 5001, "L=999;" + "1(0,0)" * 650])
def test_the_number_of_tones_is_bounded_also_when_they_have_no_length(script: str) -> None:
    with pytest.raises(ToneScriptInvalid, match="more than 5000 tones"):
        render_tones(f"d=1;w=0;{script}", RATE)


@given(st.text(max_size=200))
def test_any_text_is_a_sound_or_a_reason(script: str) -> None:
    try:
        assert len(render_tones(script, RATE, ToneLimits(seconds=1, statements=50, tokens=50, runs=50)).samples) <= RATE
    except ToneScriptInvalid as refusal:
        assert str(refusal)
