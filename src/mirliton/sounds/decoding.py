"""Sound files to samples: WAV, FLAC, Ogg and MP3 to mono int16 at each rate that rooms run at.

Blocking work; `library` runs it in worker threads so that it never delays a call.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from mirliton.sounds.addresses import SoundNotFound

Samples = npt.NDArray[np.int16]


class SoundBroken(SoundNotFound):
    """The file is there and is not sound that can be played: damaged, empty, too long or too big."""


def decode_file(path: Path, rates: Iterable[int], *, max_seconds: float, max_bytes: int) -> dict[int, Samples]:
    """Read a sound file as mono int16 at every rate (Hz). Channels are averaged. Raises `SoundBroken`."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise SoundBroken(f"{path.name} has {size} bytes; at most {max_bytes} are allowed")
        with soundfile.SoundFile(path) as file:
            most = int(max_seconds * file.samplerate)
            # One frame more than allowed: a header can lie about the length, what can be read cannot.
            wave, rate = file.read(most + 1, dtype="float32", always_2d=True), file.samplerate
    except (soundfile.LibsndfileError, OSError) as error:
        raise SoundBroken(f"{path.name} cannot be read as sound ({error}); upload WAV, FLAC, Ogg or MP3") from error
    if len(wave) > most:
        raise SoundBroken(f"{path.name} is longer than the {max_seconds:g} s allowed")
    if len(wave) == 0:
        raise SoundBroken(f"{path.name} holds no sound")
    mono = np.nan_to_num(wave.mean(axis=1, dtype=np.float32))
    return {wanted: to_int16(resample(mono, rate, wanted)) for wanted in rates}


def resample(wave: npt.NDArray[np.float32], rate: int, wanted: int) -> npt.NDArray[np.float32]:
    """Mono floats from one rate to another."""
    if rate == wanted:
        return wave
    return np.asarray(soxr.resample(wave, rate, wanted, quality="HQ"), np.float32)


def to_int16(wave: npt.NDArray[np.float32]) -> Samples:
    """Floats of -1..1 to 16 bits, clipped."""
    return np.asarray(np.clip(np.round(wave * 32768), -32768, 32767), np.int16)
