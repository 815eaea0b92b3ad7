"""Damaged sound writes nothing to the log."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from .radio_tower import encoded

READ = "import soundfile, sys; from contextlib import suppress\nwith suppress(Exception): soundfile.read(sys.argv[1])\n"
DECODE = """
import sys
from contextlib import suppress
from pathlib import Path
from mirliton.sounds.decoding import SoundBroken, decode_file
with suppress(SoundBroken):
    decode_file(Path(sys.argv[1]), [8000], max_seconds=60, max_bytes=10_000_000)
print("python", file=sys.stderr)
"""


def said(script: str, path: Path) -> str:
    """What a process of its own writes to stderr."""
    command = [sys.executable, "-c", script, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr


def test_what_a_decoder_says_of_damaged_sound_is_not_in_the_log(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    sound = np.frombuffer(encoded(440, 8.0), np.uint8).copy()
    places = 1000 + chance.integers(0, len(sound) - 1000, 400)
    sound[places] = chance.integers(0, 256, len(places))
    path = tmp_path / "damaged.mp3"
    path.write_bytes(sound.tobytes())
    assert "mpg123" in said(READ, path), "this is what would be there"
    assert said(DECODE, path) == "python\n"
