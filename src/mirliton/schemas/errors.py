"""Kazoo's validation errors: dotted path -> code -> details (semantics 6.4)."""

from collections.abc import Sequence
from typing import Any

import jsonschema_rs

Errors = dict[str, dict[str, dict[str, Any]]]
"""`{"member.pins.0": {"pattern": {"message": …, "value": …, "target": …}}}`."""

MAX_ERRORS = 100
"""A document that is wrong in more places is answered with the first ones."""

_WITH_TARGET = {"type", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "pattern", "enum"}
_WITH_CAUSE = {"minLength", "maxLength", "minItems", "maxItems"}


class Invalid(Exception):
    """The document breaks its schema; `errors` says where, how, and what to do."""

    def __init__(self, errors: Errors) -> None:
        super().__init__("; ".join(f"{path}: {d['message']}" for path, codes in errors.items() for d in codes.values()))
        self.errors = errors


def invalid(path: Sequence[str | int], code: str, message: str, **details: Any) -> Invalid:
    """One error as an exception, for the rules that no schema can express."""
    return Invalid({dotted(path): {code: {"message": message, **details}}})


def dotted(path: Sequence[str | int]) -> str:
    """`["a.b", 0]` -> `"a%2Eb.0"`."""
    return ".".join(str(part).replace(".", "%2E") for part in path)


def error_path(error: jsonschema_rs.ValidationError) -> list[str | int]:
    """Where the error is; for a missing key, the place where it should be."""
    path = list(error.instance_path)
    if error.kind.name == "required":
        path.append(str(error.kind.value))
    return path


def describe(error: jsonschema_rs.ValidationError) -> dict[str, Any]:
    """The details object of one schema error."""
    code, limit, value = error.kind.name, error.kind.value, error.instance
    details: dict[str, Any] = {"message": _message(code, limit, value)}
    if code == "required":
        return details
    details["value"] = value
    if code in _WITH_TARGET:
        details["target"] = limit[0] if code == "type" and len(limit) == 1 else limit
    if code in _WITH_CAUSE:
        details["cause"] = value
    return details


def _message(code: str, limit: Any, value: Any) -> str:
    match code:
        case "required":
            return "this key is required: add it"
        case "type":
            return f"must be {_types(limit)}, but it is {_type_name(value)}: change the value"
        case "minLength":
            return f"must have at least {limit} character{_s(limit)}, but it has {len(value)}: make it longer"
        case "maxLength":
            return f"must have at most {limit} character{_s(limit)}, but it has {len(value)}: shorten it"
        case "minimum":
            return f"must be at least {limit}, but it is {value}: raise it"
        case "maximum":
            return f"must be at most {limit}, but it is {value}: lower it"
        case "minItems":
            return f"must have at least {limit} item{_s(limit)}, but it has {len(value)}: add some"
        case "maxItems":
            return f"must have at most {limit} items, but it has {len(value)}: remove some"
        case "uniqueItems":
            return "the same item stands here more than once: remove the repeats"
        case "enum":
            return f"must be one of {', '.join(map(str, limit))}: choose one of them"
        case "pattern" if limit == "^[0-9]+$":
            return "may hold digits only: remove everything else"
        case "pattern":
            return f"must match the expression {limit}: change the value"
        case _:
            return f"breaks the rule {code} of the schema: change the value"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


_NAMES = {
    "string": "a text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


def _types(names: Sequence[str]) -> str:
    return " or ".join(_NAMES[name] for name in names)


def _type_name(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"
