"""The phone's codecs against an implementation of somebody else (libsndfile's G.711)."""

import io

import numpy as np
import pytest
import soundfile

from mirliton.phone.codecs import CodecMissing, open_codec
from mirliton.phone.listening import tone_level


@pytest.mark.parametrize(("name", "subtype"), [("PCMU", "ULAW"), ("PCMA", "ALAW")])
def test_every_code_decodes_as_libsndfile_says(name: str, subtype: str) -> None:
    codes = bytes(range(256))
    theirs, _ = soundfile.read(
        io.BytesIO(codes), dtype="int16", format="RAW", subtype=subtype, samplerate=8000, channels=1
    )
    assert np.array_equal(open_codec(name).decode(codes), theirs)


@pytest.mark.parametrize("name", ["PCMU", "PCMA"])
def test_every_sample_is_sent_as_one_of_the_two_codes_around_it(name: str) -> None:
    codec = open_codec(name)
    samples = np.arange(-32768, 32768).astype(np.int16)
    values = np.unique(codec.decode(bytes(range(256))))
    got = codec.decode(codec.encode(samples))
    above = np.searchsorted(values, samples).clip(1, len(values) - 1)
    inside = (samples >= values[0]) & (samples <= values[-1])
    assert np.all(((got == values[above]) | (got == values[above - 1]))[inside])
    assert np.all(np.diff(got) >= 0)


def test_g722_carries_what_a_telephone_line_cannot() -> None:
    codec = open_codec("G722")
    wave = np.round(8000 * np.sin(2 * np.pi * 5000 * np.arange(16_000) / 16_000)).astype(np.int16)
    heard = np.concatenate([codec.decode(codec.encode(wave[i : i + 320])) for i in range(0, 16_000, 320)])
    assert tone_level(heard, 16_000, 5000) == pytest.approx(tone_level(wave, 16_000, 5000), abs=1)


def test_an_unknown_codec_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CodecMissing, match="PCMU, PCMA, G722, OPUS"):
        open_codec("speex")
