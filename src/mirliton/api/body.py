"""The request body: bounded, strict JSON, an envelope around `data` (semantics 6.1)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from mirliton.api.errors import ApiError, validation_error, wrong

MAX_DEPTH = 100
BODY_SECONDS = 30.0
_INT64 = 2**63


async def read_envelope(chunks: AsyncIterator[bytes], limit: int) -> dict[str, Any]:
    """The body as an object, `{}` when it is empty; raises `ApiError` 413, 408 or 400."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read(chunks, limit)
    except TimeoutError:
        raise too_slow() from None
    if not body.strip():
        return {}
    envelope = _decode(body)
    if not isinstance(envelope, dict):
        raise _malformed("the body must be an object with a key `data`")
    if not isinstance(envelope.get("data", {}), dict | list):
        message = "must be an object or a list: wrap the value"
        raise wrong("data", "type", message, value=envelope["data"], target=["object", "array"])
    return envelope


async def _read(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)


def too_large(limit: int) -> ApiError:
    """413, with the limit."""
    return ApiError(
        413, "too_large", {"message": f"the body may have at most {limit} bytes: send less", "cause": limit}
    )


def too_slow() -> ApiError:
    """408: whoever sends a byte now and then must not hold a connection for ever."""
    message = "the body did not come in time: send it at once"
    return ApiError(408, "request_timeout", {"message": message}, {"Connection": "close"})


def _decode(body: bytes) -> Any:
    try:
        envelope = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise _malformed(f"the body is nested deeper than {MAX_DEPTH} levels: flatten it") from None
    _bounded(envelope)
    return envelope


def _bounded(envelope: Any) -> None:
    """Refuse what later layers could not carry: deep nesting, and integers that do not fit 64 bits."""
    level = [envelope]
    for _ in range(MAX_DEPTH):
        if any(type(value) is int and not -_INT64 <= value < _INT64 for value in level):
            raise _malformed("a whole number does not fit 64 bits: use a smaller one")
        level = [inner for value in level if isinstance(value, dict | list) for inner in _inside(value)]
        if not level:
            return
    raise _malformed(f"the body is nested deeper than {MAX_DEPTH} levels: flatten it")


def _inside(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _malformed(message: str) -> ApiError:
    return validation_error({"json": {"invalid": {"message": message, "target": "body"}}})
