"""A stored document, and what can go wrong with one."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

GREGORIAN_OFFSET = 62_167_219_200
"""Seconds from the year 0 to 1970: Kazoo's times are Gregorian seconds (semantics 6.1)."""


class NotFound(Exception):
    """The account has no such document (any more)."""


class StaleRevision(Exception):
    """The document was changed by somebody else; `current` is its revision now."""

    def __init__(self, current: str) -> None:
        super().__init__(f"the document is at revision {current}")
        self.current = current


class TooManyDocuments(Exception):
    """The account holds as many documents as it may; `limit` says how many."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the account already holds {limit} documents")
        self.limit = limit


class DocumentTooLarge(Exception):
    """The document has more bytes as JSON than a document may have; `limit` says how many."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a document may have at most {limit} bytes")
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Document:
    """One document: `body` is what clients see, `private` never leaves the server. Times are Gregorian seconds."""

    account_id: str
    id: str
    type: str
    revision: str  # "N-md5", N counts the changes
    created: int
    modified: int
    position: int
    deleted: bool
    body: dict[str, Any] = field(default_factory=dict)
    private: dict[str, Any] = field(default_factory=dict)


def new_id() -> str:
    """32 hexadecimal characters."""
    return secrets.token_hex(16)


def gregorian(unix_seconds: float) -> int:
    """UNIX seconds -> Gregorian seconds."""
    return int(unix_seconds) + GREGORIAN_OFFSET


def pack(value: dict[str, Any]) -> str:
    """JSON text, the same for the same value, plain ASCII so that every database stores it unchanged."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def next_revision(previous: str | None, body: str, private: str) -> str:
    """`None` -> `"1-…"`, `"1-…"` -> `"2-…"`."""
    count = int(previous.partition("-")[0]) + 1 if previous else 1
    digest = hashlib.md5(f"{previous}\n{body}\n{private}".encode(), usedforsecurity=False).hexdigest()
    return f"{count}-{digest}"
