"""The action `dial` over REST: rows 12 to 16 of `kazoo-requests.md`, and what goes wrong (semantics 6.7)."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from mirliton.api.app import create_app
from mirliton.calls.live import BadEndpoints, Refused
from mirliton.settings import Settings

from .conftest import Api

ENDPOINTS = ["d" * 32, "e" * 32, "5551212", "sip:anna@example.com"]
RESPONSE = {"call_id": "c", "endpoint_id": "e", "job_id": "j", "status": "success", "message": "m"}
CALLER = {"caller_id_name": "Conference XYZ", "caller_id_number": "5551212"}


@dataclass
class FakeDialling:
    """Notes every request; raises `failure` when there is one."""

    failure: Exception | None = None
    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    async def dial(self, account_id: str, conference_id: str, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        self.requests.append((account_id, conference_id, dict(request)))
        if self.failure is not None:
            raise self.failure
        return [RESPONSE]

    @property
    def request(self) -> dict[str, Any]:
        """What the last request came down to."""
        return self.requests[-1][2]


@pytest.fixture
def dialling() -> FakeDialling:
    return FakeDialling()


@pytest.fixture
async def calling(api: Api, settings: Settings, dialling: FakeDialling) -> AsyncIterator[Api]:
    """The application with a server behind it that can call."""
    app = create_app(settings, api.store, api.rooms, CollectorRegistry(), now=api.clock, dialling=dialling)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mirliton") as http:
        yield replace(api, app=app, http=http)


@pytest.mark.parametrize(
    "body",
    [
        {"action": "dial", "data": {"data": {"endpoints": ENDPOINTS, **CALLER}}},
        {"action": "dial", "data": {"endpoints": ENDPOINTS, **CALLER}},
        {"data": {"action": "dial", "data": {"endpoints": ENDPOINTS, **CALLER}}},
        {"data": {"action": "dial", "endpoints": ENDPOINTS, **CALLER}},
    ],
)
async def test_row_12_dial_in_every_shape_of_body(calling: Api, dialling: FakeDialling, body: dict[str, Any]) -> None:
    made = await calling.make("conferences", name="Conf")
    answer = await calling.call("PUT", f"/conferences/{made['id']}", body)
    assert (answer.status_code, answer.json()["message"]) == (202, "attempted dial")
    assert answer.json()["data"] == {"endpoint_responses": [RESPONSE]}
    expected = {"endpoints": ENDPOINTS, **CALLER, "custom_application_vars": {}}
    assert dialling.requests == [(calling.account.id, made["id"], expected)]


@pytest.mark.parametrize(
    "body",
    [
        {"action": "dial", "data": {"data": {"endpoints": ["100"]}, "custom_application_vars": {"foo": "bar"}}},
        {"data": {"action": "dial", "data": {"endpoints": ["100"]}, "custom_application_vars": {"foo": "bar"}}},
        {"action": "dial", "data": {"endpoints": ["100"], "custom_application_vars": {"foo": "bar"}}},
        {"action": "dial", "data": {"endpoints": ["100"]}, "custom_application_vars": {"foo": "bar"}},
    ],
)
async def test_row_13_variables_beside_the_inner_data(
    calling: Api, dialling: FakeDialling, body: dict[str, Any]
) -> None:
    assert (await calling.call("PUT", "/conferences/sales", body)).status_code == 202
    assert dialling.request == {"endpoints": ["100"], "custom_application_vars": {"foo": "bar"}}


async def test_rows_14_and_15_the_call_id_and_all_flags(calling: Api, dialling: FakeDialling) -> None:
    flags = [
        "mute", "deaf", "distribute_dtmf", "is_moderator", "disable_moh", "ghost", "join_existing", "video_mute",
    ]  # fmt: skip
    wanted = {"endpoints": ["100"], "outbound_call_id": "xyz-abc", "participant_flags": flags, "timeout": "20"}
    answer = await calling.call("PUT", "/conferences/sales", {"action": "dial", "data": {"data": wanted}})
    assert answer.status_code == 202
    assert dialling.request == wanted | {"timeout": 20, "custom_application_vars": {}}


async def test_row_16_other_keys_set_up_an_ad_hoc_room(calling: Api, dialling: FakeDialling) -> None:
    room = {"play_entry_tone": True, "play_exit_tone": True, "play_name": "false"}
    body = {"action": "dial", "data": {"data": {"endpoints": ["100"], **room}}}
    assert (await calling.call("PUT", "/conferences/party", body)).status_code == 202
    assert {key: dialling.request[key] for key in room} == room | {"play_name": False}
    assert "name" not in dialling.request
    made = await calling.make("conferences", name="Conf")
    assert (await calling.call("PUT", f"/conferences/{made['id']}", body)).status_code == 202
    assert set(dialling.request) == {"endpoints", "custom_application_vars"}


@pytest.mark.parametrize(
    ("arguments", "path", "code"),
    [
        ({}, "endpoints", "required"),
        ({"endpoints": []}, "endpoints", "minItems"),
        ({"endpoints": [5]}, "endpoints.0", "type"),
        ({"endpoints": ["100"], "timeout": 0}, "timeout", "minimum"),
        ({"endpoints": ["100"], "participant_flags": ["dance"]}, "participant_flags.0", "enum"),
        ({"endpoints": ["100"], "outbound_call_id": "x y"}, "outbound_call_id", "pattern"),
        ({"endpoints": ["100"], "outbound_call_id": "x\r\nVia: y"}, "outbound_call_id", "pattern"),
        ({"endpoints": ["100"], "member": {"pins": [{}]}}, "member.pins.0", "type"),
        ({"endpoints": ["100"], "custom_application_vars": []}, "custom_application_vars", "type"),
        ({"endpoints": ["100"], "custom_application_vars": {"a": "b" * 5000}}, "custom_application_vars", "maxLength"),
    ],
)
async def test_what_breaks_the_schema_is_told_without_the_prefix_data(
    calling: Api, dialling: FakeDialling, arguments: dict[str, Any], path: str, code: str
) -> None:
    answer = await calling.call("PUT", "/conferences/party", {"action": "dial", "data": {"data": arguments}})
    assert (answer.status_code, answer.json()["message"]) == (400, "validation error")
    assert list(answer.json()["data"][path]) == [code]
    assert dialling.requests == []


async def test_a_password_in_a_wrong_request_is_not_repeated(calling: Api) -> None:
    device = {"sip": {"route": "sip:a@b", "username": "u", "password": "hunter22"}}
    for endpoints in (device, [[device]]):
        body = {"action": "dial", "data": {"data": {"endpoints": endpoints}}}
        answer = await calling.call("PUT", "/conferences/party", body)
        assert answer.status_code == 400
        assert "hunter22" not in answer.text


async def test_bad_endpoints_are_told_by_position_from_one(calling: Api, dialling: FakeDialling) -> None:
    dialling.failure = BadEndpoints(
        [(1, "enum", "no endpoint"), (3, "minItems", "no device"), (None, "minItems", "no")]
    )
    body = {"action": "dial", "data": {"data": {"endpoints": ["x", "y", "z"]}}}
    answer = await calling.call("PUT", "/conferences/party", body)
    assert (answer.status_code, answer.json()["error"]) == (400, "400")
    assert answer.json()["data"] == {
        "data.endpoints.1": {"enum": {"message": "no endpoint"}},
        "data.endpoints.3": {"minItems": {"message": "no device"}},
        "data.endpoints": {"minItems": {"message": "no"}},
    }


async def test_a_server_that_cannot_call_now_says_so(calling: Api, dialling: FakeDialling) -> None:
    dialling.failure = Refused(503, "the server stops")
    answer = await calling.call("PUT", "/conferences/party", {"action": "dial", "data": {"endpoints": ["100"]}})
    assert answer.status_code == 503
    assert answer.json()["data"] == {"status": "error", "message": "the server stops"}


async def test_without_calls_the_action_is_not_implemented(api: Api) -> None:
    answer = await api.call("PUT", "/conferences/party", {"action": "dial", "data": {"endpoints": ["100"]}})
    assert (answer.status_code, answer.json()["message"]) == (501, "not_implemented")


async def test_calling_takes_a_token(calling: Api, dialling: FakeDialling) -> None:
    body = {"action": "dial", "data": {"endpoints": ["100"]}}
    answer = await calling.http.put(f"/v2/accounts/{calling.account.id}/conferences/party", json=body)
    assert answer.status_code == 401
    assert dialling.requests == []
