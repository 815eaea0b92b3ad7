"""Names that the system looks up, slow ones among them."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

import pytest

from mirliton.outbound_http.lookup import SystemLookup

PATIENCE = 30
FOUND = [IPv4Address("192.0.2.1")]


class SlowSystem:
    """Answers for nothing until it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let_go = threading.Event()

    def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        self.let_go.wait(PATIENCE)
        return [(2, 1, 6, "", ("192.0.2.1", port))]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowSystem]:
    slow = SlowSystem()
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    yield slow
    slow.let_go.set()


async def test_who_asks_for_the_same_name_shares_the_answer(system: SlowSystem) -> None:
    find = SystemLookup()
    first, second = (asyncio.ensure_future(find("a.example", 80)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    third = asyncio.ensure_future(find("a.example", 80))
    await asyncio.sleep(0)
    system.let_go.set()
    async with asyncio.timeout(PATIENCE):
        assert (await second, await third) == (FOUND, FOUND)
    assert (first.cancelled(), system.asked) == (True, ["a.example"])


async def test_a_name_is_looked_up_anew_once_the_answer_was_given(system: SlowSystem) -> None:
    find = SystemLookup()
    system.let_go.set()
    async with asyncio.timeout(PATIENCE):
        assert (await find("a.example", 80), await find("a.example", 80)) == (FOUND, FOUND)
    assert system.asked == ["a.example"] * 2


async def test_slow_names_beyond_the_limit_are_refused_and_not_waited_for(system: SlowSystem) -> None:
    find = SystemLookup(limit=1)
    slow = asyncio.ensure_future(find("a.example", 80))
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="1 other names"):
        await find("b.example", 80)
    system.let_go.set()
    async with asyncio.timeout(PATIENCE):
        await slow
        assert await find("b.example", 80) == FOUND
