"""A real HTTP server of this machine that is told of events, and answers as a test wants."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BROKEN = b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n"
PATIENCE = 30
"""Seconds of real time until a test that waits for a request has failed."""


@dataclass
class Request:
    """`headers` by lower-case name."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> dict[str, Any]:
        """The body as JSON."""
        told: dict[str, Any] = json.loads(self.body)
        return told


@dataclass
class Receiver:
    """`answer` makes the answer to a request; None keeps the other side waiting for ever."""

    answer: Callable[[Request], bytes | None] = lambda _: OK
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)
    _connections: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def uri(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/events"

    async def have(self, count: int) -> list[Request]:
        """The requests, once there are so many."""
        async with asyncio.timeout(PATIENCE), self._more:
            await self._more.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._connections.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await _read(reader)
                async with self._more:
                    self.requests.append(request)
                    self._more.notify_all()
                if (answer := self.answer(request)) is None:
                    await reader.read()
                    break
                writer.write(answer)
                await writer.drain()
        writer.close()

    async def closed(self) -> None:
        """All connections are."""
        for connection in self._connections:
            with suppress(ConnectionError):
                await connection.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)


@asynccontextmanager
async def receiving(answer: Callable[[Request], bytes | None] = lambda _: OK) -> AsyncIterator[Receiver]:
    """Listens inside the block; leave it after the clients have gone."""
    receiver = Receiver(answer)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver
    async with asyncio.timeout(PATIENCE):
        await receiver.closed()
