"""The sounds that ship with Mirliton: prompts by language, and hold music.

`LANGUAGE/prompts.json` holds the prompts' texts; English has recordings of them beside it, other languages are spoken
by the speech engine when they are first needed.
"""

import json
from pathlib import Path

FOLDER = Path(__file__).parent
HOLD_MUSIC = FOLDER / "hold_music.flac"
DEFAULT_LANGUAGE = "en-us"


def shipped_prompts() -> dict[str, dict[str, Path]]:
    """Language -> prompt id -> file. Read once at start, so that no address can reach any other file."""
    return {language.name: {file.stem: file for file in language.glob("*.flac")} for language in _languages()}


def prompt_texts() -> dict[str, dict[str, str]]:
    """Language -> prompt id -> what it says."""
    return {language.name: json.loads((language / "prompts.json").read_text("utf-8")) for language in _languages()}


def _languages() -> list[Path]:
    return sorted(folder for folder in FOLDER.iterdir() if (folder / "prompts.json").is_file())
