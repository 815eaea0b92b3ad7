"""The sounds that ship: complete, level with each other, without dead air."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirliton.sounds.prompts import FOLDER, HOLD_MUSIC, prompt_texts, shipped_prompts

TEXTS = json.loads((FOLDER / "en-us" / "prompts.json").read_text())
SPOKEN = """
    welcome enter_conf_number bad_conf enter_conf_pin bad_pin too_many_attempts max_participants joining_conference
    alone muted unmuted deaf undeaf announce_your_name your_announcement review has_joined has_left single there_are
    other_participants locked is_locked is_unlocked kicked wait_for_moderator ended recording_on recording_off
"""
NAMED_IN_ORDER = list(TEXTS)
NAMED_BY_SEMANTICS = [*"0123456789", "minus", *(f"conf-{name}" for name in SPOKEN.split())]


def test_every_prompt_of_semantics_5_4_has_a_text_and_a_file() -> None:
    assert sorted(shipped_prompts()["en-us"]) == sorted(TEXTS) == sorted(NAMED_BY_SEMANTICS)


@pytest.mark.parametrize("language", ["de", "fr", "es", "it", "nl", "pt", "pt-br"])
def test_every_prompt_has_its_own_text_in_each_language(language: str) -> None:
    texts = prompt_texts()[language]
    assert list(texts) == NAMED_IN_ORDER
    assert all(text.strip() == text and text for text in texts.values())
    assert all(texts[key] != TEXTS[key] for key in TEXTS if key.startswith("conf-"))
    assert not any(character.isdigit() or character in "*#" for text in texts.values() for character in text), (
        "which key does what is the conference's to say (semantics 5.4)"
    )
    assert len({texts[digit] for digit in "0123456789"}) == 10


@pytest.mark.parametrize("path", sorted(shipped_prompts()["en-us"].values()), ids=lambda path: path.stem)
def test_prompts_are_equally_loud_and_start_at_once(path: Path) -> None:
    wave, rate = soundfile.read(path)
    frames = wave[: len(wave) // 160 * 160].reshape(-1, 160)
    rms = np.sqrt(np.mean(frames**2, axis=1))
    speech = rms > rms.max() / 10
    assert rate == 16_000
    assert 20 * np.log10(np.sqrt(np.mean(rms[speech] ** 2))) == pytest.approx(-20, abs=1.2)
    assert np.abs(wave).max() < 1
    assert np.flatnonzero(rms > rms.max() / 30)[0] * 160 / rate < 0.25


def test_hold_music_is_soft_and_loops_without_a_seam() -> None:
    wave, rate = soundfile.read(HOLD_MUSIC)
    assert 30 <= len(wave) / rate <= 60
    assert 20 * np.log10(np.sqrt(np.mean(wave**2))) == pytest.approx(-26, abs=1)
    steps = np.abs(np.diff(wave))
    assert abs(wave[0] - wave[-1]) <= np.quantile(steps, 0.999)
