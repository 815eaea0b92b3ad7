"""Every format: what is in the file is what was written, at any moment, and when the disk takes no more."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirliton.recording.mending import Part, mend
from mirliton.recording.sound_files import CONTENT_TYPES, Format, WriteFailed, open_file

from .conftest import Samples, tone
from .full_disk import full_disk

ALL = list(Format)
RATES = [8000, 16000, 48000]


def loudness(sound: Samples, hertz: float, rate: int) -> float:
    """The peak amplitude of one frequency."""
    phase = np.exp(-2j * np.pi * hertz * np.arange(len(sound)) / rate)
    return float(2 * np.abs(np.mean(sound * phase)))


@pytest.mark.parametrize("form", ALL)
@pytest.mark.parametrize("rate", RATES)
def test_a_file_says_what_it_is_and_holds_what_was_written(tmp_path: Path, form: Format, rate: int) -> None:
    file = open_file(tmp_path / "x", form, rate)
    for second in range(3):
        file.write(tone(1.0, rate, hertz=500.0 * (second + 1)))
        file.flush()
    facts = file.close()
    assert (facts.duration, facts.rate, facts.content_type) == (3.0, rate, CONTENT_TYPES[form])
    assert facts.content_length == (tmp_path / "x").stat().st_size
    samples, found = soundfile.read(tmp_path / "x", dtype="int16")
    assert (found, len(samples)) == (rate, 3 * rate)
    for second in range(3):
        assert 7000 < loudness(samples[second * rate :][: rate - 100], 500.0 * (second + 1), rate) < 9000


@pytest.mark.parametrize("form", ALL)
@pytest.mark.parametrize("rate", RATES)
def test_the_file_of_a_writer_that_dies_at_any_moment_has_all_but_the_last_second(
    tmp_path: Path, form: Format, rate: int
) -> None:
    noise = np.asarray(np.random.default_rng(7).integers(-9000, 9000, 6 * rate), np.int16)
    file = open_file(tmp_path / "x", form, rate)
    written, step = 0, rate // 7
    while written < len(noise):
        file.write(noise[written : written + step])
        written = min(written + step, len(noise))
        file.flush()
        if written < 1.3 * rate:
            continue  # there may be no whole block yet, or page
        (tmp_path / "dead").write_bytes((tmp_path / "x").read_bytes())
        samples, found = soundfile.read(tmp_path / "dead", dtype="int16")
        assert found == rate
        assert written - 1.3 * rate <= len(samples) <= written
        if form != Format.OGG:
            assert np.array_equal(samples, noise[: len(samples)])
    file.close()


@pytest.mark.parametrize("form", ALL)
def test_a_full_disk_is_noticed_and_what_it_took_can_be_kept(tmp_path: Path, form: Format) -> None:
    file = open_file(tmp_path / "x", form, 16000)
    noise = np.asarray(np.random.default_rng(7).integers(-9000, 9000, 16000), np.int16)
    with full_disk(20_000), pytest.raises(WriteFailed, match="cannot be written"):
        for _ in range(60):
            file.write(noise)
            file.flush()
    file.abandon()
    facts = mend([Part(0, str(tmp_path / "x"))], tmp_path / "kept").facts
    assert facts is not None
    assert 0 < facts.duration < 20


def test_silence_of_hours_takes_no_room_as_wav(tmp_path: Path) -> None:
    file = open_file(tmp_path / "x", Format.WAV, 16000)
    silence = np.zeros(16000 * 10, np.int16)
    for _ in range(360):
        file.write(silence)
    file.write(tone(1.0, 16000))
    file.write(silence)
    facts = file.close()
    assert facts.duration == 3611.0
    assert (tmp_path / "x").stat().st_blocks * 512 < 1_000_000
    with soundfile.SoundFile(tmp_path / "x") as again:
        again.seek(3600 * 16000)
        assert loudness(again.read(16000, dtype="int16"), 440, 16000) > 7000


@pytest.mark.parametrize("form", ALL)
def test_parts_are_put_where_they_belong(tmp_path: Path, form: Format) -> None:
    rate = 16000
    places = {0: tone(3.0, rate, hertz=500), 2 * rate: tone(2.0, rate, hertz=1000), 6 * rate: tone(1.0, rate)}
    for offset, sound in places.items():
        part = open_file(tmp_path / f"{offset}", form, rate)
        part.write(sound)
        part.close()
    done = mend([Part(offset, str(tmp_path / f"{offset}")) for offset in reversed(places)], tmp_path / "whole")
    assert done.facts is not None and not done.in_place
    assert (done.facts.duration, done.facts.content_type) == (7.0, CONTENT_TYPES[form])
    samples, _ = soundfile.read(tmp_path / "whole", dtype="int16")
    assert len(samples) == 7 * rate
    heard = [(0.1, 2.8, 500), (3.1, 3.9, 1000), (6.1, 6.9, 440)]
    for begin, end, hertz in heard:
        assert loudness(samples[int(begin * rate) : int(end * rate)], hertz, rate) > 6500
    assert np.abs(samples[int(4.1 * rate) : int(5.9 * rate)]).max() < 50


def test_a_part_that_cannot_be_read_is_silence(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(b"fLaC")
    part = open_file(tmp_path / "1", Format.FLAC, 8000)
    part.write(tone(1.0, 8000))
    part.close()
    facts = mend([Part(0, str(tmp_path / "0")), Part(8000, str(tmp_path / "1"))], tmp_path / "whole").facts
    assert facts is not None
    assert facts.duration == 2.0
