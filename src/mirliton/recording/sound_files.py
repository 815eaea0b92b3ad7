"""Sound files on disk: written as the sound comes, and good at any moment of it. Blocking.

None needs an intermediate format, and whoever dies while writing leaves a file that can be played up to about a second
before: libsndfile hands whole blocks of FLAC and whole pages of Ogg to the system, and the lengths in the headers of
FLAC and WAV are brought up to date on the way.
"""

import io
import os
import shutil
import struct
import wave
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import soundfile

from mirliton.recording.timeline import Samples

_FULL_BELOW = 1_000_000
_FLAC_BLOCK = 4096
"""Samples of a block of libFLAC, which writes it when it has one sample more."""
_FLAC_LENGTH_AT = 21
"""Where STREAMINFO (RFC 9639 8.2) has its 36 bits of length: the lower half of this byte, and the next four."""
_OGG_PAGE_SECONDS = 1.3
"""The longest page, and the packet that is not full."""
_LONGEST_WAV = 2**32 - 4096
"""Bytes that the header can count, with some room for itself."""
_WAV_HEADER = 44


class Format(StrEnum):
    """What recordings can be written as."""

    FLAC = "flac"
    OGG = "ogg"  # with Opus, RFC 7845
    WAV = "wav"


CONTENT_TYPES = {Format.FLAC: "audio/flac", Format.OGG: "audio/ogg", Format.WAV: "audio/wav"}


class WriteFailed(Exception):
    """The file cannot be written; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a finished file is: `content_length` in bytes, `duration` in seconds, `rate` in Hz."""

    content_length: int
    duration: float
    rate: int
    content_type: str = CONTENT_TYPES[Format.FLAC]
    channels: int = 1

    def as_keys(self) -> dict[str, Any]:
        """As keys of a media document, the same as those of an upload."""
        return asdict(self)


class SoundWriter(Protocol):
    """A mono file of 16 bits that is being written. Raises `WriteFailed` from every method but `abandon`."""

    path: Path

    def write(self, samples: Samples) -> None:
        """Append samples."""

    def flush(self) -> int:
        """Make the file on disk good; returns how many samples of it would survive the death of this process."""

    def close(self) -> FileFacts:
        """Write what is left and the header."""

    def abandon(self) -> None:
        """Let go of the file after a failure; a second failure says nothing new."""


def open_file(path: Path, form: Format, rate: int) -> SoundWriter:
    """A new file of `rate` Hz (8000, 16000 or 48000 for Ogg). Raises `WriteFailed`."""
    kinds: dict[Format, Callable[[Path, int], SoundWriter]] = {
        Format.FLAC: FlacFile,
        Format.OGG: OggFile,
        Format.WAV: WavFile,
    }
    return kinds[form](path, rate)


def longest_seconds(form: Format, rate: int) -> float:
    """How much sound a file of this kind can hold."""
    return _LONGEST_WAV / (2 * rate) if form == Format.WAV else float("inf")


class _LibraryFile:
    """What libsndfile writes."""

    _form = Format.FLAC
    _subtype = "PCM_16"

    def __init__(self, path: Path, rate: int) -> None:
        self.path = path
        self._rate = rate
        self._frames = 0
        try:
            self._file = soundfile.SoundFile(path, "w", rate, 1, self._subtype, format=self._form.upper())
        except (soundfile.SoundFileError, OSError) as error:
            raise _failed(path, error) from error

    def write(self, samples: Samples) -> None:
        """See `SoundWriter.write`."""
        try:
            self._file.write(samples)
        except (soundfile.SoundFileError, OSError, AssertionError) as error:  # soundfile asserts that all was written
            raise _failed(self.path, error) from error
        self._frames += len(samples)

    def close(self) -> FileFacts:
        """See `SoundWriter.close`."""
        try:
            self._file.close()
            size = self.path.stat().st_size
        except (soundfile.SoundFileError, OSError) as error:
            raise _failed(self.path, error) from error
        return FileFacts(size, round(self._frames / self._rate, 3), self._rate, CONTENT_TYPES[self._form])

    def abandon(self) -> None:
        """See `SoundWriter.abandon`."""
        try:
            self._file.close()
        except (soundfile.SoundFileError, OSError):
            return

    def __enter__(self) -> "_LibraryFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abandon()


class FlacFile(_LibraryFile):
    """FLAC (RFC 9639). libFLAC writes the length when it closes the file; until then it is kept up to date here."""

    def flush(self) -> int:
        """See `SoundWriter.flush`."""
        length = max(self._frames - 1, 0) // _FLAC_BLOCK * _FLAC_BLOCK
        if not length:
            return 0
        try:
            descriptor = os.open(self.path, os.O_RDWR)
            try:
                before = os.pread(descriptor, 1, _FLAC_LENGTH_AT)
                high = (before[0] & 0xF0) | (length >> 32) & 0x0F
                os.pwrite(descriptor, struct.pack(">BI", high, length & 0xFFFFFFFF), _FLAC_LENGTH_AT)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _failed(self.path, error) from error
        return length


class OggFile(_LibraryFile):
    """Opus in Ogg (RFC 7845); libsndfile ends a page at least once a second."""

    _form = Format.OGG
    _subtype = "OPUS"

    def flush(self) -> int:
        """See `SoundWriter.flush`: whole pages are on disk already."""
        return max(0, self._frames - int(_OGG_PAGE_SECONDS * self._rate))


class _Sparse(io.FileIO):
    """A file in which silence takes no room on disk, where the file system can do that."""

    def write(self, data: Any, /) -> int:
        """All of it: zeros are skipped, and `flush` makes the file as long as they are."""
        content = bytes(data)
        if not any(content):
            self.seek(len(content), os.SEEK_CUR)
            return len(content)
        rest = memoryview(content)
        while rest:
            rest = rest[super().write(rest) :]
        return len(content)

    def flush(self) -> None:
        """Silence at the end counts too."""
        if not self.closed and self.tell() > os.fstat(self.fileno()).st_size:
            self.truncate()


class WavFile:
    """RIFF WAVE, whose header always says how much is there."""

    def __init__(self, path: Path, rate: int) -> None:
        self.path = path
        self._rate = rate
        try:
            self._disk = _Sparse(path, "w")
            self._file = wave.open(self._disk, "wb")  # noqa: SIM115 - closed by `close` and `abandon`
            self._file.setparams((1, 2, rate, 0, "NONE", ""))
            self._file.writeframes(b"")
        except OSError as error:
            raise _failed(path, error) from error

    def write(self, samples: Samples) -> None:
        """See `SoundWriter.write`."""
        try:
            self._file.writeframesraw(np.ascontiguousarray(samples, "<i2").tobytes())
        except (OSError, wave.Error, struct.error) as error:
            raise _failed(self.path, error) from error

    def flush(self) -> int:
        """See `SoundWriter.flush`."""
        try:
            self._disk.flush()
            self._file.writeframes(b"")
        except (OSError, wave.Error, struct.error) as error:
            raise _failed(self.path, error) from error
        return self._file.getnframes()

    def close(self) -> FileFacts:
        """See `SoundWriter.close`."""
        frames = self.flush()
        try:
            self._file.close()
            self._disk.close()
            size = self.path.stat().st_size
        except OSError as error:
            raise _failed(self.path, error) from error
        return FileFacts(size, round(frames / self._rate, 3), self._rate, CONTENT_TYPES[Format.WAV])

    def abandon(self) -> None:
        """See `SoundWriter.abandon`."""
        for part in (self._file, self._disk):
            try:
                part.close()
            except (OSError, wave.Error, struct.error):
                continue
        self._count_what_is_there()

    def _count_what_is_there(self) -> None:
        """After a write that was not done to its end, `wave` knows less than the disk has."""
        try:
            size = self.path.stat().st_size
            with self.path.open("r+b") as file:
                for place, length in ((4, size - 8), (_WAV_HEADER - 4, size - _WAV_HEADER)):
                    file.seek(place)
                    file.write(struct.pack("<I", max(length, 0) // 2 * 2))
        except (OSError, struct.error):
            return


def write_flac(path: Path, rate: int, samples: Samples) -> FileFacts:
    """A whole file at once. Raises `WriteFailed`."""
    with FlacFile(path, rate) as file:
        file.write(np.ascontiguousarray(samples, np.int16))
        return file.close()


def _failed(path: Path, error: BaseException) -> WriteFailed:
    """libsndfile says little of a failed write: look for the most usual cause."""
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        free = _FULL_BELOW
    if free < _FULL_BELOW:
        return WriteFailed(f"the disk of {path.parent} is full: make room")
    return WriteFailed(f"{path.parent} cannot be written ({str(error).strip() or type(error).__name__})")
