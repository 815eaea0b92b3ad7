"""A bare UDP socket and a bare TCP connection, to say to an agent what no agent would say."""

import asyncio
import itertools
import socket
from collections import deque
from typing import Self

from sipmessage import Request, Response

from mirliton.sip.framing import Framer
from mirliton.sip.message import read_message
from mirliton.sip.transaction import client_key

from .messages import request_text

_numbers = itertools.count()


class _Raw:
    """A connected socket of one kind on the loopback that talks to one agent."""

    kind: socket.SocketKind
    transport: str

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, self.kind)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(("127.0.0.1", port))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def receive(self) -> Request | Response:
        """The next message; fails after five seconds."""
        raise NotImplementedError

    async def ask(self, method: str, **fields: object) -> Response:
        """Send a request and get its final response."""
        fields = {
            "via": f"SIP/2.0/{self.transport} 127.0.0.1:{self.port}",
            "branch": f"z9hG4bK{next(_numbers)}{method}",
        } | fields
        asked = request_text(method, **fields)  # type: ignore[arg-type]
        wanted = client_key(read_message(asked))
        await self.send(asked)
        while True:
            response = await self.receive()
            if isinstance(response, Response) and response.code >= 200 and client_key(response) == wanted:
                return response


class Datagrams(_Raw):
    """A UDP socket."""

    kind = socket.SOCK_DGRAM
    transport = "UDP"

    async def receive(self) -> Request | Response:
        async with asyncio.timeout(5):
            return read_message(await asyncio.get_running_loop().sock_recv(self._socket, 65_535))


class Stream(_Raw):
    """A TCP connection."""

    kind = socket.SOCK_STREAM
    transport = "TCP"

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._framer = Framer(65_535)
        self._messages: deque[bytes] = deque()

    async def receive(self) -> Request | Response:
        async with asyncio.timeout(5):
            while not self._messages:
                data = await asyncio.get_running_loop().sock_recv(self._socket, 65_535)
                if not data:
                    raise ConnectionResetError
                self._messages.extend(self._framer.feed(data))
        return read_message(self._messages.popleft())
