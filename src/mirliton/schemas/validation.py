"""Validation as Kazoo does it: repair types, find every error at once, write the schema's defaults (semantics 6.4)."""

import copy
import re
from typing import Any

import jsonschema_rs

from mirliton.schemas.catalogue import schema, validator
from mirliton.schemas.errors import MAX_ERRORS, Errors, Invalid, describe, dotted, error_path
from mirliton.schemas.nested import nested

MAX_REPAIRS = 1000
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_SECRET = ("password", "bridge_password")
_READ_ONLY = {"conferences": ("focus",)}


def validate(schema_id: str, document: Any) -> dict[str, Any]:
    """A repaired copy of the document with the schema's defaults; raises `Invalid` with every error found.

    Keys that the schema does not know are kept. Read-only keys (`focus`) are dropped. What a callflow's `conference`
    actions carry is repaired and checked too, but gets no defaults: a key that is absent there means "ask the next
    source" (semantics 1.7, 2.1).
    """
    checked = check(schema_id, document)
    _write_defaults(schema(schema_id), checked)
    return checked


def check(schema_id: str, document: Any) -> dict[str, Any]:
    """Like `validate`, without writing defaults."""
    repaired = copy.deepcopy(document)
    if isinstance(repaired, dict):
        for key in _READ_ONLY.get(schema_id, ()):
            repaired.pop(key, None)
    errors = _repair_and_check(schema_id, repaired)
    for path, inner_id, inner in nested(schema_id, repaired):
        prefix = dotted(path)
        errors |= {f"{prefix}.{place}": codes for place, codes in _repair_and_check(inner_id, inner).items()}
    if errors:
        raise Invalid(errors)
    return repaired  # type: ignore[no-any-return]


def defaults(schema_id: str) -> dict[str, Any]:
    """What an empty document becomes, required keys aside."""
    empty: dict[str, Any] = {}
    _write_defaults(schema(schema_id), empty)
    return empty


def _repair_and_check(schema_id: str, document: Any) -> Errors:
    rules = validator(schema_id)
    for error in _first(rules, document, MAX_REPAIRS):
        _repair(document, error)
    return _collect(rules, document)


def _first(rules: jsonschema_rs.Draft202012Validator, document: Any, limit: int) -> list[jsonschema_rs.ValidationError]:
    return [error for error, _ in zip(rules.iter_errors(document), range(limit), strict=False)]


def _collect(rules: jsonschema_rs.Draft202012Validator, document: Any) -> Errors:
    errors: Errors = {}
    for error in _first(rules, document, MAX_ERRORS):
        path = error_path(error)
        details = describe(error)
        if path and path[-1] in _SECRET:
            details = {key: value for key, value in details.items() if key not in ("value", "cause")}
        errors.setdefault(dotted(path), {}).setdefault(error.kind.name, details)
    return errors


def _repair(document: Any, error: jsonschema_rs.ValidationError) -> None:
    """`"true"` -> true and `"5"` -> 5 where the schema wants that type."""
    if error.kind.name != "type" or not error.instance_path or not isinstance(error.instance, str):
        return
    value = _as_wanted(error.instance, error.kind.value)
    if value is None:
        return
    *parents, last = error.instance_path
    holder = document
    for part in parents:
        holder = holder[part]
    holder[last] = value


def _as_wanted(text: str, types: list[str]) -> bool | int | None:
    if "boolean" in types and text in ("true", "false"):
        return text == "true"
    if "integer" in types and _INTEGER.fullmatch(text):
        return int(text)
    return None


def _write_defaults(rules: dict[str, Any], value: dict[str, Any]) -> None:
    if "$ref" in rules and not rules["$ref"].startswith("#"):
        rules = schema(rules["$ref"])
    for key, rule in rules.get("properties", {}).items():
        if key not in value and "default" in rule:
            value[key] = copy.deepcopy(rule["default"])
        if isinstance(value.get(key), dict):
            _write_defaults(rule, value[key])
        elif rule.get("type") == "integer" and isinstance(value.get(key), float):
            value[key] = int(value[key])  # 5.0 is a whole number to JSON, but not to Python
