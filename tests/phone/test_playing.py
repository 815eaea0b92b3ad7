"""What `--play` takes."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirliton.phone.listening import find_tones
from mirliton.phone.playing import CannotPlay, load
from mirliton.sounds.addresses import SoundNotFound


def test_a_tone_repeats_without_a_seam() -> None:
    played = load("tone:441", 8000)
    assert played.forever
    assert list(find_tones(np.tile(played.samples, 4), 8000, above=-70)) == pytest.approx([441], abs=1)


def test_silence_is_nothing_and_a_file_is_read_at_the_codec_s_rate(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros(22_050), 22_050)
    assert len(load("silence", 8000).samples) == 0
    assert len(load(tmp_path / "a.flac", 16_000).samples) == 16_000
    assert not load(str(tmp_path / "a.flac"), 8000).forever


@pytest.mark.parametrize("what", ["tone:", "tone:x", "tone:0", "tone:4000", "nowhere.wav"])
def test_other_things_are_refused_in_words(what: str) -> None:
    with pytest.raises(CannotPlay):
        load(what, 8000)


def test_a_file_that_is_no_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("hello")
    with pytest.raises(SoundNotFound):
        load(tmp_path / "a.wav", 8000)
