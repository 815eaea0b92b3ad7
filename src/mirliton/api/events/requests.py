"""What a client sends: one JSON object in a text frame (semantics 7.2)."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

import msgspec

from mirliton.api.events.bindings import BadBinding, Binding, binding

MAX_REQUEST_ID = 256
MAX_NAME = 256
MAX_METADATA = 4096


class Refused(Exception):
    """The action cannot be done; nothing changed. `reason` is what is counted, `errors` what the client is told."""

    def __init__(self, reason: str, *errors: str) -> None:
        super().__init__(*errors)
        self.reason = reason
        self.errors = list(errors)


@dataclass(frozen=True, slots=True)
class Request:
    """One order. `request_id` is the client's own, or made up."""

    request_id: str | int
    action: str
    token: str | None
    data: dict[str, Any] | None
    envelope: dict[str, Any]

    def given(self, key: str) -> Any:
        """`name` or `metadata`, from inside `data` or beside it."""
        return (self.data or {}).get(key, self.envelope.get(key))


def decode(text: str) -> dict[str, Any]:
    """The object in a frame; raises `Refused`."""
    try:
        envelope = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Refused("json", f"the message is not JSON: {error}") from None
    except RecursionError:
        raise Refused("json", "the message is nested too deep: flatten it") from None
    if not isinstance(envelope, dict):
        raise Refused("json", "a message must be a JSON object with a key `action`")
    return envelope


def request_id_of(envelope: dict[str, Any]) -> str | int:
    """The client's id, or a new one when there is none that can be sent back."""
    given = envelope.get("request_id")
    if isinstance(given, str) and 0 < len(given) <= MAX_REQUEST_ID:
        return given
    if type(given) is int and abs(given) < 2**63:
        return given
    return secrets.token_hex(16)


def request(envelope: dict[str, Any], request_id: str | int) -> Request:
    """The order in a message; raises `Refused`."""
    action, token, data = (envelope.get(key) for key in ("action", "auth_token", "data"))
    if not isinstance(action, str):
        raise Refused("action", "no action: name one in `action`: subscribe, unsubscribe or ping")
    if token is not None and not isinstance(token, str):
        raise Refused("data", "auth_token must be a text")
    if data is not None and not isinstance(data, dict):
        raise Refused("data", "data must be an object")
    return Request(request_id, action, token or None, data, envelope)


def wanted(order: Request, limit: int) -> list[Binding]:
    """The bindings to listen to, each once; `binding` wins over `bindings`. Raises `Refused` with every error."""
    data = order.data or {}
    texts = [data["binding"]] if data.get("binding") is not None else data.get("bindings")
    if not isinstance(texts, list) or not texts:
        raise Refused("binding", "binding or bindings is required: see GET /v2/websockets")
    if len(texts) > limit:
        raise Refused("bindings", f"at most {limit} bindings at a time: send fewer")
    found: dict[str, Binding] = {}
    errors = []
    for text in texts:
        try:
            one = binding(text)
            found[one.text] = one
        except BadBinding as error:
            errors.append(str(error))
    if errors:
        raise Refused("binding", *dict.fromkeys(errors))
    return list(found.values())


def unwanted(order: Request) -> set[str] | None:
    """The texts of the bindings to end; None for all. Raises `Refused`."""
    data = order.data or {}
    texts = [data["binding"]] if data.get("binding") is not None else data.get("bindings")
    if texts is None:
        return None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused("binding", "bindings must be a list of texts")
    return set(texts)


def friendly_name(order: Request) -> str | None:
    """The client's own name for the subscription; raises `Refused`."""
    name = order.given("name")
    if name is not None and not (isinstance(name, str) and len(name) <= MAX_NAME):
        raise Refused("data", f"name must be a text of at most {MAX_NAME} characters")
    return name


def metadata(order: Request) -> str | None:
    """What the client wants to see in every event of the subscription, as JSON; raises `Refused`."""
    given = order.given("metadata")
    if given is None:
        return None
    try:
        written = json.dumps(given, allow_nan=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        raise Refused("data", "metadata cannot be sent back: use something simpler") from None
    if len(written) > MAX_METADATA:
        raise Refused("data", f"metadata may have at most {MAX_METADATA} characters")
    return written


def wants_snapshot(order: Request) -> bool:
    """Does the client want the state first? Raises `Refused`."""
    wish = (order.data or {}).get("snapshot", False)
    if not isinstance(wish, bool):
        raise Refused("data", "snapshot must be true or false")
    return wish
