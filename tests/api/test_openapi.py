"""The OpenAPI document tells of every route and verb, and of nothing else."""

from typing import Any

import jsonschema_rs
import pytest

from mirliton.api.app import ROUTES
from mirliton.api.call import Call, Reply, Route
from mirliton.api.openapi import SECTIONS, openapi_document
from mirliton.api.openapi.document import Undescribed

from .conftest import Api

SERVED = {(route.path, verb) for route in ROUTES for verb in route.handlers}
DESCRIBED = [place for section in SECTIONS for place in section.operations]


def test_every_route_and_verb_is_described_and_every_description_has_a_route() -> None:
    assert set(DESCRIBED) == SERVED
    assert len(DESCRIBED) == len(set(DESCRIBED))


def test_a_route_without_a_description_is_no_document() -> None:
    async def nothing(_call: Call) -> Reply:
        raise NotImplementedError

    with pytest.raises(Undescribed, match="GET /new"):
        openapi_document([*ROUTES, Route("/new", {"GET": nothing})])


def test_every_verb_has_words_and_answers_and_a_name_of_its_own() -> None:
    document = openapi_document(ROUTES)
    operations = [operation for verbs in document["paths"].values() for operation in verbs.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations) == len(SERVED)
    for operation in operations:
        assert operation["summary"]
        assert any(code.startswith("2") for code in operation["responses"])
        assert {"400", "413"} <= set(operation["responses"])
        secured = operation.get("security") != []
        assert ("401" in operation["responses"]) >= secured


def test_every_reference_leads_somewhere_and_every_schema_is_one() -> None:
    document = openapi_document(ROUTES)
    for path in _references(document):
        found: Any = document
        for part in path.removeprefix("#/").split("/"):
            found = found[part]
        assert found
    for shape in document["components"]["schemas"].values():
        assert jsonschema_rs.meta.is_valid({"$schema": "https://json-schema.org/draft/2020-12/schema", **shape})


async def test_the_document_is_there_without_a_token(api: Api) -> None:
    answer = await api.http.get("/v2/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == openapi_document(ROUTES)
    assert answer.json()["openapi"] == "3.1.0"


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [path for inner in value for path in _references(inner)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [path for inner in value.values() for path in _references(inner)]
