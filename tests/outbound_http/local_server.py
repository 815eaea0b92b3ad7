"""A server of this machine that always gives the same answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Network

HERE = [IPv4Network("127.0.0.1/32")]


class LocalServer:
    """Answers every request with `answer` (empty: never), and keeps the request heads."""

    def __init__(self, answer: bytes, then_close: bool) -> None:
        self.answer = answer
        self.then_close = then_close
        self.port = 0
        self.requests: list[str] = []
        self.arrived = asyncio.Event()
        self.connections: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        try:
            while True:
                self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
                self.arrived.set()
                writer.write(self.answer)
                await writer.drain()
                if self.then_close:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def served(
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", *, then_close: bool = False
) -> AsyncIterator[LocalServer]:
    local = LocalServer(answer, then_close)
    server = await asyncio.start_server(local.serve, "127.0.0.1", 0)
    local.port = server.sockets[0].getsockname()[1]
    async with server:
        yield local
    for connection in local.connections:
        with suppress(ConnectionError):
            await connection.wait_closed()
