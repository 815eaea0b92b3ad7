"""The client against a server of this machine."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv4Network

import httpx
import pytest

from mirliton.outbound_http import AddressNotAllowed, client
from mirliton.outbound_http.addresses import Address

from .local_server import HERE, served


async def test_an_allowed_address_answers() -> None:
    async with served() as local, client(HERE, timeout=5, max_connections=2) as http:
        answer = await http.get(f"http://127.0.0.1:{local.port}/path?x=1")
    assert (answer.status_code, answer.text) == (200, "ok")
    assert local.requests[0].startswith("GET /path?x=1 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "0.0.0.0", "[::ffff:127.0.0.1]"]
)
async def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    async with served() as local, client([], timeout=5, max_connections=2) as http:
        with pytest.raises(AddressNotAllowed, match="not public"):
            await http.get(f"http://{host}:{local.port}/")
    assert local.requests == []


async def test_the_name_is_looked_up_once_and_the_checked_address_is_connected_to() -> None:
    asked: list[str] = []

    async def changing(host: str, _port: int) -> list[Address]:
        asked.append(host)
        return [IPv4Address("127.0.0.1" if len(asked) == 1 else "10.0.0.1")]

    async with served() as local, client(HERE, timeout=5, max_connections=2, lookup=changing) as http:
        assert (await http.get(f"http://hook.example:{local.port}/")).text == "ok"
    assert asked == ["hook.example"]
    assert f"host: hook.example:{local.port}\r\n" in local.requests[0].lower()


async def test_the_second_address_serves_when_the_first_refuses() -> None:
    async def two(_host: str, _port: int) -> list[Address]:
        return [IPv4Address("127.0.0.2"), IPv4Address("127.0.0.1")]

    networks = [IPv4Network("127.0.0.0/8")]
    async with served() as local, client(networks, timeout=5, max_connections=2, lookup=two) as http:
        assert (await http.get(f"http://hook.example:{local.port}/")).text == "ok"


async def test_redirects_are_not_followed_and_cookies_not_kept() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: /other\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with served(moved) as local, client(HERE, timeout=5, max_connections=2) as http:
        for _ in range(2):
            assert (await http.get(f"http://127.0.0.1:{local.port}/")).status_code == 302
    assert len(local.requests) == 2
    assert "cookie" not in "".join(local.requests).lower()


async def test_failures_have_the_names_of_httpx() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with client(HERE, timeout=5, max_connections=2) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(f"http://127.0.0.1:{port}/")
        with pytest.raises(httpx.ConnectError, match="was not found"):
            await http.get("http://nothing.invalid/")
        with pytest.raises(httpx.ConnectError):
            await http.get(f"http://{'a' * 64}.example/")
        with pytest.raises(httpx.ConnectError, match="no port"):
            await http.get(f"http://127.0.0.1:{port + 65536}/")
    async with served(b"no http\r\n\r\n") as local, client(HERE, timeout=5, max_connections=2) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(f"http://127.0.0.1:{local.port}/")


async def test_a_body_that_breaks_off_is_an_error_of_httpx() -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    async with served(half, then_close=True) as local, client(HERE, timeout=5, max_connections=2) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(f"http://127.0.0.1:{local.port}/")


async def test_a_lookup_that_does_not_end_is_given_up() -> None:
    async def never(_host: str, _port: int) -> list[Address]:
        await asyncio.Event().wait()
        return []

    async with client([], timeout=0.05, max_connections=2, lookup=never) as http:
        with pytest.raises(httpx.ConnectTimeout, match="not found in time"):
            await http.get("http://hook.example/")
