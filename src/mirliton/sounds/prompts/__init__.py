"""The sounds that ship with Mirliton: prompts by language, and hold music. `prompts.json` holds the prompts' texts."""

from pathlib import Path

FOLDER = Path(__file__).parent
HOLD_MUSIC = FOLDER / "hold_music.flac"
DEFAULT_LANGUAGE = "en-us"


def shipped_prompts() -> dict[str, dict[str, Path]]:
    """Language -> prompt id -> file. Read once at start, so that no address can reach any other file."""
    return {
        language.name: {file.stem: file for file in language.glob("*.flac")}
        for language in FOLDER.iterdir()
        if (language / "prompts.json").is_file()
    }
