"""The OpenAPI 3.1 document, made from the routes, the schemas and the table; `GET /v2/openapi.json`."""

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from starlette.responses import JSONResponse, Response

from mirliton.api.call import Call, Route
from mirliton.api.openapi.operations import Example, Operation, Section, Shape
from mirliton.api.openapi.shapes import COUNT, TEXT, components, record, reference
from mirliton.api.openapi.table import SECTIONS

OPENAPI_PATH = "/openapi.json"

REASONS = {
    304: "The client has it already (`If-None-Match`)",
    400: "Something in the request is wrong: `data` says what, by dotted path and code",
    401: "No token, or one that is not valid any more",
    403: "Not allowed",
    404: "Nothing has this id, or the action is unknown",
    405: "The verb has no meaning here",
    408: "The body did not come in time",
    409: "Somebody else was faster, or the room is in another state",
    413: "The body is too large",
    416: "The answer would have too many rows",
    423: "The account is disabled",
    429: "Too many attempts: `Retry-After` says how long to wait",
    501: "This version cannot do it",
    503: "Something that is needed does not answer",
}
QUERY: dict[str, tuple[Shape, str]] = {
    "page_size": ({"type": "integer", "minimum": 1}, "Rows in an answer"),
    "start_key": (TEXT, "`next_start_key` of the last answer"),
    "paginate": ({"enum": ["true", "false"]}, "`false`: everything at once"),
    "ascending": ({"enum": ["true", "false"]}, "`true`: oldest first"),
    "has_key": (TEXT, "Only documents with this key"),
    "key_missing": (TEXT, "Only documents without this key"),
    "has_value": (TEXT, "Only documents in which this key is not empty"),
    "missing_value": (TEXT, "Only documents in which this key is absent or empty"),
    "created_from": (COUNT, "Gregorian seconds"),
    "created_to": (COUNT, "Gregorian seconds"),
    "modified_from": (COUNT, "Gregorian seconds"),
    "modified_to": (COUNT, "Gregorian seconds"),
    "filter_name": (TEXT, "Only documents whose `name` is this; works with every key"),
    "filter_not_name": (TEXT, "Only documents whose `name` is not this; works with every key"),
    "effective": ({"enum": ["true", "false"]}, "`true`: with every setting that holds, and where it comes from"),
}
GAPS = {
    "account_id": "The account's id",
    "document_id": "The document's id; of a conference also the name of an ad-hoc room",
    "participant_id": "The participant's number",
    "category": "`conferences`",
    "schema_id": "The schema's id",
    "socket_id": "The socket's `websocket_session_id`",
    "token": "A token",
}
GAP = re.compile(r"\{(\w+)\}")


class Undescribed(LookupError):
    """A route has a verb of which the table says nothing."""


def openapi_document(routes: Sequence[Route], sections: Sequence[Section] = SECTIONS) -> dict[str, Any]:
    """The document for these routes; raises `Undescribed`."""
    described = {place: (section, told) for section in sections for place, told in section.operations.items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        for verb in route.handlers:
            if (route.path, verb) not in described:
                raise Undescribed(f"{verb} {route.path}")
            section, told = described[route.path, verb]
            paths.setdefault(f"/v2{route.path}", {})[verb.lower()] = _operation(route, verb, section, told)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mirliton", "version": version("mirliton"), "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": section.title, "description": section.text} for section in sections],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components(),
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
        },
    }


ABOUT = (
    "A conference bridge that speaks Kazoo's API. Bodies and answers are envelopes around `data`. Everywhere: "
    "`pretty_print=true` for people, `jsonp=NAME` on GET, and a POST with `verb` in query or body stands for that verb."
)


def openapi_route(routes: Sequence[Route]) -> Route:
    """The route that shows the document of all these routes, itself among them once it is there."""

    @cache
    def document() -> dict[str, Any]:
        return openapi_document(routes)

    async def show(_call: Call) -> Response:
        """The same for everybody: it holds nothing of anybody."""
        return JSONResponse(document(), headers={"Access-Control-Allow-Origin": "*"})

    return Route(OPENAPI_PATH, {"GET": show}, public=True)


def _operation(route: Route, verb: str, section: Section, told: Operation) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": operation_id(route.path, verb),
        "summary": told.summary,
        "description": told.text,
        "tags": [section.title],
        "parameters": [*_gaps(route.path), *_query(told)],
        "responses": _responses(route, verb, told),
    }
    if route.public:
        operation["security"] = []
    if (body := _body(route, verb, told)) is not None:
        operation["requestBody"] = body
    return {key: value for key, value in operation.items() if value != ""}


def operation_id(path: str, verb: str) -> str:
    """A name for generated clients: `get_account_conferences_document_id_participants`."""
    own = path.replace("/accounts/{account_id}/", "/account/", 1)
    return f"{verb.lower()}_{re.sub(r'[^A-Za-z]+', '_', own).strip('_')}"


def codes(route: Route, verb: str, told: Operation) -> list[int]:
    """Every status that this can answer with, 500 aside."""
    always = {400, 408, 413, 503}
    of_token = set() if route.public else {401}
    of_account = {403, 404, 423} if "{account_id}" in route.path else set()
    of_verb = {"GET": {304}, "POST": {405}}.get(verb, set())
    successes = {example.code or told.code for example in told.examples} | {told.code}
    return sorted(successes | always | of_token | of_account | of_verb | told.refusals)


def _gaps(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": TEXT, "description": GAPS[name]}
        for name in GAP.findall(path)
    ]


def _query(told: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": False, "schema": QUERY[name][0], "description": QUERY[name][1]}
        for name in told.query
    ]


def _body(route: Route, verb: str, told: Operation) -> dict[str, Any] | None:
    if verb in route.raw:
        return {"required": True, "content": {"application/octet-stream": {"schema": {}}}}
    if told.body is None:
        return None
    shape = told.body if told.whole_body else record({"data": told.body})
    content: dict[str, Any] = {"schema": shape}
    if examples := _examples(told.examples):
        content["examples"] = examples
    return {"required": True, "content": {"application/json": content}}


def _examples(examples: Sequence[Example]) -> dict[str, Any]:
    return {
        f"example_{number}": {"summary": example.title or f"Example {number}", "value": sample(example.body)}
        for number, example in enumerate(examples, 1)
        if example.body is not None
    }


def sample(value: Any) -> Any:
    """An example's body with made-up ids where it has names."""
    if isinstance(value, dict):
        return {key: sample(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [sample(inner) for inner in value]
    if isinstance(value, str) and value.startswith("#"):
        return 1
    return "0123456789abcdef0123456789abcdef" if isinstance(value, str) and value.startswith("$") else value


def _responses(route: Route, verb: str, told: Operation) -> dict[str, Any]:
    return {str(code): _response(verb, told, code) for code in codes(route, verb, told)}


def _response(verb: str, told: Operation, code: int) -> dict[str, Any]:
    if code >= 400:
        return {"description": REASONS[code], "content": {"application/json": {"schema": reference("failure")}}}
    if code == 304:
        return {"description": REASONS[code]}
    if told.binary:
        return {"description": told.summary, "content": {kind: {"schema": {}} for kind in ("audio/*",)}}
    shape = told.reply if told.plain else _enveloped(told)
    return {"description": told.summary, "content": {"application/json": {"schema": shape}}}


def _enveloped(told: Operation) -> Shape:
    return {"allOf": [reference("envelope"), {"type": "object", "properties": {"data": told.reply, **told.extra}}]}
