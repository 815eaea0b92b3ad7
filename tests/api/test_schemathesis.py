"""Requests made from the API's own description: answered as described, and never with a fault of ours."""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mirliton.api.app import ROUTES
from mirliton.api.openapi import openapi_document

from .conftest import Api

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SCHEMA = schemathesis.openapi.from_dict(openapi_document(ROUTES))
OPERATIONS = {
    f"{found.ok().method.upper()} {found.ok().path}": found.ok()
    for found in SCHEMA.get_all_operations()
    if isinstance(found, Ok)
}
CATEGORIES = ["conferences", "other"]
SCHEMAS = ["conferences", "callflows.conference", "none"]
KINDS = {
    "conferences": "conference",
    "callflows": "callflow",
    "users": "user",
    "devices": "device",
    "media": "media",
    "webhooks": "webhook",
}
REQUESTS_PER_OPERATION = 8
BY_CHANCE_NEVER = {
    "PUT /v2/api_auth",
    "PUT /v2/user_auth",
    "PUT /v2/conference_auth",
    "PUT /v2/accounts/{account_id}/conference_auth/{document_id}",
    "PUT /v2/accounts/{account_id}/webhooks",
    "POST /v2/accounts/{account_id}/webhooks/{document_id}",
    "GET /v2/accounts/{account_id}/media/{document_id}/raw",
    "PUT /v2/accounts/{account_id}/media/{document_id}/raw",
    "POST /v2/accounts/{account_id}/media/{document_id}/raw",
    "GET /v2/accounts/{account_id}/websockets/{socket_id}",
}
TRIED: dict[str, set[int]] = {}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "conferences": {"name": "x", "member": {"pins": ["1"]}},
    "callflows": {"numbers": ["1"], "flow": {"module": "conference", "data": {}}},
    "users": {"username": "x", "password": "y"},
    "devices": {"name": "x"},
    "media": {"name": "x"},
    "webhooks": {"name": "x", "uri": "https://hooks.example/", "hook": "conference"},
}


def test_every_operation_is_tried() -> None:
    assert len(OPERATIONS) == sum(len(route.handlers) for route in ROUTES)


@seed(20260101)
@given(data=st.data())
@settings(
    max_examples=REQUESTS_PER_OPERATION,
    deadline=None,
    database=None,
    suppress_health_check=[*HealthCheck],
)
@pytest.mark.parametrize("name", list(OPERATIONS))
@pytest.mark.slow
async def test_answers_are_as_described(api: Api, name: str, data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
    case = data.draw(OPERATIONS[name].as_strategy(generation_mode=mode))
    gaps = case.path_parameters
    for key, choices in (await _real(api, name)).items():
        if key in gaps:
            gaps[key] = data.draw(st.sampled_from([*choices * 4, gaps[key]]))
    case.validate_response(await _answer(api, case), checks=CHECKS)


def test_every_operation_succeeded_at_times() -> None:
    """Else the test above would show nothing but refusals."""
    if len(TRIED) < len(OPERATIONS):
        pytest.skip("not every operation was tried in this run")
    assert {name for name, codes in TRIED.items() if min(codes) >= 300} <= BY_CHANCE_NEVER


async def _answer(api: Api, case: Case[Any]) -> httpx.Response:
    wanted = case.as_transport_kwargs(base_url="http://mirliton")
    headers = dict(wanted["headers"] or {}) | {"X-Auth-Token": api.token}
    body = {"json": wanted["json"]} if "json" in wanted else {"content": wanted.get("data")}
    answer = await api.http.request(
        wanted["method"], wanted["url"], headers=headers, params=wanted.get("params"), **body
    )
    TRIED.setdefault(f"{case.method} {case.path}", set()).add(answer.status_code)
    return answer


async def _real(api: Api, name: str) -> dict[str, list[Any]]:
    """Values for the gaps of a path that lead somewhere."""
    if await api.store.tokens.look(api.token) is None:
        await api.login()
    api.rooms.open(api.account.id, "sales", True, False)
    collection = name.split("/")[4] if name.count("/") > 3 else ""
    collection = {"conference_auth": "conferences"}.get(collection, collection)
    documents = ["sales"] if name.startswith("PUT") or "participants" in name else []
    if collection in DOCUMENTS:
        documents.append(await _document(api, collection))
    return {
        "account_id": [api.account.id],
        "document_id": documents,
        "participant_id": ["1", "2", "3"],
        "category": CATEGORIES,
        "schema_id": SCHEMAS,
        "token": [api.token],
    }


async def _document(api: Api, collection: str) -> str:
    found = await api.store.documents.list(api.account.id, KINDS[collection], limit=1)
    if found.documents:
        return found.documents[0].id
    return str((await api.make(collection, **DOCUMENTS[collection]))["id"])
