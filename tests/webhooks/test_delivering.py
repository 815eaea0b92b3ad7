"""Events on their way to a real server."""

import asyncio
import hashlib
import hmac

import pytest

from mirliton.calls.events import EventFeed

from .conftest import SECRET, House, Time, until
from .receiver import BROKEN, OK, receiving


class Standstill(Time):
    """Pauses do not end."""

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.Event().wait()


async def test_events_arrive_in_order_each_with_its_signature(house: House) -> None:
    async with receiving() as server:
        await house.hook(server.uri, custom_data={"who": "me"})
        async with house.serving() as webhooks:
            house.tell("conference-create", "add-member", "del-member")
            requests = await server.have(3)
            await until(lambda: webhooks.statistics()["delivered"] == 3)
    assert [request.data["event"] for request in requests] == ["conference-create", "add-member", "del-member"]
    assert len({request.data["delivery_id"] for request in requests}) == 3
    for request in requests:
        signed = request.headers["x-mirliton-timestamp"].encode() + b"." + request.body
        expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert request.headers["x-mirliton-signature"] == f"sha256={expected}"
        assert request.headers["x-mirliton-delivery"] == request.data["delivery_id"]
        assert request.data["custom_data"] == {"who": "me"}


async def test_events_of_other_accounts_and_unwanted_ones_are_not_told(house: House) -> None:
    async with receiving() as server:
        await house.hook(server.uri, events=["lock"], conference_id="room")
        async with house.serving():
            house.tell("lock", account_id="somebody else")
            house.tell("lock", conference_id="elsewhere")
            house.tell("unlock")
            house.tell("lock", mine=True)
            requests = await server.have(1)
    assert [request.data["mine"] for request in requests] == [True]


async def test_a_failed_delivery_is_tried_again_with_growing_pauses_and_the_same_id(house: House) -> None:
    answers = iter([BROKEN, BROKEN, BROKEN, OK, OK])
    async with receiving(lambda _: next(answers)) as server:
        hook = await house.hook(server.uri)
        async with house.serving() as webhooks:
            house.tell("lock", "unlock")
            requests = await server.have(5)
            await until(lambda: webhooks.statistics()["delivered"] == 2)
            attempts = webhooks.attempts(house.account_id, hook.id)
    assert [request.data["event"] for request in requests] == ["lock"] * 4 + ["unlock"]
    assert len({request.headers["x-mirliton-delivery"] for request in requests}) == 2
    assert house.time.pauses == [1, 2, 4]
    assert [int(request.headers["x-mirliton-timestamp"]) - 1_700_000_000 for request in requests] == [0, 1, 3, 7, 7]
    assert [attempt["result"] for attempt in attempts] == ["success"] * 2 + ["failure"] * 3
    assert [attempt["retries left"] for attempt in attempts[2:]] == [2, 3, 4]
    assert attempts[-1]["response_code"] == 500


async def test_after_its_attempts_a_delivery_is_given_up_and_the_next_one_tells_of_it(house: House) -> None:
    async with receiving(lambda request: BROKEN if request.data["event"] == "lock" else OK) as server:
        await house.hook(server.uri, retries=2)
        async with house.serving() as webhooks:
            house.tell("lock", "unlock", "unlock")
            requests = await server.have(4)
            await until(lambda: webhooks.statistics()["delivered"] == 2)
            assert webhooks.statistics()["given_up"] == 1
    assert [request.data["event"] for request in requests] == ["lock", "lock", "unlock", "unlock"]
    assert [request.data.get("lost") for request in requests] == [None, None, 1, None]


async def test_the_server_can_ask_for_a_pause_up_to_a_bound(house: House) -> None:
    asks = iter(
        [
            b"HTTP/1.1 503 Busy\r\nRetry-After: 20\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 429 Slow\r\nRetry-After: 9000\r\nContent-Length: 0\r\n\r\n",
            OK,
        ]
    )
    async with receiving(lambda _: next(asks)) as server:
        await house.hook(server.uri)
        async with house.serving(max_pause_seconds=30):
            house.tell("lock")
            await server.have(3)
    assert house.time.pauses == [20, 30]


async def test_a_full_queue_loses_the_oldest_and_tells_how_many(house: House) -> None:
    held = asyncio.Event()
    async with receiving(lambda _: OK if held.is_set() else None) as server:
        hook = await house.hook(server.uri)
        async with house.serving(queue=3, timeout_seconds=0.3, attempts=5) as webhooks:
            house.tell("lock")
            await server.have(1)
            house.tell(*["unlock"] * 10)
            await until(lambda: webhooks.statistics()["lost"] == 7)
            assert webhooks.statistics()["waiting"] == 3
            held.set()
            await until(lambda: webhooks.statistics()["delivered"] == 4)
            assert "within 0.3 seconds" in webhooks.attempts(house.account_id, hook.id)[-1]["reason"]
    told = [request.data for request in server.requests if request.data["event"] == "unlock"]
    assert [(data["number"], data.get("lost")) for data in told] == [(7, 7), (8, None), (9, None)]


async def test_a_burst_larger_than_the_backlog_is_told_of_as_lost(house: House) -> None:
    async with receiving() as server:
        await house.hook(server.uri)
        async with house.serving(backlog=5):
            house.tell(*["lock"] * 8)
            requests = await server.have(5)
    assert [(r.data["number"], r.data.get("lost")) for r in requests] == [(3, 3), *((n, None) for n in range(4, 8))]


async def test_a_dead_server_delays_no_other_webhook(house: House) -> None:
    async with receiving(lambda _: None) as dead, receiving() as alive:
        await house.hook(dead.uri)
        await house.hook(alive.uri)
        async with house.serving(timeout_seconds=30) as webhooks:
            house.tell(*["lock"] * 20)
            await alive.have(20)
            await until(lambda: webhooks.statistics()["delivered"] == 20)
            assert len(dead.requests) == 1


async def test_a_redirect_is_a_failure_and_is_not_followed(house: House) -> None:
    async with receiving() as other:
        moved = f"HTTP/1.1 302 Found\r\nLocation: {other.uri}\r\nContent-Length: 0\r\n\r\n".encode()
        async with receiving(lambda _: moved) as server:
            hook = await house.hook(server.uri, retries=1)
            async with house.serving() as webhooks:
                house.tell("lock")
                await until(lambda: webhooks.statistics()["given_up"] == 1)
                (attempt,) = webhooks.attempts(house.account_id, hook.id)
    assert (attempt["response_code"], len(server.requests), len(other.requests)) == (302, 1, 0)
    assert "redirects" in attempt["reason"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_private_address_is_refused_without_further_attempts(house: House, host: str) -> None:
    async with receiving() as server:
        hook = await house.hook(f"http://{host}:{server.port}/")
        async with house.serving(networks=[]) as webhooks:
            house.tell("lock")
            await until(lambda: webhooks.statistics()["given_up"] == 1)
            (attempt,) = webhooks.attempts(house.account_id, hook.id)
    assert "not public" in attempt["reason"]
    assert (server.requests, attempt["retries left"]) == ([], 0)


async def test_an_endless_answer_is_not_read_to_its_end(house: House) -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 20_000
    async with receiving(lambda _: endless) as server:
        await house.hook(server.uri)
        async with house.serving(timeout_seconds=30) as webhooks:
            house.tell("lock", "lock")
            await until(lambda: webhooks.statistics()["delivered"] == 2)


async def test_an_event_that_is_no_json_ends_nothing(house: House) -> None:
    async with receiving() as server:
        await house.hook(server.uri)
        async with house.serving() as webhooks:
            house.tell("lock", strange=object())
            house.tell("unlock")
            (request,) = await server.have(1)
            assert webhooks.statistics()["faults"] == 1
    assert (request.data["event"], request.data["lost"]) == ("unlock", 1)


async def test_closing_delivers_what_waits(house: House) -> None:
    async with receiving() as server:
        await house.hook(server.uri)
        async with house.serving():
            house.tell("del-member", "conference-destroy")
    assert [request.data["event"] for request in server.requests] == ["del-member", "conference-destroy"]


async def test_closing_waits_for_no_dead_server_and_for_no_pause(house: House) -> None:
    house.time = Standstill()
    async with receiving(lambda _: None) as dead, receiving(lambda _: BROKEN) as broken:
        await house.hook(dead.uri)
        await house.hook(broken.uri)
        async with house.serving(timeout_seconds=1000) as webhooks:
            house.tell("lock")
            await dead.have(1)
            await until(lambda: house.time.pauses == [1])
        assert webhooks.statistics()["active"] == 0
        assert (len(dead.requests), len(broken.requests)) == (1, 1)


async def test_nothing_is_heard_after_the_end(house: House) -> None:
    feed = EventFeed()
    house.feed = feed
    async with receiving() as server:
        await house.hook(server.uri)
        async with house.serving():
            pass
        house.tell("lock")
    assert (server.requests, feed.lost) == ([], 0)
