"""Answers in Kazoo's envelope (semantics 6.1)."""

import json
import re
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from starlette.responses import Response

from mirliton.api.call import Call, Reply
from mirliton.api.errors import ApiError

VERSION = version("mirliton")
_CALLBACK = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.]{0,63}")


def success(call: Call, reply: Reply) -> Response:
    """The envelope around a reply, or 304 when the client has it already."""
    headers = dict(reply.headers)
    if reply.etag is not None:
        headers["ETag"] = f'"{reply.etag}"'
        if call.verb == "GET" and call.has(reply.etag):
            return Response(status_code=304, headers=headers | _common_headers(call.request_id))
    envelope = {"data": reply.data, "status": "success", **_common(call), **reply.extra}
    if reply.revision is not None:
        envelope["revision"] = reply.revision
    return _render(call, reply.code, envelope, headers)


def failure(call: Call, error: ApiError) -> Response:
    """The envelope around an error."""
    envelope = {"data": error.data, "status": "error", "error": str(error.code), "message": error.message}
    return _render(call, error.code, envelope | error.extra | _common(call), error.headers)


def bare_failure(request_id: str, node: str, error: ApiError) -> Response:
    """The envelope around an error of a request that no route took."""
    envelope = {"data": error.data, "status": "error", "error": str(error.code), "message": error.message}
    text = json.dumps(envelope | {"request_id": request_id, "node": node, "timestamp": _timestamp()})
    return _json(text, error.code, {**error.headers, **_common_headers(request_id)})


def _common(call: Call) -> dict[str, Any]:
    left = call.services.attempts.left(call.client)
    common: dict[str, Any] = {
        "request_id": call.request_id,
        "node": call.services.node,
        "timestamp": _timestamp(),
        "tokens": {"consumed": 0, "remaining": left},
    }
    if call.token is not None:
        common |= {"auth_token": call.token_text, "version": VERSION}
    return common


def _timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _render(call: Call, code: int, envelope: dict[str, Any], headers: dict[str, str]) -> Response:
    text = json.dumps(envelope, indent=4 if _pretty(call) else None)
    headers = {**headers, **_common_headers(call.request_id)}
    callback = call.query.get("jsonp")
    if callback is not None and call.verb == "GET" and _CALLBACK.fullmatch(callback):
        return Response(f"/**/{callback}({text});", code, headers, "application/javascript")
    return _json(text, code, headers)


def _json(text: str, code: int, headers: dict[str, str]) -> Response:
    return Response(text, code, headers, "application/json")


def _pretty(call: Call) -> bool:
    return "true" in (call.query.get("pretty_print"), call.request.headers.get("x-pretty-print"))


def _common_headers(request_id: str) -> dict[str, str]:
    # Documents hold PINs: no cache on the way may keep them.
    return {"X-Request-ID": request_id, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
