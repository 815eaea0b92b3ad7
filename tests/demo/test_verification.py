"""The demo judges by the recordings: it must notice what is missing, and what should be."""

import numpy as np
import pytest

from mirliton.demo.scene import Scene, Turn
from mirliton.demo.verification import Finding, verify
from mirliton.demo.voices import RATE, load_voices
from mirliton.phone.codecs import open_codec

VOICES = load_voices()
DELAY = 0.09  # s through the bridge


def a_scene(heard_by: dict[str, set[str]], muted: str | None = None) -> Scene:
    """All voices speak in turns. `heard_by`: listener -> whose sentences are in the recording."""
    scene, time = Scene(), 1.0
    noise = np.random.default_rng(3)
    recordings = {v.name: noise.integers(-20, 20, 40 * RATE).astype(np.int16) for v in VOICES}
    for voice in VOICES:
        for sentence in voice.sentences:
            end = time + len(sentence) / RATE + 0.7
            times = {other.name: time for other in VOICES}, {other.name: end for other in VOICES}
            scene.turns.append(Turn(voice.name, sentence, voice.name == muted, *times))
            start = round((time + DELAY) * RATE)
            for listener, speakers in heard_by.items():
                if voice.name in speakers:
                    recordings[listener][start : start + len(sentence)] += sentence // 2
            time = end
    codec = open_codec("PCMU")
    scene.heard = {name: codec.decode(codec.encode(recording)) for name, recording in recordings.items()}
    return scene


NAMES = {voice.name for voice in VOICES}
RIGHT = {name: NAMES - {name} for name in NAMES}


def bad(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(finding.listener, finding.speaker) for finding in findings if not finding.good}


def test_three_voices_of_two_sentences_are_told_apart() -> None:
    assert [voice.name for voice in VOICES] == ["Anna", "Bruno", "Carl"]
    assert all(len(voice.sentences) == 2 for voice in VOICES)
    findings = verify(a_scene(RIGHT))
    assert len(findings) == 18
    assert bad(findings) == set()
    assert all(finding.delay_ms == pytest.approx(90, abs=1) for finding in findings if finding.expected)


def test_hearing_oneself_is_noticed() -> None:
    assert bad(verify(a_scene(RIGHT | {"Anna": NAMES}))) == {("Anna", "Anna")}


def test_not_hearing_another_is_noticed() -> None:
    findings = verify(a_scene(RIGHT | {"Anna": {"Carl"}}))
    assert bad(findings) == {("Anna", "Bruno")}
    assert any(finding.line().startswith("BAD  Anna: Bruno heard") for finding in findings)


def test_a_muted_caller_must_not_be_heard() -> None:
    assert bad(verify(a_scene(RIGHT, muted="Carl"))) == {("Anna", "Carl"), ("Bruno", "Carl")}
    silenced = {name: speakers - {"Carl"} for name, speakers in RIGHT.items()}
    assert bad(verify(a_scene(silenced, muted="Carl"))) == set()
