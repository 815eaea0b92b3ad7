"""Orders of clients and the replies to them: semantics 7.2."""

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from .conftest import ROOM, Served

ALL = f"conference.event.{ROOM}.*"
ADDS = f"conference.event.add-member.{ROOM}.*"


async def test_a_subscription_is_answered_with_all_bindings_of_the_socket(served: Served) -> None:
    async with served.client() as client:
        first = await client.order("subscribe", {"account_id": served.account.id, "binding": ALL})
        second = await client.order("subscribe", {"account_id": served.account.id, "bindings": [ADDS, ALL]})
    assert first == {"action": "reply", "request_id": "r-1", "status": "success", "data": {"subscribed": [ALL]}}
    assert second["data"] == {"subscribed": [ALL, ADDS]}


async def test_binding_wins_over_bindings(served: Served) -> None:
    async with served.client() as client:
        answer = await client.order("subscribe", {"binding": ADDS, "bindings": [ALL]})
    assert answer["data"] == {"subscribed": [ADDS]}


async def test_the_account_is_the_tokens_own_when_none_is_named(served: Served) -> None:
    async with served.client() as client:
        await client.order("subscribe", {"binding": ALL})
        served.rooms.start(served.account.id, ROOM)
        assert (await client.happened(1))[0]["data"]["account_id"] == served.account.id


async def test_one_binding_ends_or_all_do(served: Served) -> None:
    async with served.client() as client:
        await client.subscribe(ALL, ADDS)
        one = await client.order("unsubscribe", {"account_id": served.account.id, "binding": ADDS})
        await client.subscribe(ADDS)
        rest = await client.order("unsubscribe")
        none = await client.order("unsubscribe", {"binding": ALL})
    assert one["data"] == {"unsubscribed": [ADDS], "subscribed": [ALL]}
    assert rest["data"] == {"unsubscribed": [ALL, ADDS], "subscribed": []}
    assert none["data"] == {"unsubscribed": [], "subscribed": []}


async def test_nothing_comes_after_the_end_of_a_binding(served: Served) -> None:
    room = served.rooms.start(served.account.id, ROOM)
    async with served.client() as client:
        await client.subscribe(ALL)
        served.rooms.join(room)
        await client.happened(1)
        await client.order("unsubscribe")
        served.rooms.join(room)
        await client.order("ping")
        assert client.events == []


async def test_ping_is_answered_with_pong_even_before_a_token(served: Served) -> None:
    async with served.client() as client:
        answer = await client.say('{"action":"ping","request_id":7}')
    assert answer == {"action": "reply", "request_id": 7, "status": "success", "data": {"response": "pong"}}


async def test_a_request_id_is_made_up_when_there_is_none(served: Served) -> None:
    async with served.client() as client:
        given: list[Any] = [None, "", [], "x" * 5000, 2**70]
        orders = [json.dumps({"action": "ping", "request_id": request_id}) for request_id in given]
        ids = [(await client.say(order))["request_id"] for order in orders]
    assert all(isinstance(made, str) and len(made) == 32 for made in ids)
    assert len(set(ids)) == len(ids)


async def test_a_token_is_needed_until_the_first_success(served: Served) -> None:
    async with served.client() as client:
        without = await client.order("subscribe", {"binding": ALL}, auth_token=None)
        wrong = await client.order("subscribe", {"binding": ALL}, auth_token="0" * 64)
        unsubscribing = await client.order("unsubscribe", auth_token=None)
        await client.order("subscribe", {"binding": ALL})
        later = await client.order("subscribe", {"binding": ADDS}, auth_token=None)
    for refused in (without, wrong, unsubscribing):
        assert refused["status"] == "error"
        assert refused["data"] == {"errors": ["invalid credentials: log in and send auth_token"]}
    assert later["data"] == {"subscribed": [ALL, ADDS]}
    assert served.counted("refused_requests_total", reason="token") == 3


async def test_a_socket_stays_authenticated_when_its_token_ends(served: Served) -> None:
    async with served.client() as client:
        await client.subscribe(ALL)
        await served.store.tokens.revoke(served.token)
        assert (await client.order("subscribe", {"binding": ADDS}))["status"] == "success"


async def test_another_account_is_refused(served: Served) -> None:
    other = await served.store.accounts.create({"name": "other"})
    async with served.client() as client:
        for account_id in (other.id, "*", "", 5, [served.account.id]):
            answer = await client.order("subscribe", {"account_id": account_id, "binding": ALL})
            assert answer["status"] == "error"
            assert answer["data"] == {"errors": ["unauthorized account id"]}
        await client.subscribe(ALL)
        answer = await client.order("subscribe", {"account_id": other.id, "binding": ADDS})
        assert answer["data"] == {"errors": ["unauthorized account id"]}


async def test_a_refused_token_does_not_make_the_socket_anybodys(served: Served) -> None:
    other = await served.store.accounts.create({"name": "other", "enabled": False})
    token = await served.store.tokens.issue(other.id, None, "api_auth", 3600)
    async with served.client() as client:
        answer = await client.order("subscribe", {"binding": ALL}, auth_token=token)
        assert answer["data"] == {"errors": ["the account is disabled"]}
        await client.subscribe(ALL)
        rows = (await served.get(f"/accounts/{served.account.id}/websockets")).json()["data"]
    assert len(rows) == 1


WRONG: dict[str, tuple[Any, str]] = {
    "no action": ({"data": {}}, "action"),
    "unknown action": ({"action": "destroy"}, "action"),
    "number as action": ({"action": 5}, "action"),
    "list as data": ({"action": "subscribe", "data": []}, "data"),
    "number as token": ({"action": "subscribe", "auth_token": 5}, "data"),
    "no binding": ({"action": "subscribe", "data": {}}, "binding"),
    "no bindings": ({"action": "subscribe", "data": {"bindings": []}}, "binding"),
    "text as bindings": ({"action": "subscribe", "data": {"bindings": ALL}}, "binding"),
    "object as binding": ({"action": "subscribe", "data": {"binding": {}}}, "binding"),
    "list in bindings": ({"action": "subscribe", "data": {"bindings": [ALL, []]}}, "binding"),
    "number to end": ({"action": "unsubscribe", "data": {"bindings": [1]}}, "binding"),
    "other service": ({"action": "subscribe", "data": {"binding": "doc_created.*.user.*"}}, "binding"),
    "too many at a time": ({"action": "subscribe", "data": {"bindings": [ALL] * 6}}, "bindings"),
    "long name": ({"action": "subscribe", "data": {"binding": ALL, "name": "x" * 257}}, "data"),
    "number as name": ({"action": "subscribe", "data": {"binding": ALL}, "name": 5}, "data"),
    "much metadata": ({"action": "subscribe", "data": {"binding": ALL, "metadata": ["x" * 100] * 50}}, "data"),
    "text as snapshot": ({"action": "subscribe", "data": {"binding": ALL, "snapshot": "yes"}}, "data"),
    "snapshot of commands": (
        {"action": "subscribe", "data": {"binding": "conference.command.sales", "snapshot": True}}, "snapshot",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
async def test_an_order_that_makes_no_sense_is_refused_and_changes_nothing(served: Served, kind: str) -> None:
    envelope, reason = WRONG[kind]
    async with served.client() as client:
        answer = await client.say(json.dumps({"auth_token": served.token, "request_id": "r", **envelope}))
        assert answer["status"] == "error", answer
        assert answer["request_id"] == "r"
        assert all(isinstance(error, str) and error for error in answer["data"]["errors"])
        assert served.counted("refused_requests_total", reason=reason) == 1
        assert (await client.subscribe(ADDS))["data"] == {"subscribed": [ADDS]}


async def test_every_wrong_binding_is_named_and_none_is_kept(served: Served) -> None:
    async with served.client() as client:
        answer = await client.order("subscribe", {"bindings": [ALL, "a", "b"]})
        assert len(answer["data"]["errors"]) == 2
        assert (await client.subscribe(ADDS))["data"] == {"subscribed": [ADDS]}


async def test_a_socket_has_a_limited_number_of_bindings(served: Served) -> None:
    async with served.client() as client:
        await client.subscribe(*[f"conference.event.{number}.*" for number in range(5)])
        answer = await client.order("subscribe", {"binding": ALL})
        assert answer["data"] == {"errors": ["a socket has at most 5 bindings: end some first"]}
        await client.subscribe("conference.event.0.*")
        await client.order("unsubscribe", {"binding": "conference.event.0.*"})
        await client.subscribe(ALL)


async def test_a_fault_of_ours_is_told_and_the_socket_goes_on(served: Served) -> None:
    async with served.client() as client:
        served.rooms.broken = True
        await client.subscribe(ALL, snapshot=True)
        assert (await client.reply())["data"] == {"errors": ["a fault of the server, logged as r-1"]}
        served.rooms.broken = False
        assert (await client.subscribe(ADDS))["data"] == {"subscribed": [ADDS]}
    assert served.counted("faults_total") == 1


async def test_a_fault_with_an_event_ends_the_socket(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served.client() as client:
        await client.subscribe(ALL)
        monkeypatch.delattr("mirliton.api.events.messages.Heading.event")
        served.rooms.start(served.account.id, ROOM)
        with pytest.raises(ConnectionClosed) as closed:
            await client.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
    assert served.counted("faults_total") == 1
    assert served.counted("ended_sockets_total", reason="fault") == 1


async def test_orders_are_answered_in_their_order(served: Served) -> None:
    async with served.client() as client:
        for number in range(200):
            await client.connection.send(json.dumps({"action": "ping", "request_id": number}))
        assert [(await client.reply())["request_id"] for number in range(200)] == list(range(200))


async def test_sockets_close_when_the_server_stops(served: Served) -> None:
    async with served.client() as client:
        await client.subscribe(ALL)
        await served.server.stop()
        await asyncio.wait_for(client.connection.wait_closed(), 20)
        assert client.connection.close_code == 1012
