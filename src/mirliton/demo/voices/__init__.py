"""The three voices of the demo: sentences spoken beforehand by `tools/render_prompts.py` from `voices.json`."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mirliton.sounds.decoding import decode_file

FOLDER = Path(__file__).parent
RATE = 8000


@dataclass(frozen=True, slots=True)
class Voice:
    """One caller: a name, and what there is to say, as mono samples at `RATE`."""

    name: str
    number: str
    sentences: tuple[npt.NDArray[np.int16], ...]


def load_voices() -> list[Voice]:
    """All voices, in the order in which they call."""
    return [
        Voice(
            entry["name"],
            f"10{index:02}",
            tuple(
                decode_file(
                    FOLDER / f"{entry['name'].lower()}-{number}.flac", (RATE,), max_seconds=30, max_bytes=1_000_000
                )[RATE]
                for number in range(1, len(entry["sentences"]) + 1)
            ),
        )
        for index, entry in enumerate(json.loads((FOLDER / "voices.json").read_text()), start=1)
    ]
