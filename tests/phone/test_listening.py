"""Measuring: known sounds give known numbers."""

import numpy as np
import pytest

from mirliton.phone.codecs import open_codec
from mirliton.phone.listening import FLOOR_DBFS, find_sound, find_tones, gaps, level, tone_level, tone_levels
from mirliton.phone.playing import tone
from mirliton.sounds.decoding import decode_file
from mirliton.sounds.prompts import shipped_prompts

RATE = 8000
PROMPTS = {
    name: decode_file(path, (RATE,), max_seconds=10, max_bytes=1_000_000)[RATE]
    for name, path in shipped_prompts()["en-us"].items()
    if name in ("conf-welcome", "conf-bad_pin", "conf-enter_conf_pin")
}


def mix(*parts: tuple[int, float]) -> np.typing.NDArray[np.int16]:
    """One second of (Hz, dBFS) tones."""
    return np.asarray(np.sum([tone(hertz, RATE, dbfs).samples for hertz, dbfs in parts], axis=0), np.int16)


def test_tones_are_found_with_their_strength() -> None:
    wave = mix((440, -10), (470, -20), (1300, -35))
    found = find_tones(wave, RATE)
    assert list(found) == pytest.approx([440, 470, 1300], abs=0.3)
    assert list(found.values()) == pytest.approx([-10, -20, -35], abs=0.3)
    levels = tone_levels(wave, RATE, (440, 900))
    assert levels[440] == pytest.approx(-10, abs=0.1)
    assert levels[900] < -80


def test_level_of_a_sine_is_its_tone_level() -> None:
    assert level(mix((440, -12))) == pytest.approx(-12, abs=0.05)


def test_nothing_has_no_tones_and_no_level() -> None:
    nothing = np.zeros(0, np.int16)
    assert find_tones(nothing, RATE) == {}
    assert level(nothing) == tone_level(nothing, RATE, 440) == FLOOR_DBFS
    assert find_tones(np.zeros(8000, np.int16), RATE) == {}


def test_gaps_are_found_where_they_are() -> None:
    wave = mix((440, -20))
    wave[800:1600] = 0
    wave[4000:4160] = 0
    assert gaps(wave, RATE) == [(0.1, 0.2)]
    assert gaps(wave, RATE, shortest=0.02) == [(0.1, 0.2), (0.5, 0.52)]


@pytest.mark.parametrize("name", sorted(PROMPTS))
def test_a_prompt_is_recognised_through_a_telephone_line_and_its_place_is_told(name: str) -> None:
    codec = open_codec("PCMA")
    recording = np.zeros(8 * RATE, np.int16)
    start = 3 * RATE + 77
    recording[start : start + len(PROMPTS[name])] = PROMPTS[name] // 3
    recording = codec.decode(codec.encode(recording))
    for other, prompt in PROMPTS.items():
        match = find_sound(recording, prompt, RATE)
        if other == name:
            assert match.score > 0.95
            assert match.at == pytest.approx(start / RATE, abs=0.001)
        else:
            assert match.score < 0.6


def test_a_prompt_with_a_stretched_pause_is_still_recognised() -> None:
    prompt = PROMPTS["conf-enter_conf_pin"]
    middle = len(prompt) // 2
    recording = np.concatenate([prompt[:middle], np.zeros(480, np.int16), prompt[middle:], np.zeros(8000, np.int16)])
    assert find_sound(recording, prompt, RATE).score > 0.85


def test_silence_holds_no_prompt() -> None:
    assert find_sound(np.zeros(40_000, np.int16), PROMPTS["conf-welcome"], RATE).score < 0.01
    assert find_sound(np.zeros(10, np.int16), PROMPTS["conf-welcome"], RATE).score < 0.01
