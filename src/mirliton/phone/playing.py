"""What the phone can be told to play: a sound file, `tone:440`, or `silence`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mirliton.sounds.decoding import decode_file

TONE_DBFS = -15.0
MAX_SECONDS = 3600.0
MAX_BYTES = 1 << 30


class CannotPlay(Exception):
    """The thing to play is no tone, no silence and no file."""


@dataclass(frozen=True, slots=True)
class Played:
    """Mono samples at the rate asked for; `forever`: they repeat without a seam."""

    samples: npt.NDArray[np.int16]
    forever: bool = False


def load(what: str | Path, rate: int) -> Played:
    """Read a file, or make one second of a tone in whole Hz. Raises `CannotPlay` or `SoundNotFound` in words."""
    if what == "silence":
        return Played(np.zeros(0, np.int16))
    if isinstance(what, str) and what.startswith("tone:"):
        return tone(_frequency(what, rate), rate)
    path = Path(what)
    if not path.is_file():
        raise CannotPlay(f"{path}: no such file; --play takes a sound file, tone:HERTZ or silence")
    return Played(decode_file(path, (rate,), max_seconds=MAX_SECONDS, max_bytes=MAX_BYTES)[rate])


def tone(frequency: int, rate: int, dbfs: float = TONE_DBFS) -> Played:
    """A sine that can be repeated forever: one second of whole periods."""
    wave = np.sin(2 * np.pi * frequency * np.arange(rate) / rate)
    return Played(np.round(32767 * 10 ** (dbfs / 20) * wave).astype(np.int16), forever=True)


def _frequency(what: str, rate: int) -> int:
    text = what.removeprefix("tone:")
    if not text.isdigit() or not 0 < int(text) < rate // 2:
        raise CannotPlay(f"{what}: a tone has a whole number of hertz below {rate // 2}")
    return int(text)
