"""The phone's codecs against an implementation of somebody else (libsndfile's G.711)."""

import io

import av
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


@pytest.mark.parametrize("ptime", [10, 20, 40, 60])
def test_opus_carries_ten_kilohertz_in_packets_of_any_length_that_it_has(ptime: int) -> None:
    codec, other = open_codec("OPUS"), open_codec("opus", 96)
    assert (codec.rate, codec.clock, codec.payload_type, other.payload_type) == (48_000, 48_000, 107, 96)
    wave = np.round(8000 * np.sin(2 * np.pi * 10_000 * np.arange(48_000) / 48_000)).astype(np.int16)
    frame = 48 * ptime
    packets = [codec.encode(wave[i : i + frame]) for i in range(0, len(wave) - frame + 1, frame)]
    heard = [other.decode(packet) for packet in packets]
    assert {len(piece) for piece in heard} == {frame}
    assert tone_level(np.concatenate(heard)[9600:], 48_000, 10_000) == pytest.approx(
        tone_level(wave, 48_000, 10_000), abs=2
    )


def test_the_phone_hears_what_libsndfile_encodes() -> None:
    codec, buffer = open_codec("OPUS"), io.BytesIO()
    wave = np.round(8000 * np.sin(2 * np.pi * 900 * np.arange(48_000) / 48_000)).astype(np.int16)
    soundfile.write(buffer, wave, 48_000, format="OGG", subtype="OPUS")
    buffer.seek(0)
    with av.open(buffer, "r") as file:
        heard = [codec.decode(bytes(packet)) for packet in file.demux() if packet.size]
    sound = np.concatenate(heard)[9600:-9600]
    assert tone_level(sound, 48_000, 900) == pytest.approx(tone_level(wave, 48_000, 900), abs=0.5)


@pytest.mark.parametrize("data", [b"", b"\xff" * 3, bytes(range(200))])
def test_what_is_no_opus_is_a_value_error_and_the_next_packet_is_heard(data: bytes) -> None:
    codec = open_codec("OPUS")
    packet = codec.encode(np.zeros(960, np.int16))
    try:
        codec.decode(data)
    except ValueError as error:
        assert "Opus" in str(error)
    assert len(codec.decode(packet)) == 960


@pytest.mark.parametrize("rate", [8000, 16_000, 48_000])
def test_linear_sound_is_sent_as_it_is_in_network_order(rate: int) -> None:
    codec = open_codec(f"l16/{rate}")
    samples = np.array([0, 1, -1, 0x1234, 32767, -32768], np.int16)
    assert (codec.rate, codec.clock) == (rate, rate)
    assert codec.encode(samples)[6:8] == b"\x12\x34"
    assert np.array_equal(codec.decode(codec.encode(samples)), samples)
    with pytest.raises(ValueError, match="multiple"):
        codec.decode(b"\x00\x01\x02")


def test_an_unknown_codec_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CodecMissing, match="PCMU, PCMA, G722, OPUS"):
        open_codec("speex")
