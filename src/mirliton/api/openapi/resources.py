"""The operations that all kinds of documents have (semantics 6.2, 6.3)."""

from typing import Any

from mirliton.api.openapi.operations import Example, Operation, Place, Shape
from mirliton.api.openapi.shapes import TEXT, record, reference, rows, stored

PAGES = (
    "page_size", "start_key", "paginate", "ascending", "has_key", "key_missing", "has_value", "missing_value",
    "created_from", "created_to", "modified_from", "modified_to", "filter_name", "filter_not_name",
)  # fmt: skip
PAGE_KEYS: dict[str, Shape] = {
    "page_size": {"type": "integer", "minimum": 0},
    "start_key": TEXT,
    "next_start_key": TEXT,
}
A_LIST = (
    "Newest first. `next_start_key` of the answer is the `start_key` of the next page. `filter_KEY=VALUE` and "
    "`filter_not_KEY=VALUE` work with every key, dotted for nested ones."
)
A_MERGE = "The given keys are merged in at any depth; null removes a key. `If-Match` allows only that revision."
A_REPLACEMENT = "Keys that are not given are gone; defaults are written again."
ROW = record({"id": TEXT})


def document_operations(
    name: str,
    schema_id: str,
    letter: str,
    *,
    one: str,
    makes: tuple[Example, ...],
    patch: dict[str, Any],
    replacement: dict[str, Any],
    row: Shape = ROW,
    **more: Shape,
) -> dict[Place, Operation]:
    """List, create, read, merge, replace, delete. `letter`: the name under which examples know the document."""
    path = f"/accounts/{{account_id}}/{name}"
    document = f"{path}/{{document_id}}"
    shape = stored(schema_id, **more)
    at = {"document_id": f"${letter}"}
    return {
        (path, "PUT"): Operation(
            f"Make {one}",
            "`Location` is the bare id of the new document.",
            shape, 201, reference(schema_id), refusals=frozenset({403}), examples=makes,
        ),
        (path, "GET"): Operation(
            f"List {name}", A_LIST, rows(row), query=PAGES, extra=PAGE_KEYS, refusals=frozenset({416}),
            examples=(Example(), Example("A page of two", query="?page_size=2")),
        ),
        (document, "GET"): Operation(
            f"Read {one}", "The ETag is the revision: `If-None-Match` with it answers 304.", shape,
            examples=(Example(path=at),),
        ),
        (document, "PATCH"): Operation(
            f"Change {one}", A_MERGE, shape, body={"type": "object"}, refusals=frozenset({409}),
            examples=(Example(body={"data": patch}, path=at),),
        ),
        (document, "POST"): Operation(
            f"Replace {one}", A_REPLACEMENT, shape, body=reference(schema_id), refusals=frozenset({409}),
            examples=(Example(body={"data": replacement}, path=at),),
        ),
        (document, "DELETE"): Operation(
            f"Delete {one}", "Answers with the last document.", shape, refusals=frozenset({409}),
            examples=(Example(path=at),),
        ),
    }  # fmt: skip


def deletion_last(operations: dict[Place, Operation]) -> dict[Place, Operation]:
    """The same, in an order in which the document is there for everything else."""
    return dict(sorted(operations.items(), key=lambda item: item[0][1] == "DELETE"))
