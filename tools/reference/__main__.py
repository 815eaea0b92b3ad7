"""Writes docs/reference/rest.md, keys.md and events.md from what the server itself goes by: `make reference`.

With `--check` it writes nothing, and ends with 1 when a page is not what it would write.
"""

import sys
from pathlib import Path

from reference.events import events_page
from reference.keys import keys_page
from reference.rest import rest_page

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


def main() -> int:
    """Write or check the pages."""
    pages = {"rest.md": rest_page(), "keys.md": keys_page(), "events.md": events_page()}
    stale = [name for name, text in pages.items() if not _same(FOLDER / name, text)]
    if "--check" in sys.argv:
        for name in stale:
            print(f"docs/reference/{name} is not up to date: run `make reference`", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (FOLDER / name).write_text(pages[name], encoding="utf-8")
        print(f"wrote docs/reference/{name}")
    return 0


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
