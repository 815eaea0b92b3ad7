"""Sockets for events: nobody keeps others out by opening them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.websockets import WebSocket

from mirliton.api.events.hub import EventHub
from mirliton.api.events.session import Session
from mirliton.calls.events import EventFeed
from mirliton.settings import EventSettings
from tests.api.fake_rooms import FakeRooms


@pytest.mark.looptime
async def test_a_socket_without_a_token_ends_whatever_else_it_says() -> None:
    """Somebody who knows nothing could open all the sockets there are, and keep them with pings."""
    hub = EventHub(EventFeed(), EventSettings(login_seconds=10), CollectorRegistry(), "mirliton@here")
    loop = asyncio.get_running_loop()
    sent: list[tuple[float, dict[str, Any]]] = []
    waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    waiting.put_nowait({"type": "websocket.connect"})

    async def send(message: Any) -> None:
        sent.append((loop.time(), dict(message)))

    websocket = WebSocket({"type": "websocket", "headers": []}, waiting.get, send)
    await websocket.accept()
    stranger = hub.add("s", "10.0.0.1", "here")
    started = loop.time()
    for second in range(1, 20, 3):
        loop.call_later(second, waiting.put_nowait, {"type": "websocket.receive", "text": '{"action":"ping"}'})
    await Session(hub, None, FakeRooms(), stranger, websocket).serve()  # type: ignore[arg-type]
    hub.remove(stranger)
    when, last = sent[-1]
    assert when - started == pytest.approx(10)
    assert (last["type"], last["code"]) == ("websocket.close", 1008)


@pytest.fixture
async def hub() -> AsyncIterator[EventHub]:
    """A hub in which an account may have two sockets."""
    settings = EventSettings(max_sockets_per_account=2, max_sockets_per_address=1)
    made = EventHub(EventFeed(), settings, CollectorRegistry(), "mirliton@here")
    yield made
    for socket in [*made.of_account("greedy"), *made.of_account("modest")]:
        made.remove(socket)


async def test_one_account_cannot_have_all_sockets_from_many_addresses(hub: EventHub) -> None:
    for place in range(2):
        assert hub.has_place("greedy")
        hub.add(f"s{place}", f"10.0.0.{place}", "here").account_id = "greedy"
    assert not hub.has_place("greedy")
    assert hub.has_place("modest")
