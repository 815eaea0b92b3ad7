"""What is sent for one event: the fields, as JSON or as a form, and the signature over them. Pure."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from mirliton.calls.events import Event
from mirliton.webhooks.hook import Hook


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook; the id stays when it is tried again. `lost`: events dropped before it."""

    id: str
    event: Event
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One HTTP request."""

    method: str
    url: httpx.URL
    headers: dict[str, str]
    content: bytes


def message(hook: Hook, delivery: Delivery, now: float) -> Message:
    """The request that carries a delivery; `now` (UNIX s) is signed with it, so that old ones can be refused.

    Raises `httpx.InvalidURL`, and `ValueError` or `TypeError` for an event that is no JSON.
    """
    url = httpx.URL(hook.uri)
    told = fields(hook, delivery)
    if hook.verb == "get":
        query = b"&".join(part for part in (url.query, form(told)) if part)
        url, signed, content, kind = url.copy_with(query=query), query, b"", None
    elif hook.format == "json":
        content = json.dumps(told, allow_nan=False, default=_as_json).encode()
        signed, kind = content, "application/json"
    else:
        content = form(told)
        signed, kind = content, "application/x-www-form-urlencoded"
    headers = {
        "X-Mirliton-Delivery": delivery.id,
        "X-Mirliton-Timestamp": str(int(now)),
        "X-Mirliton-Signature": signature(hook.secret, str(int(now)), signed),
    }
    if kind is not None:
        headers["Content-Type"] = kind
    return Message(hook.verb.upper(), url, headers, content)


def fields(hook: Hook, delivery: Delivery) -> dict[str, Any]:
    """The event, over it the custom data (as in Kazoo), and what is said of the delivery itself."""
    told = {
        **delivery.event,
        **hook.custom_data,
        "hook": hook.hook,
        "hook_event": hook.hook,
        "custom_data": hook.custom_data,
        "sequence": delivery.event.get("sequence"),
        "delivery_id": delivery.id,
    }
    return told | {"lost": delivery.lost} if delivery.lost else told


def signature(secret: str, timestamp: str, signed: bytes) -> str:
    """`sha256=` and the HMAC-SHA256 (RFC 2104) of `timestamp.signed` in hex."""
    text = timestamp.encode() + b"." + signed
    return f"sha256={hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()}"


def form(told: Mapping[str, Any]) -> bytes:
    """Form fields; inside an object `outer[inner]`, inside a list `outer[]`."""
    return urlencode([pair for key, value in told.items() for pair in _pairs(key, value)], errors="replace").encode()


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from _pairs(f"{name}[{key}]", inner)
        case list() | tuple():
            for inner in value:
                yield from _pairs(f"{name}[]", inner)
        case bool():
            yield name, str(value).lower()
        case None:
            yield name, ""
        case _:
            yield name, str(value)


def _as_json(value: object) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
