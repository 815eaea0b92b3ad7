"""What kind a document is, by its shape, and what is wrong with one of a kind."""

import difflib
from collections.abc import Iterator
from typing import Any, NamedTuple

from mirliton.schemas import Errors, Invalid, check, nested, schema
from mirliton.schemas.errors import dotted
from mirliton.store.patterns import pattern_errors

KINDS = {
    "conference": "conferences",
    "callflow": "callflows",
    "profile": "conferences.profile",
    "config": "system_config.conferences",
}
"""Kind, as `--kind` names it -> schema id."""


class Hint(NamedTuple):
    """Something that is allowed but hardly meant."""

    path: str
    message: str


def kind_of(document: Any) -> str | None:
    """The kind that this shape can only be, else None."""
    if not isinstance(document, dict):
        return None
    keys = set(document)
    if keys & {"flow", "patterns"}:
        return "callflow"
    scores = {kind: len(keys & set(schema(schema_id)["properties"])) for kind, schema_id in KINDS.items()}
    best = max(scores, key=lambda kind: scores[kind])
    return best if scores[best] else None


def errors_in(kind: str, document: Any) -> Errors:
    """Every error of the document, by dotted path."""
    try:
        checked = check(KINDS[kind], document)
    except Invalid as invalid:
        return invalid.errors
    return pattern_errors(checked.get("patterns", [])) if kind == "callflow" else {}


def hints_in(kind: str, document: dict[str, Any]) -> Iterator[Hint]:
    """Keys that look like a slip of the pen for a known one, and PINs that mean less than they seem to."""
    yield from _slips((), KINDS[kind], document)
    for path, schema_id, inner in nested(KINDS[kind], document):
        yield from _slips(tuple(path), schema_id, inner)
    if kind == "conference":
        yield from _shared_pins(document)


def _slips(path: tuple[str, ...], schema_id: str, document: dict[str, Any]) -> Iterator[Hint]:
    yield from _slips_by(path, schema(schema_id), document)


def _slips_by(path: tuple[str, ...], rules: dict[str, Any], document: dict[str, Any]) -> Iterator[Hint]:
    if "$ref" in rules and not rules["$ref"].startswith("#"):
        rules = schema(rules["$ref"])
    known = rules.get("properties", {})
    for key, value in document.items():
        if key in known:
            if isinstance(value, dict):
                yield from _slips_by((*path, key), known[key], value)
        elif close := difflib.get_close_matches(key, known, 1, 0.8):
            message = f"is stored, but nothing reads it: was {close[0]!r} meant?"
            yield Hint(dotted([*path, key]), message)


def _shared_pins(document: dict[str, Any]) -> Iterator[Hint]:
    lists = [document.get(role, {}).get("pins", []) for role in ("member", "moderator")]
    for place, pin in enumerate(lists[1]):
        if pin in lists[0]:
            message = "is a member PIN too, so it makes nobody a moderator: choose another"
            yield Hint(f"moderator.pins.{place}", message)
