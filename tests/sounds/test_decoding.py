"""Sound files become samples, or a reason in words."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirliton.sounds.decoding import SoundBroken, decode_file

from .spectrum import amplitude


def write(path: Path, rate: int, channels: int = 1, seconds: float = 1.0, **how: str) -> Path:
    time = np.arange(round(rate * seconds)) / rate
    wave = 0.5 * np.sin(2 * np.pi * 440 * time)
    soundfile.write(path, np.tile(wave[:, None], (1, channels)), rate, **how)
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2)])
def test_common_formats_come_out_at_each_rate_with_their_pitch_and_level(
    tmp_path: Path, name: str, rate: int, channels: int
) -> None:
    path = write(tmp_path / name, rate, channels)
    decoded = decode_file(path, (8000, 16000), max_seconds=5, max_bytes=1_000_000)
    assert sorted(decoded) == [8000, 16000]
    for wanted, samples in decoded.items():
        assert samples.dtype == np.int16
        assert len(samples) == pytest.approx(wanted, rel=0.11)  # MP3 adds up to 0.1 s of its own
        middle = samples[wanted // 4 : wanted * 3 // 4]
        assert amplitude(middle, wanted, 440) == pytest.approx(16384, rel=0.03)


def test_sound_above_the_lower_rate_does_not_fold_back(tmp_path: Path) -> None:
    time = np.arange(48_000) / 48_000
    soundfile.write(tmp_path / "high.wav", 0.5 * np.sin(2 * np.pi * 6000 * time), 48_000)
    decoded = decode_file(tmp_path / "high.wav", (8000, 16000), max_seconds=5, max_bytes=1_000_000)
    assert amplitude(decoded[8000], 8000, 2000) < 20
    assert amplitude(decoded[16000], 16000, 6000) == pytest.approx(16384, rel=0.01)


def test_full_scale_does_not_wrap(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", np.full(8000, 1.0), 8000, subtype="FLOAT")
    assert decode_file(tmp_path / "loud.wav", (8000,), max_seconds=5, max_bytes=1_000_000)[8000].min() == 32767


def test_too_long_too_big_and_empty_files_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", 8000, seconds=2)
    with pytest.raises(SoundBroken, match="longer than the 1 s"):
        decode_file(path, (8000,), max_seconds=1, max_bytes=1_000_000)
    with pytest.raises(SoundBroken, match="at most 1000"):
        decode_file(path, (8000,), max_seconds=10, max_bytes=1000)
    with pytest.raises(SoundBroken, match="no sound"):
        decode_file(write(tmp_path / "b.wav", 8000, seconds=0), (8000,), max_seconds=1, max_bytes=1000)


def test_damaged_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(b"RIFF\xff\xff\xff\xffWAVE" + bytes(range(256)))
    with pytest.raises(SoundBroken, match="upload"):
        decode_file(tmp_path / "noise.wav", (8000,), max_seconds=1, max_bytes=1000)
    with pytest.raises(SoundBroken):
        decode_file(tmp_path / "nowhere.wav", (8000,), max_seconds=1, max_bytes=1000)


def test_a_header_that_promises_hours_gives_what_is_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", 8000)
    whole = bytearray(path.read_bytes())
    whole[40:44] = (0x7FFFFFF0).to_bytes(4, "little")
    path.write_bytes(whole)
    assert len(decode_file(path, (8000,), max_seconds=5, max_bytes=100_000)[8000]) == 8000
