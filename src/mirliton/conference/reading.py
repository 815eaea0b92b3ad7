"""Reading values out of JSON documents that nobody may have validated (an ad-hoc `config`, an old document).

A value of the wrong type counts as absent; the repairs are those of semantics 6.4 (`"true"`, `"5"`).
Paths are dotted: `member.pins`.
"""

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]

_WORDS = {"true": True, "false": False}


def value(document: Document, path: str) -> Any:
    """What lies at a dotted path, or None."""
    found: Any = document
    for key in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def text(document: Document, path: str) -> str | None:
    """A string, the empty one included."""
    found = value(document, path)
    return found if isinstance(found, str) else None


def flag(document: Document, path: str) -> bool | None:
    """True or false, also when written as a word."""
    found = value(document, path)
    if isinstance(found, bool):
        return found
    return _WORDS.get(found.lower()) if isinstance(found, str) else None


def whole(document: Document, path: str) -> int | None:
    """A whole number, also when written as text."""
    found = value(document, path)
    if isinstance(found, bool):
        return None
    if isinstance(found, int):
        return found
    if isinstance(found, float) and found.is_integer():
        return int(found)
    if isinstance(found, str) and len(found) <= 12 and found.removeprefix("-").isdecimal():
        return int(found)
    return None


def texts(document: Document, path: str) -> tuple[str, ...]:
    """The non-empty strings of an array."""
    found = value(document, path)
    return tuple(item for item in found if isinstance(item, str) and item) if isinstance(found, list) else ()


def section(document: Document, path: str) -> Document:
    """An object; an empty one when there is none."""
    found = value(document, path)
    return found if isinstance(found, Mapping) else {}
