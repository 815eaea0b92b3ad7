"""A bare UDP socket and a bare TCP connection, to say to an agent what no agent would say."""

import asyncio
import socket
from typing import Self

from sipmessage import Request, Response

from mirliton.sip.message import read_message
from mirliton.sip.transaction import client_key

from .messages import request_text


class Datagrams:
    """A UDP socket on the loopback that talks to one agent."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def receive(self) -> Request | Response:
        """The next message; fails after five seconds."""
        async with asyncio.timeout(5):
            return read_message(await asyncio.get_running_loop().sock_recv(self._socket, 65_535))

    async def ask(self, method: str, **fields: object) -> Response:
        """Send a request and get its final response."""
        fields = {"via": f"SIP/2.0/UDP 127.0.0.1:{self.port}", "branch": f"z9hG4bK{id(fields)}{method}"} | fields
        asked = request_text(method, **fields)  # type: ignore[arg-type]
        wanted = client_key(read_message(asked))
        await self.send(asked)
        while True:
            response = await self.receive()
            if isinstance(response, Response) and response.code >= 200 and client_key(response) == wanted:
                return response
