"""The application behind a real server on loopback, and clients that speak WebSocket to it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.asyncio.client import ClientConnection, connect

from mirliton.api.app import create_app
from mirliton.calls.events import EventFeed
from mirliton.server.web import WebServer
from mirliton.settings import EventSettings, Settings
from mirliton.store import Document, Store, bootstrap

from .rooms import PlayedRooms

ROOM = "c" * 32


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    while not holds():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)


class Client:
    """One socket: orders and their replies; what comes in between is kept."""

    def __init__(self, connection: ClientConnection, served: "Served") -> None:
        self.connection = connection
        self.served = served
        self.events: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        """The next message."""
        message: dict[str, Any] = json.loads(await asyncio.wait_for(self.connection.recv(), 20))
        return message

    async def reply(self) -> dict[str, Any]:
        """The next reply; events before it go to `events`."""
        while (message := await self.receive())["action"] != "reply":
            self.events.append(message)
        return message

    async def say(self, text: str | bytes) -> dict[str, Any]:
        """Send a frame and get the reply."""
        await self.connection.send(text)
        return await self.reply()

    async def order(self, action: str, data: Any = None, **more: Any) -> dict[str, Any]:
        """An order with the account's token."""
        envelope = {"action": action, "auth_token": self.served.token, "request_id": "r-1"} | more
        return await self.say(json.dumps(envelope if data is None else {**envelope, "data": data}))

    async def subscribe(self, *bindings: str, **data: Any) -> dict[str, Any]:
        """To bindings of the own account; must succeed."""
        own = {"account_id": self.served.account.id, "bindings": list(bindings)}
        answer = await self.order("subscribe", own | data)
        assert answer["status"] == "success", answer
        return answer

    async def happened(self, number: int) -> list[dict[str, Any]]:
        """The next events."""
        while len(self.events) < number:
            self.events.append(await self.receive())
        taken, self.events = self.events[:number], self.events[number:]
        return taken


@dataclass
class Served:
    """A running server with one account."""

    server: WebServer
    store: Store
    feed: EventFeed
    rooms: PlayedRooms
    account: Document
    token: str
    registry: CollectorRegistry

    @property
    def uri(self) -> str:
        """Where sockets are opened."""
        host, port = self.server.address
        return f"ws://{host}:{port}/v2/events"

    def small_socket(self) -> socket.socket:
        """A connection that takes little before it is full."""
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.connect(self.server.address)
        small.setblocking(False)
        return small

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[Client]:
        """A socket that is open inside the block."""
        async with connect(self.uri, **options) as connection:
            yield Client(connection, self)

    async def get(self, path: str, token: str | None = None) -> httpx.Response:
        """A REST request."""
        host, port = self.server.address
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as http:
            return await http.get(f"/v2{path}", headers={"X-Auth-Token": token or self.token})

    def unread(self) -> list[WebSocketsSansIOProtocol]:
        """The sockets for which bytes wait, because their clients do not read."""
        connections = self.server._server.server_state.connections
        sockets = [one for one in connections if isinstance(one, WebSocketsSansIOProtocol)]
        return [one for one in sockets if one.transport.get_write_buffer_size()]

    def counted(self, name: str, **labels: str) -> float:
        """A number of `/metrics`."""
        return self.registry.get_sample_value(f"mirliton_events_{name}", labels) or 0.0


@pytest.fixture
def event_settings() -> EventSettings:
    """Small limits, so that they can be reached."""
    return EventSettings(max_sockets=6, max_sockets_per_address=4, max_bindings=5, queue=1000)


@pytest.fixture
async def served(tmp_path: Path, event_settings: EventSettings) -> AsyncIterator[Served]:
    """The server after its first start."""
    feed = EventFeed()
    rooms = PlayedRooms(feed)
    store = Store(None, tmp_path)
    await store.open()
    account = await bootstrap(store, tmp_path)
    token = await store.tokens.issue(account.id, None, "api_auth", 3600)
    registry = CollectorRegistry()
    app = create_app(Settings(events=event_settings), store, rooms, registry, events=feed)
    server = WebServer(app, "127.0.0.1", 0)
    await server.start()
    yield Served(server, store, feed, rooms, account, token, registry)
    await server.stop()
    await store.close()
