"""Sound files to samples: WAV, FLAC, Ogg and MP3 to mono int16 at each rate that rooms run at.

Blocking work; `library` runs it in worker threads so that it never delays a call.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from mirliton.sounds.addresses import SoundNotFound
from mirliton.sounds.decoder_notes import keep_decoders_quiet

Samples = npt.NDArray[np.int16]
Wave = npt.NDArray[np.float32]

_BLOCK_FRAMES = 65_536


class SoundBroken(SoundNotFound):
    """The file is there and is not sound that can be played: damaged, empty, too long or too big."""


def decode_file(
    path: Path, rates: Iterable[int], *, max_seconds: float, max_bytes: int, called: str | None = None
) -> dict[int, Samples]:
    """Read a sound file as mono int16 at every rate (Hz). Channels are averaged. Raises `SoundBroken`.

    `called`: what messages name it by, when not by its file name.

    Block by block: ten minutes of silence in eight channels at 192 kHz are a small FLAC file and gigabytes of floats.
    """
    called = called or path.name
    keep_decoders_quiet()
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise SoundBroken(f"{called} has {size} bytes; at most {max_bytes} are allowed")
        with soundfile.SoundFile(path) as file:
            converters = {rate: Converter(file.samplerate, rate) for rate in rates}
            for block in _mono_blocks(file, called, max_seconds):
                for converter in converters.values():
                    converter.feed(block)
    except (soundfile.LibsndfileError, OSError) as error:
        raise SoundBroken(f"{called} cannot be read as sound ({error}); upload WAV, FLAC, Ogg or MP3") from error
    return {rate: converter.finish() for rate, converter in converters.items()}


def _mono_blocks(file: soundfile.SoundFile, called: str, max_seconds: float) -> Iterator[Wave]:
    """What can be read, not what the header promises. Raises `SoundBroken` for nothing and for too much."""
    most, frames = int(max_seconds * file.samplerate), 0
    while len(block := file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
        frames += len(block)
        if frames > most:
            raise SoundBroken(f"{called} is longer than the {max_seconds:g} s allowed")
        yield np.nan_to_num(block.mean(axis=1, dtype=np.float32))
    if frames == 0:
        raise SoundBroken(f"{called} holds no sound")


class Converter:
    """Mono floats at one rate, block by block, to 16 bits at another, clipped."""

    def __init__(self, rate: int, wanted: int) -> None:
        self._stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32") if rate != wanted else None
        self._pieces: list[Samples] = []

    def feed(self, block: Wave) -> None:
        """Some more of the sound."""
        self._keep(self._stream.resample_chunk(block) if self._stream is not None else block)

    def taken(self) -> Samples:
        """What has come out since the last time."""
        pieces, self._pieces = self._pieces, []
        return np.concatenate(pieces)

    def finish(self) -> Samples:
        """All that has not been taken, to the end."""
        if self._stream is not None:
            self._keep(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))
        return np.concatenate(self._pieces)

    def _keep(self, wave: Wave) -> None:
        self._pieces.append(np.asarray(np.clip(np.round(wave * 32768), -32768, 32767), np.int16))
