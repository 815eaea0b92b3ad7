"""What of a radio station's bytes is handed to the decoder (ISO 11172-3 2.4.1.3, ISO 13818-3, RFC 3533).

A stream of MP3 begins anywhere in the middle of a frame and may hold anything between two frames, and decoders give up
on that, or write about it to the log of the server. So only whole frames of one kind get through. Pure.
"""

from typing import NamedTuple

MOST_LOST = 262_144
"""Bytes without a frame after which the stream is taken for something else."""
_LONGEST_ID3 = 1_048_576
_KILOBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KILOBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44_100, 48_000, 32_000)
_MPEG_1, _MPEG_RESERVED = 3, 1
_DIVISORS = {3: 1, 2: 2, 0: 4}
_HEADER = 4
_NOTES = (b"Xing", b"Info", b"VBRI")
_NOTE_PLACES = (13, 21, 36)  # behind the side information, whose length depends on version and channels


class NotAStream(Exception):
    """These bytes are no sound that can be played while it comes in. The text says what they are."""


class Frame(NamedTuple):
    """One header of layer III: what must stay the same through a stream, and the length of the frame in bytes."""

    kind: tuple[int, int, bool]  # version, sample rate in Hz, mono
    length: int


def frame_at(data: bytes | bytearray, at: int) -> Frame | None:
    """The header that begins at `at`, of which four bytes must be there; None when it is none."""
    if data[at] != 0xFF or data[at + 1] & 0xE6 != 0xE2:
        return None
    version, second, third = data[at + 1] >> 3 & 3, data[at + 2], data[at + 3]
    bits, rate = second >> 4, second >> 2 & 3
    if version == _MPEG_RESERVED or bits in (0, 15) or rate == 3:
        return None
    hertz = _RATES[rate] // _DIVISORS[version]
    kilobits, factor = (_KILOBITS_1[bits], 144) if version == _MPEG_1 else (_KILOBITS_2[bits], 72)
    return Frame((version, hertz, third >> 6 == 3), factor * 1000 * kilobits // hertz + (second >> 1 & 1))


class Framing:
    """Bytes of one connection in, bytes for the decoder out. Ogg goes through as it is: its pages are found again."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._ogg: bool | None = None
        self._kind: tuple[int, int, bool] | None = None
        self._locked = False
        self._lost = 0
        self._skip = 0

    def feed(self, data: bytes) -> bytes:
        """Take what came in; returns what is complete. Raises `NotAStream`."""
        self._rest += data
        if self._ogg is None and not self._begin():
            return b""
        if self._ogg:
            whole, self._rest = bytes(self._rest), bytearray()
            return whole
        return self._frames()

    def _begin(self) -> bool:
        """Look at the first bytes; False while there are too few."""
        start = bytes(self._rest[:10])
        if len(start) < 10:
            return False
        if start.startswith((b"fLaC", b"RIFF")):
            raise NotAStream("is FLAC or WAV, which cannot be played as radio; have it sent as MP3 or Ogg")
        if start.startswith(b"ID3"):  # its length in four times seven bits
            self._skip = 10 + sum(byte << 7 * place for place, byte in enumerate(reversed(start[6:10])))
            if self._skip > _LONGEST_ID3:
                raise NotAStream(f"begins with {self._skip} bytes of tags")
        self._ogg = start.startswith(b"OggS")
        return True

    def _frames(self) -> bytes:
        whole, at = bytearray(), 0
        skipped = min(self._skip, len(self._rest))
        self._skip -= skipped
        at += skipped
        while at + _HEADER <= len(self._rest):
            if (frame := self._next(at)) is None:
                at = self._search(at)
                if not self._locked:
                    break
                continue
            if at + frame.length > len(self._rest):
                break
            if not _is_note(self._rest, at):
                whole += self._rest[at : at + frame.length]
            at += frame.length
        del self._rest[:at]
        return bytes(whole)

    def _next(self, at: int) -> Frame | None:
        """The frame that follows the last one."""
        frame = frame_at(self._rest, at) if self._locked else None
        if frame is None or frame.kind != self._kind:
            self._locked = False
            return None
        self._lost = 0
        return frame

    def _search(self, at: int) -> int:
        """The place from where two frames of one kind follow each other, which locks; else from where to look on."""
        begun = at
        while 0 <= (found := self._rest.find(0xFF, at)) <= len(self._rest) - _HEADER:
            at = found
            if (frame := frame_at(self._rest, at)) is not None and self._kind in (None, frame.kind):
                if at + frame.length + _HEADER > len(self._rest):
                    break
                follower = frame_at(self._rest, at + frame.length)
                if follower is not None and follower.kind == frame.kind:
                    self._kind, self._locked = frame.kind, True
                    break
            at += 1
        else:
            at = found if found >= 0 else len(self._rest)
        self._lose(at - begun)
        return at

    def _lose(self, count: int) -> None:
        self._lost += count
        if self._lost > MOST_LOST:
            raise NotAStream("is no sound that can be played; have it sent as MP3 or Ogg")


def _is_note(data: bytearray, at: int) -> bool:
    """Whether the frame holds no sound, but how many frames there are: the decoder would end after as many."""
    return any(data[at + place : at + place + 4] in _NOTES for place in _NOTE_PLACES)
