"""From an HTTP request to a handler: id, body, verb, authentication, account, and every failure in Kazoo's shape."""

import re
import secrets
import traceback
from collections.abc import Awaitable, Callable

import structlog
from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from mirliton.api.authentication import authenticate
from mirliton.api.body import read_envelope, too_large
from mirliton.api.call import Call, Reply, Route, Services
from mirliton.api.envelope import failure, success
from mirliton.api.errors import ApiError, from_failure

METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TUNNELLED = {"GET", "PUT", "POST", "PATCH", "DELETE"}

log = structlog.get_logger("mirliton.api")


def endpoint(services: Services, route: Route) -> Callable[[Request], Awaitable[Response]]:
    """The function that FastAPI calls for a route."""

    async def serve(request: Request) -> Response:
        call = Call(
            services, request, request_id_of(request), _verb(request), request.path_params, dict(request.query_params)
        )
        response = await _answer(call, route)
        services.metrics.requests.labels(route.path, call.verb, str(response.status_code)).inc()
        return response

    return serve


def request_id_of(request: Request) -> str:
    """The client's own id for the request, else a new one."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


async def _answer(call: Call, route: Route) -> Response:
    try:
        reply = await _handle(call, route)
        return success(call, reply) if isinstance(reply, Reply) else reply
    except Exception as raised:
        return failure(call, _explained(call, route, raised))


def _explained(call: Call, route: Route, raised: Exception) -> ApiError:
    if (known := from_failure(raised)) is not None:
        return known
    if isinstance(raised, ClientDisconnect):
        return ApiError(400, "parse_error", {"message": "the connection closed before the body was complete"})
    call.services.metrics.faults.inc()
    # As text, on one line: a renderer that shows local variables would put tokens and PINs into the log.
    trace = "".join(traceback.format_exception(raised))
    log.error("request met a fault", request_id=call.request_id, route=route.path, verb=call.verb, trace=trace)
    if isinstance(raised, SQLAlchemyError):
        return ApiError(503, "datastore_fault", {"message": "the database does not answer: try again later"})
    return ApiError(500, "unspecified_fault", {"message": f"a fault of the server, logged as {call.request_id}"})


async def _handle(call: Call, route: Route) -> Reply | Response:
    if call.verb not in route.raw or call.verb not in route.handlers:
        await _read_body(call)
    handler = route.handlers.get(call.verb)
    if handler is None:
        allowed = ", ".join(sorted(route.handlers))
        message = f"{call.verb} has no meaning here: use {allowed}"
        raise ApiError(405, "invalid_method", {"message": message}, {"Allow": allowed})
    if not route.public:
        await authenticate(call)
    return await handler(call)


async def _read_body(call: Call) -> None:
    limit = call.services.settings.http.max_body_bytes
    length = call.request.headers.get("content-length", "")
    try:
        if length.isdigit() and int(length) > limit:
            raise too_large(limit)
        call.envelope = await read_envelope(call.request.stream(), limit)
    except ApiError as error:
        if error.code == 413:
            call.services.metrics.oversized.inc()
        raise
    call.verb = _tunnelled(call)


def _verb(request: Request) -> str:
    return "GET" if request.method == "HEAD" else request.method


def _tunnelled(call: Call) -> str:
    """A POST may stand for another verb, named in the query or the body (semantics 6.1)."""
    if call.verb != "POST":
        return call.verb
    wanted = call.query.get("verb", call.envelope.get("verb"))
    if wanted is None:
        return call.verb
    if not isinstance(wanted, str) or wanted.upper() not in _TUNNELLED:
        raise ApiError(405, "invalid_method", {"message": f"verb must be one of {', '.join(sorted(_TUNNELLED))}"})
    return wanted.upper()
