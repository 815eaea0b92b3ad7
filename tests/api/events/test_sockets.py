"""Who may open a socket, what breaks one, and which sockets can be seen over REST."""

import asyncio
import json
import random
import time
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from mirliton.api.events.hub import EventHub
from mirliton.api.events.session import Session
from mirliton.calls.events import EventFeed
from mirliton.conference.member import GREGORIAN_OFFSET
from mirliton.settings import EventSettings

from ..fake_rooms import FakeRooms
from .conftest import ROOM, Served, until

ALL = f"conference.event.{ROOM}.*"


async def status_of(served: Served, **options: Any) -> tuple[int, dict[str, Any]]:
    """How the server refuses a socket."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(served.uri, **options):
            pass
    return refused.value.response.status_code, json.loads(refused.value.response.body or b"{}")


async def test_a_sub_protocol_is_refused(served: Served) -> None:
    code, envelope = await status_of(served, subprotocols=["kazoo"])
    assert (code, envelope["status"], envelope["error"]) == (400, "error", "400")
    assert served.counted("refused_sockets_total", reason="protocol") == 1


async def test_too_many_sockets_of_one_address_are_refused(served: Served) -> None:
    clients = [await connect(served.uri) for _ in range(4)]
    code, envelope = await status_of(served)
    assert (code, envelope["message"]) == (429, "too_many_requests")
    await clients.pop().close()
    await until(lambda: served.counted("open_sockets") == 3)
    clients.append(await connect(served.uri))
    for client in clients:
        await client.close()
    assert served.counted("refused_sockets_total", reason="address") == 1


async def test_a_socket_elsewhere_is_refused(served: Served) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(served.uri.replace("events", "elsewhere")):
            pass
    assert refused.value.response.status_code == 403


class TestTotal:
    """The bound on all sockets."""

    @pytest.fixture
    def event_settings(self) -> EventSettings:
        return EventSettings(max_sockets=2)

    async def test_too_many_sockets_together_are_refused(self, served: Served) -> None:
        async with served.client(), served.client():
            code, envelope = await status_of(served)
        assert (code, envelope["message"]) == (503, "service_unavailable")


async def test_the_account_sees_its_sockets(served: Served) -> None:
    mine = f"/accounts/{served.account.id}/websockets"
    async with served.client() as client, served.client():
        await client.subscribe(ALL)
        (row,) = (await served.get(mine)).json()["data"]
        one = (await served.get(f"{mine}/{row['websocket_session_id']}")).json()["data"]
        missing = await served.get(f"{mine}/{'0' * 32}")
    assert one == row
    assert (row["bindings"], row["source"]) == ([ALL], "127.0.0.1")
    assert row["destination"]
    assert abs(row["timestamp"] - GREGORIAN_OFFSET - time.time()) < 60
    assert missing.status_code == 404


async def test_nobody_sees_sockets_of_others(served: Served) -> None:
    other = await served.store.accounts.create({"name": "other", "enabled": True})
    token = await served.store.tokens.issue(other.id, None, "api_auth", 3600)
    async with served.client() as client:
        await client.subscribe(ALL)
        (row,) = (await served.get(f"/accounts/{served.account.id}/websockets")).json()["data"]
        own = f"/accounts/{other.id}/websockets"
        assert (await served.get(own, token)).json()["data"] == []
        assert (await served.get(f"{own}/{row['websocket_session_id']}", token)).status_code == 404
        assert (await served.get(f"/accounts/{served.account.id}/websockets", token)).status_code == 403


async def test_the_forms_of_bindings_are_listed(served: Served) -> None:
    data = (await served.get("/websockets")).json()["data"]
    assert "conference.event.{CONFERENCE_ID}.{CALL_ID}" in data["conference"]


async def test_a_closed_socket_leaves_nothing_behind(served: Served) -> None:
    for _ in range(10):
        async with served.client() as client:
            await client.subscribe(ALL)
    await until(lambda: served.counted("open_sockets") == 0)
    assert not served.feed._subscriptions
    assert (await served.get(f"/accounts/{served.account.id}/websockets")).json()["data"] == []


REFUSED_FRAMES: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "json"),
    "no JSON": ("{", "json"),
    "list": ("[]", "json"),
    "number": ("1", "json"),
    "NaN": ('{"action":NaN}', "json"),
    "deep list": ('{"action":' + "[" * 20_000 + "]" * 20_000 + "}", "json"),
    "deep object": ('{"a":' * 10_000 + "1" + "}" * 10_000, "json"),
    "surrogate": ('{"action":"\\ud800"}', "json"),
    "NUL": ("\0", "json"),
    "binary": (b'{"action":"ping"}', "binary"),
    "thousands of bindings": (
        json.dumps({"action": "subscribe", "data": {"bindings": ["conference.event.C.*"] * 2000}}), "token",
    ),
    "keys": (json.dumps({f"key {number}": number for number in range(2000)}), "action"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED_FRAMES)
async def test_a_hostile_frame_is_refused_and_the_socket_goes_on(served: Served, kind: str) -> None:
    frame, reason = REFUSED_FRAMES[kind]
    async with served.client() as client:
        answer = await client.say(frame)
        assert answer["status"] == "error", answer
        if reason:
            assert served.counted("refused_requests_total", reason=reason) == 1
        await client.subscribe(ALL)
    assert served.counted("faults_total") == 0


@pytest.mark.parametrize(
    "metadata", ["[" * 990 + "]" * 990, "[" * 5000 + "]" * 5000, "9" * 5000, "1e400", '"' + "x" * 5000 + '"']
)
async def test_metadata_that_cannot_be_carried_is_refused(served: Served, metadata: str) -> None:
    start = json.dumps({"action": "subscribe", "auth_token": served.token, "data": {"binding": ALL}})
    async with served.client() as client:
        answer = await client.say(f'{start[:-1]},"metadata":{metadata}}}')
        assert answer["status"] == "error"
        await client.subscribe(ALL)
    assert served.counted("faults_total") == 0


async def test_thousands_of_bindings_are_refused_also_with_a_token(served: Served) -> None:
    async with served.client() as client:
        answer = await client.order("subscribe", {"bindings": [f"conference.event.{n}.*" for n in range(2000)]})
        assert answer["data"] == {"errors": ["at most 5 bindings at a time: send fewer"]}


async def closed_with(served: Served, *frames: bytes) -> int | None:
    """The code with which the server ends a socket after these bytes."""
    async with served.client() as client:
        client.connection.transport.write(b"".join(frames))
        with pytest.raises(ConnectionClosed) as closed:
            await client.receive()
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code


def written(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([written(Opcode.TEXT, b"x" * 70_000)], 1009),
        ([written(Opcode.TEXT, b"x" * 40_000, fin=False), written(Opcode.CONT, b"x" * 40_000)], 1009),
        ([written(Opcode.TEXT, b"", fin=False), *[written(Opcode.CONT, b"", fin=False)] * 5000], 1009),
        ([written(Opcode.TEXT, b"\xff\xfe{}")], 1007),
        ([written(Opcode.TEXT, b'{"a":"\xc3', fin=False), written(Opcode.CONT, b'("}')], 1007),
        ([written(Opcode.CONT, b"x")], 1002),
        ([b"\xff" * 64], 1002),
        ([b"\x83\x80\0\0\0\0"], 1002),
        ([Frame(Opcode.TEXT, b"{}").serialize(mask=False)], 1002),
    ],
    ids=["huge", "huge in parts", "endless", "no UTF-8", "no UTF-8 in parts", "no start", "noise", "opcode", "no mask"],
)
async def test_a_frame_that_breaks_the_protocol_ends_its_socket_only(
    served: Served, frames: list[bytes], code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with served.client() as witness:
        await witness.subscribe(ALL)
        assert await closed_with(served, *frames) == code
        served.rooms.start(served.account.id, ROOM)
        await witness.happened(1)
        await until(lambda: served.counted("open_sockets") == 1)
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


@pytest.mark.slow
async def test_noise_of_every_kind_takes_no_socket_from_others(served: Served) -> None:
    async with served.client() as witness:
        for length in (1, 2, 10, 125, 126, 1000, 65_535, 200_000):
            async with served.client(close_timeout=0.1) as client:
                client.connection.transport.write(random.Random(length).randbytes(length))
        await witness.subscribe(ALL)


@pytest.mark.slow
async def test_pings_without_end_from_a_client_that_never_reads_fill_nothing(served: Served) -> None:
    async with connect(served.uri, sock=served.small_socket()) as flooding, served.client() as witness:
        flooding.transport.pause_reading()
        for _ in range(200):
            flooding.transport.write(written(Opcode.PING, b"x" * 125) * 500)
            await until(lambda: flooding.transport.get_write_buffer_size() == 0)
        (unread,) = served.unread()
        assert unread.transport.get_write_buffer_size() < 500_000
        await witness.subscribe(ALL)
        flooding.transport.abort()


@pytest.mark.slow
async def test_a_client_that_never_reads_is_dropped_whatever_waits_for_it(served: Served) -> None:
    room = served.rooms.start(served.account.id, ROOM)
    served.rooms.join(room)
    async with served.client(sock=served.small_socket(), close_timeout=0.1) as client:
        await client.subscribe(ALL)
        client.connection.transport.pause_reading()
        while not served.counted("lost_total"):
            served.rooms.leave(room, served.rooms.join(room))
            await asyncio.sleep(0)
        (unread,) = served.unread()
        unread.keepalive_timeout()
        await until(lambda: served.counted("open_sockets") == 0)
        assert not served.unread()


@pytest.mark.looptime
class TestIdle:
    """The idle limit, in virtual time, on a socket that is played by the test."""

    async def test_a_socket_on_which_the_client_says_nothing_is_closed(self) -> None:
        hub = EventHub(EventFeed(), EventSettings(idle_seconds=3600), CollectorRegistry(), "mirliton@here")
        loop = asyncio.get_running_loop()
        sent: list[tuple[float, dict[str, Any]]] = []
        waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        waiting.put_nowait({"type": "websocket.connect"})

        async def send(message: Any) -> None:
            sent.append((loop.time(), dict(message)))

        websocket = WebSocket({"type": "websocket", "headers": []}, waiting.get, send)
        await websocket.accept()
        listener = hub.add("s", "10.0.0.1", "here")
        listener.account_id = "a"
        started = loop.time()
        loop.call_later(3000, waiting.put_nowait, {"type": "websocket.receive", "text": '{"action":"ping"}'})
        await Session(hub, None, FakeRooms(), listener, websocket).serve()  # type: ignore[arg-type]
        hub.remove(listener)
        when, last = sent[-1]
        assert when - started == pytest.approx(6600)
        assert (last["type"], last["code"]) == ("websocket.close", 1001)
        assert len(sent) == 3


class TestAccount:
    """The bound on the sockets of one account."""

    @pytest.fixture
    def event_settings(self) -> EventSettings:
        return EventSettings(max_sockets_per_account=1)

    async def test_one_socket_more_than_an_account_may_have_is_no_listener(self, served: Served) -> None:
        async with served.client() as first, served.client() as second:
            await first.subscribe(ALL)
            answer = await second.order("subscribe", {"binding": ALL})
            assert answer["status"] == "error"
            assert "too many sockets" in answer["data"]["errors"][0]
            await first.connection.close()
            await until(lambda: served.counted("open_sockets") == 1)
            await second.subscribe(ALL)
