"""What an uploaded file is: opened and decoded to its end, because a header can promise anything. Blocking."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import soundfile

CONTENT_TYPES = {
    "WAV": "audio/wav",
    "WAVEX": "audio/wav",
    "FLAC": "audio/flac",
    "MP3": "audio/mpeg",
    "OGG": "audio/ogg",
}
_BLOCK_FRAMES = 65_536
_MAX_CHANNELS = 8
_MIN_RATE, _MAX_RATE = 4_000, 192_000


class BadRecording(ValueError):
    """The file cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The facts of a file: `duration` in seconds, `rate` in Hz."""

    content_type: str
    content_length: int
    duration: float
    rate: int
    channels: int

    def as_keys(self) -> dict[str, Any]:
        """As keys of a media document."""
        return asdict(self)


def examine(path: Path, max_seconds: int) -> Recording:
    """The facts of a WAV, FLAC, MP3 or Ogg file; raises `BadRecording`."""
    if path.stat().st_size == 0:
        raise BadRecording("the body is empty: send the recording as the whole body")
    try:
        with soundfile.SoundFile(path) as file:
            return _facts(file, path, max_seconds)
    except (soundfile.SoundFileError, ValueError, OverflowError) as error:
        if isinstance(error, BadRecording):
            raise
        raise BadRecording("the body cannot be decoded: send WAV, FLAC, MP3 or Ogg") from None


def _facts(file: Any, path: Path, max_seconds: int) -> Recording:
    content_type = CONTENT_TYPES.get(file.format)
    if content_type is None:
        raise BadRecording(f"{file.format} is not accepted: send WAV, FLAC, MP3 or Ogg")
    if file.channels > _MAX_CHANNELS:
        raise BadRecording(f"{file.channels} channels are too many: send at most {_MAX_CHANNELS}")
    if not _MIN_RATE <= file.samplerate <= _MAX_RATE:
        raise BadRecording(f"{file.samplerate} Hz is no usual rate: send {_MIN_RATE} to {_MAX_RATE} Hz")
    frames = _frames(file, max_seconds)
    if frames == 0:
        raise BadRecording("the recording has no sound in it: send another")
    return Recording(
        content_type, path.stat().st_size, round(frames / file.samplerate, 3), file.samplerate, file.channels
    )


def _frames(file: Any, max_seconds: int) -> int:
    frames = 0
    for block in file.blocks(_BLOCK_FRAMES, dtype="int16"):
        frames += len(block)
        if frames > max_seconds * file.samplerate:
            raise BadRecording(f"the recording is longer than {max_seconds} seconds: send a shorter one")
    return frames
