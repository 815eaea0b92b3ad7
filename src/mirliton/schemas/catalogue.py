"""The schema files, read once; a `$ref` names another file by its id (`conferences.profile`)."""

import json
from functools import cache
from importlib import resources
from typing import Any

import jsonschema_rs


class UnknownSchema(KeyError):
    """No schema has this id."""


@cache
def _files() -> dict[str, dict[str, Any]]:
    folder = resources.files("mirliton.schemas")
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".json")]
    return {entry.name.removesuffix(".json"): json.loads(entry.read_text("utf-8")) for entry in found}


def schema_ids() -> list[str]:
    """All ids, sorted."""
    return sorted(_files())


def schema(schema_id: str) -> dict[str, Any]:
    """The schema with this id, not to be changed by the caller; raises `UnknownSchema`."""
    try:
        return _files()[schema_id]
    except KeyError:
        raise UnknownSchema(schema_id) from None


@cache
def validator(schema_id: str) -> jsonschema_rs.Draft202012Validator:
    """The compiled schema; raises `UnknownSchema`."""
    document = schema(schema_id)
    registry = jsonschema_rs.Registry(list(_files().items()), draft=jsonschema_rs.Draft202012)
    # The linear-time engine: a pattern of ours must never be slow on a text of somebody else.
    return jsonschema_rs.Draft202012Validator(
        document, registry=registry, pattern_options=jsonschema_rs.RegexOptions(), validate_formats=False
    )
