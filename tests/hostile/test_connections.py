"""TCP connections that never finish a message: they must not keep others out (virtual time, no sockets)."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from mirliton.sip.transport import Transports, _Connection

pytestmark = pytest.mark.looptime

MOST = 10
OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n"


class Wire:
    """The transport of one connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.closed = False

    def get_extra_info(self, _name: str) -> tuple[str, int]:
        """The other end."""
        return "127.0.0.1", self.port

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def abort(self) -> None:
        """Close."""
        self.closed = True

    def write(self, _data: bytes) -> None:
        """Nobody reads."""


class Table:
    """A table of connections, full of ones that trickle."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.transports = Transports(
            lambda data, peer: None, lambda peer: None, self.count, max_connections=MOST, max_message_bytes=65_535
        )
        self._ports = iter(range(1000, 9000))

    def connect(self) -> tuple[Wire, _Connection]:
        """Somebody connects."""
        wire: Any = Wire(next(self._ports))
        connection = _Connection(self.transports, 65_535)
        connection.connection_made(wire)
        return wire, connection


async def test_who_never_finishes_a_message_makes_room() -> None:
    table = Table()
    trickling = [table.connect() for _ in range(MOST)]
    for _ in range(10):
        await asyncio.sleep(1)
        for _, connection in trickling:
            connection.data_received(b"a")
    wire, _ = table.connect()
    assert not wire.closed
    assert [wire.closed for wire, _ in trickling] == [True] + [False] * (MOST - 1)
    assert table.count["idle_connections_closed"] == 1


async def test_who_has_sent_a_message_stays_longer() -> None:
    table = Table()
    phones = [table.connect() for _ in range(MOST - 1)]
    for _, connection in phones:
        connection.data_received(OPTIONS)
    stranger, _ = table.connect()
    await asyncio.sleep(10)
    wire, connection = table.connect()
    assert stranger.closed
    assert not wire.closed
    connection.data_received(OPTIONS)
    refused, _ = table.connect()
    assert refused.closed
    assert not any(wire.closed for wire, _ in phones)
    assert table.count["rejected_connections"] == 1
