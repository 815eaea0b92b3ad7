"""Documents inside documents, whose schema depends on where they stand: checked there, without defaults.

A callflow's `conference` actions carry data of their own (seeds table 1); a configuration carries profiles (table 3),
by name or by language and then name (semantics 2.7).
"""

from collections.abc import Iterator
from typing import Any

Nested = tuple[list[str], str, dict[str, Any]]
"""Path from the top, schema id, the object itself."""

_DATA_SCHEMAS = {"conference": "callflows.conference", "conference_feature": "callflows.conference"}


def nested(schema_id: str, document: Any) -> Iterator[Nested]:
    """Every nested document that has a schema; wrong types on the way are other rules' business."""
    if schema_id == "callflows":
        yield from _flow_data(document)
    elif schema_id == "system_config.conferences":
        yield from _profiles(document)


def _flow_data(callflow: Any) -> Iterator[Nested]:
    for path, node in flow_nodes(callflow):
        module, data = node.get("module"), node.get("data")
        schema_id = _DATA_SCHEMAS.get(module) if isinstance(module, str) else None
        if schema_id is not None and isinstance(data, dict):
            yield [*path, "data"], schema_id, data


def flow_nodes(callflow: Any) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Every action of a flow with its path."""
    waiting: list[tuple[list[str], Any]] = [(["flow"], callflow.get("flow") if isinstance(callflow, dict) else None)]
    while waiting:
        path, node = waiting.pop()
        if not isinstance(node, dict):
            continue
        yield path, node
        children = node.get("children")
        if isinstance(children, dict):
            waiting += [([*path, "children", name], child) for name, child in children.items()]


def _profiles(config: Any) -> Iterator[Nested]:
    profiles = config.get("profiles") if isinstance(config, dict) else None
    if not isinstance(profiles, dict):
        return
    for name, value in profiles.items():
        if not isinstance(value, dict):
            continue
        if value and all(isinstance(inner, dict) for inner in value.values()):
            yield from ((["profiles", name, inner], "conferences.profile", profile) for inner, profile in value.items())
        else:
            yield ["profiles", name], "conferences.profile", value
