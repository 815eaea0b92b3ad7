"""Queues and the hub between feed and sockets, without a network."""

import asyncio
import dataclasses
from itertools import count
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mirliton.api.events.backlog import Backlog, Closed
from mirliton.api.events.bindings import binding
from mirliton.api.events.hub import EventHub, Listening, Socket
from mirliton.api.events.messages import Heading, Message
from mirliton.calls.events import EventFeed
from mirliton.settings import EventSettings
from mirliton.store import Document

pytestmark = pytest.mark.looptime

ACCOUNT = "a" * 32


def event(number: int, conference: str = "C") -> dict[str, Any]:
    return {"event": "lock", "sequence": number, "account_id": ACCOUNT, "conference_id": conference}


class Bench:
    """A hub, and sockets on it."""

    def __init__(self, **options: Any) -> None:
        self.feed, self.registry = EventFeed(), CollectorRegistry()
        settings = EventSettings(queue=100, max_sockets=3, max_sockets_per_address=2)
        self.hub = EventHub(self.feed, settings, self.registry, "mirliton@here", **options)
        self._ids = count()

    def listen(self, text: str = "conference.event.C.*", source: str = "10.0.0.1") -> tuple[Socket, Listening]:
        socket = self.hub.add(f"socket-{next(self._ids)}", source, "here")
        socket.account_id = ACCOUNT
        bound = binding(text)
        listening = Listening(ACCOUNT, bound, Heading(ACCOUNT, bound, None, None), socket.backlog)
        socket.listening[text] = listening
        self.hub.listen(listening)
        return socket, listening

    def lost(self) -> float:
        return self.registry.get_sample_value("mirliton_events_lost_total") or 0.0


async def taken(socket: Socket, number: int) -> list[int]:
    """The numbers of the next events."""
    numbers = []
    for _ in range(number):
        lost, item = await asyncio.wait_for(socket.backlog.take(), 5)
        assert lost == 0
        assert item is not None
        numbers.append(item[1].number)
    return numbers


async def test_only_events_after_the_binding_come() -> None:
    bench = Bench()
    first, _ = bench.listen()
    for number in range(5):
        bench.feed.publish(event(number))
    second, listening = bench.listen(source="10.0.0.2")
    for number in range(5, 8):
        bench.feed.publish(event(number))
    assert await taken(first, 8) == list(range(1, 9))
    assert await taken(second, 3) == [6, 7, 8]
    bench.feed.publish(event(8))
    bench.hub.listen(listening)
    bench.feed.publish(event(9))
    assert await taken(second, 1) == [10]
    for socket in (first, second):
        bench.hub.remove(socket)


async def test_events_that_never_reached_the_hub_are_told_as_lost() -> None:
    bench = Bench(burst=10)
    socket, _ = bench.listen()
    for number in range(25):
        bench.feed.publish(event(number))
    lost, item = await socket.backlog.take()
    assert lost == 15
    assert item is not None
    assert item[1].number == 16
    assert await taken(socket, 9) == list(range(17, 26))
    assert bench.lost() == 15
    bench.hub.remove(socket)


async def test_the_feed_is_heard_only_while_a_socket_is_open() -> None:
    bench = Bench()
    listeners = bench.feed._subscriptions
    assert not listeners
    (first, _), (second, _) = bench.listen(), bench.listen()
    assert len(listeners) == 1
    bench.hub.remove(first)
    assert len(listeners) == 1
    bench.hub.remove(second)
    assert not listeners
    third, _ = bench.listen()
    bench.feed.publish(event(1))
    assert await taken(third, 1) == [1]
    bench.hub.remove(third)


async def test_sockets_of_one_address_and_of_all_are_limited() -> None:
    bench = Bench()
    (first, _), (second, _) = bench.listen(), bench.listen()
    assert bench.hub.refusal("10.0.0.1") == (429, "too many sockets of your address are open: close some")
    assert bench.hub.refusal("10.0.0.2") is None
    third, _ = bench.listen(source="10.0.0.2")
    assert bench.hub.refusal("10.0.0.3") == (503, "too many sockets are open: try again later")
    for socket in (first, second, third):
        bench.hub.remove(socket)
    assert bench.hub.refusal("10.0.0.1") is None


async def test_sockets_of_an_account_that_is_disabled_or_gone_end() -> None:
    bench = Bench()
    account = Document(ACCOUNT, ACCOUNT, "account", "1-x", 0, 0, 0, False, {"name": "x"})
    socket, _ = bench.listen()
    stranger, _ = bench.listen(source="10.0.0.2")
    stranger.account_id = "b" * 32
    bench.hub.document_changed("changed", account)
    bench.hub.document_changed("deleted", dataclasses.replace(account, type="conference"))
    bench.feed.publish(event(1))
    assert await taken(socket, 1) == [1]
    bench.hub.document_changed("changed", dataclasses.replace(account, body={"enabled": False}))
    with pytest.raises(Closed, match="disabled"):
        await socket.backlog.take()
    assert await taken(stranger, 1) == [1]
    for each in (socket, stranger):
        bench.hub.remove(each)


async def test_a_full_backlog_forgets_the_oldest_and_tells_at_the_gap() -> None:
    backlog: Backlog[str, int] = Backlog(3)
    assert [backlog.put("a", number) for number in range(5)] == [True, True, True, False, False]
    assert await backlog.take() == (2, ("a", 2))
    assert await backlog.take() == (0, ("a", 3))
    backlog.put("a", 5)
    assert [await backlog.take(), await backlog.take()] == [(0, ("a", 4)), (0, ("a", 5))]


async def test_losses_of_a_binding_that_ended_are_not_told() -> None:
    backlog: Backlog[str, int] = Backlog(2)
    for number, owner in enumerate("abaab"):
        backlog.put(owner, number)
    backlog.forget({"a"})
    assert await backlog.take() == (1, ("b", 4))


async def test_a_reader_waits_for_what_is_put_later() -> None:
    backlog: Backlog[str, int] = Backlog(2)
    reading = asyncio.create_task(backlog.take())
    await asyncio.sleep(1)
    assert not reading.done()
    backlog.put("a", 1)
    assert await reading == (0, ("a", 1))
    telling = asyncio.create_task(backlog.take())
    await asyncio.sleep(1)
    backlog.miss(4)
    assert await telling == (4, None)


async def test_an_event_is_written_once_for_all_sockets() -> None:
    bench = Bench()
    (first, _), (second, _) = bench.listen(), bench.listen()
    bench.feed.publish(event(1))
    messages: list[Message] = []
    for socket in (first, second):
        _, item = await socket.backlog.take()
        assert item is not None
        messages.append(item[1])
        bench.hub.remove(socket)
    assert messages[0] is messages[1]
