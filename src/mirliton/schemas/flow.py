"""What a callflow's `conference` actions carry is a document of its own (seeds table 1), checked where it stands."""

from collections.abc import Callable, Iterator
from typing import Any

from mirliton.schemas.errors import Errors, dotted

_DATA_SCHEMAS = {"conference": "callflows.conference", "conference_feature": "callflows.conference"}


def flow_data_errors(flow: Any, check: Callable[[str, Any], Errors]) -> Errors:
    """Errors in the data of every conference action of a flow, with paths from the callflow's top."""
    errors: Errors = {}
    for path, node in _nodes(flow):
        module, data = node.get("module"), node.get("data")
        schema_id = _DATA_SCHEMAS.get(module) if isinstance(module, str) else None
        if schema_id is None or not isinstance(data, dict):
            continue
        prefix = dotted([*path, "data"])
        errors |= {f"{prefix}.{inner}": codes for inner, codes in check(schema_id, data).items()}
    return errors


def _nodes(flow: Any) -> Iterator[tuple[list[str], dict[str, Any]]]:
    waiting: list[tuple[list[str], Any]] = [(["flow"], flow)]
    while waiting:
        path, node = waiting.pop()
        if not isinstance(node, dict):
            continue
        yield path, node
        children = node.get("children")
        if isinstance(children, dict):
            waiting += [([*path, "children", name], child) for name, child in children.items()]
