"""FLAC files on disk: written as the sound comes, and read again after a crash. Blocking.

FLAC needs no intermediate format: libsndfile hands every encoded block of 4096 samples to the system at once, and a
file that was cut anywhere can be read up to the last whole block but one. Only the length in the header is missing
then, and the file is written anew from what can be decoded. So a crash costs about half a second at 16 kHz, and
nothing has to be encoded twice otherwise.
"""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import soundfile

from mirliton.recording.timeline import Samples

CONTENT_TYPE = "audio/flac"
_BLOCK = 4096
"""libFLAC's block. Larger steps would lose more good samples before a broken block; smaller ones are much slower."""
_FULL_BELOW = 1_000_000


class WriteFailed(Exception):
    """The file cannot be written; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a finished file is: `content_length` in bytes, `duration` in seconds, `rate` in Hz."""

    content_length: int
    duration: float
    rate: int
    content_type: str = CONTENT_TYPE
    channels: int = 1

    def as_keys(self) -> dict[str, Any]:
        """As keys of a media document, the same as those of an upload."""
        return asdict(self)


class FlacFile:
    """A mono file of 16 bits that is being written. Raises `WriteFailed` from every method but `abandon`."""

    def __init__(self, path: Path, rate: int) -> None:
        self.path = path
        self._rate = rate
        self._frames = 0
        try:
            self._file = soundfile.SoundFile(path, "w", rate, 1, "PCM_16", format="FLAC")
        except (soundfile.SoundFileError, OSError) as error:
            raise _failed(path, error) from error

    def write(self, samples: Samples) -> None:
        """Append samples."""
        try:
            self._file.write(samples)
        except (soundfile.SoundFileError, OSError, AssertionError) as error:  # soundfile asserts that all was written
            raise _failed(self.path, error) from error
        self._frames += len(samples)

    def close(self) -> FileFacts:
        """Write the last block and the header."""
        try:
            self._file.close()
            return FileFacts(self.path.stat().st_size, round(self._frames / self._rate, 3), self._rate)
        except (soundfile.SoundFileError, OSError) as error:
            raise _failed(self.path, error) from error

    def abandon(self) -> None:
        """Let go of the file after a failure; a second failure says nothing new."""
        try:
            self._file.close()
        except (soundfile.SoundFileError, OSError):
            return

    def __enter__(self) -> "FlacFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abandon()


def write_flac(path: Path, rate: int, samples: Samples) -> FileFacts:
    """A whole file at once. Raises `WriteFailed`."""
    with FlacFile(path, rate) as file:
        file.write(np.ascontiguousarray(samples, np.int16))
        return file.close()


def rewrite(cut: Path, whole: Path) -> FileFacts | None:
    """Everything that can be decoded of a file that was not closed, as a new file; None when that is nothing.

    Raises `WriteFailed` when the new file cannot be written: the old one may still be good.
    """
    try:
        source = soundfile.SoundFile(cut)
    except (soundfile.SoundFileError, OSError):
        return None
    with source, FlacFile(whole, source.samplerate) as copy:
        frames = 0
        while len(block := _next_block(source)):
            copy.write(block)
            frames += len(block)
        facts = copy.close()
    return facts if frames else None


def _next_block(source: Any) -> Samples:
    try:
        block: Samples = source.read(_BLOCK, dtype="int16")
    except soundfile.SoundFileError:  # where the file was cut
        return np.zeros(0, np.int16)
    return block


def _failed(path: Path, error: BaseException) -> WriteFailed:
    """libsndfile says little of a failed write: look for the most usual cause."""
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        free = _FULL_BELOW
    if free < _FULL_BELOW:
        return WriteFailed(f"the disk of {path.parent} is full: make room")
    return WriteFailed(f"{path.parent} cannot be written ({str(error).strip() or type(error).__name__})")
