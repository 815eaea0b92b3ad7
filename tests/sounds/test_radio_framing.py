"""Of the bytes of a station only whole frames of one kind reach the decoder."""

import numpy as np
import pytest

from mirliton.sounds.radio_framing import MOST_LOST, Framing, NotAStream, frame_at

from .radio_tower import encoded

RANDOM = np.random.default_rng(5)
SOUND = encoded(440, 2.0)
OTHER = encoded(440, 2.0, rate=22_050)


def frames(data: bytes) -> list[bytes]:
    """All frames of a file without tags, one after the other."""
    found, at = [], 0
    while at < len(data):
        frame = frame_at(data, at)
        assert frame is not None
        found.append(data[at : at + frame.length])
        at += frame.length
    return found


FRAMES = frames(SOUND)
"""The first one says how many there are."""


def framed(data: bytes, piece: int = 1000) -> bytes:
    """What comes out when the bytes come in pieces."""
    framing = Framing()
    return b"".join(framing.feed(data[at : at + piece]) for at in range(0, len(data), piece))


@pytest.mark.parametrize("piece", [1, 3, 416, 417, 418, 100_000])
def test_frames_are_whole_wherever_the_bytes_are_cut(piece: int) -> None:
    assert framed(SOUND, piece) == b"".join(FRAMES[1:])


@pytest.mark.parametrize("missing", [1, 100, 416, 418, 5000])
def test_a_stream_may_begin_in_the_middle_of_a_frame(missing: int) -> None:
    heard = framed(SOUND[missing:])
    assert SOUND.endswith(heard)
    assert len(heard) > len(SOUND) - missing - 2 * len(FRAMES[1])


@pytest.mark.parametrize("rubbish", [b"\xff" * 3000, b"\x00" * 3000, RANDOM.bytes(3000), b"TAG" + bytes(125), b"\xff"])
def test_what_stands_between_frames_is_left_out(rubbish: bytes) -> None:
    before, after = b"".join(FRAMES[1:20]), b"".join(FRAMES[20:])
    heard = framed(before + rubbish + after)
    assert heard.startswith(before)
    assert heard.endswith(b"".join(FRAMES[21:]))
    assert all(frame_at(frame, 0) for frame in frames(heard)), "nothing but frames"


def test_frames_of_another_kind_are_left_out() -> None:
    assert framed(SOUND + OTHER + SOUND) == b"".join(FRAMES[1:] * 2)


@pytest.mark.parametrize("length", [0, 1, 200_000])
def test_tags_before_the_stream_are_passed_over_whatever_they_hold(length: int) -> None:
    size = bytes(length >> shift & 127 for shift in (21, 14, 7, 0))
    picture = (SOUND * 40)[:length]
    assert framed(b"ID3\x04\x00\x00" + size + picture + SOUND) == b"".join(FRAMES[1:])


def test_ogg_goes_through_as_it_is() -> None:
    data = encoded(440, 1.0, kind="OGG", subtype="VORBIS")
    assert framed(data, 1) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"fLaC" + bytes(10), "FLAC"),
        (b"RIFF" + bytes(10), "WAV"),
        (b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f", "tags"),
        (RANDOM.bytes(MOST_LOST + 5000), "MP3 or Ogg"),
        (b"\xff" * (MOST_LOST + 5000), "MP3 or Ogg"),
        (b"\xff\xfb\x90\x00" * (MOST_LOST // 4 + 500), "MP3 or Ogg"),
        (SOUND + OTHER * 100, "MP3 or Ogg"),
    ],
)
def test_what_is_no_stream_is_given_up_after_so_many_bytes(data: bytes, reason: str) -> None:
    with pytest.raises(NotAStream, match=reason):
        framed(data, 4000)


def test_no_bytes_whatever_break_it_or_make_it_keep_much() -> None:
    sound = np.frombuffer(SOUND, np.uint8)
    for seed in range(50):
        chance = np.random.default_rng(seed)
        broken = sound.copy()
        places = chance.integers(0, len(broken), 1 + seed * 10)
        broken[places] = chance.integers(0, 256, len(places))
        heard = framed(broken.tobytes(), int(chance.integers(1, 5000)))
        assert len(heard) <= len(SOUND)
        assert all(frame_at(frame, 0) for frame in frames(heard))
