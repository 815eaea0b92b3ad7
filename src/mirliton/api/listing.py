"""Pages of a list (semantics 6.3): `page_size`, an opaque `start_key`, or everything with `paginate=false`."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from typing import Any

from mirliton.api.call import Call, Reply
from mirliton.api.errors import ApiError, wrong
from mirliton.api.filters import keep, span, whole_number
from mirliton.store import Document
from mirliton.store.documents import Page

Place = tuple[int, str]


async def list_documents(call: Call, kind: str, row: Callable[[Document], dict[str, Any]]) -> Reply:
    """The rows that the query asks for, newest first unless it says otherwise."""
    query = dict(call.query)
    whole = query.get("paginate") == "false"
    limit = call.services.settings.http.max_page_size if whole else _page_size(call)
    page = await call.store.documents.list(
        call.account.id,
        kind,
        limit=limit,
        after=_place(query["start_key"]) if query.get("start_key") else None,
        ascending=query.get("ascending") == "true" or query.get("descending") == "false",
        span=span(query),
        keep=keep(call.request.query_params.multi_items()),
    )
    if whole and page.next is not None:
        message = f"the answer would have more than {limit} rows: leave paginate=false out"
        raise ApiError(416, "range_not_satisfiable", {"message": message, "cause": limit})
    rows = [row(document) for document in page.documents]
    return Reply(rows, etag=digest(rows), extra=_page_fields(query, page))


def digest(data: Any) -> str:
    """The ETag of an answer that has no revision of its own."""
    return hashlib.md5(json.dumps(data, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def _page_fields(query: dict[str, str], page: Page) -> dict[str, Any]:
    fields: dict[str, Any] = {"page_size": len(page.documents)}
    if page.documents:
        fields["start_key"] = query.get("start_key") or _key(page.documents[0])
    if page.next is not None:
        fields["next_start_key"] = _encode(page.next)
    return fields


def _page_size(call: Call) -> int:
    limits = call.services.settings.http
    if "page_size" not in call.query:
        return limits.page_size
    size = whole_number("page_size", call.query["page_size"])
    if size < 1:
        raise wrong("page_size", "minimum", "must be at least 1: raise it", value=size, target=1)
    return min(size, limits.max_page_size)


def _key(document: Document) -> str:
    return _encode((document.position, document.id))


def _encode(place: Place) -> str:
    return base64.urlsafe_b64encode(f"{place[0]}.{place[1]}".encode()).decode().rstrip("=")


def _place(key: str) -> Place:
    try:
        text = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)).decode("ascii")
        position, _, document_id = text.partition(".")
        if not (position.isdigit() and len(position) <= 19 and document_id.isalnum() and int(position) < 2**63):
            raise ValueError(text)
    except (ValueError, binascii.Error):
        message = "is no key of ours: use next_start_key as the last answer gave it"
        raise wrong("start_key", "invalid", message, value=key) from None
    return int(position), document_id
