"""Connections are used again where that is right, and none outlives a request that did not complete."""

import asyncio

import httpx
import pytest

from mirliton.outbound_http import client
from mirliton.outbound_http.client import Transport
from mirliton.outbound_http.connections import Connections

from .local_server import HERE, LocalServer, served


def connections_of(http: httpx.AsyncClient) -> Connections:
    transport = http._transport
    assert isinstance(transport, Transport)
    return transport.connections


async def get(http: httpx.AsyncClient, local: LocalServer) -> httpx.Response:
    return await http.get(f"http://127.0.0.1:{local.port}/")


async def test_a_connection_is_used_again() -> None:
    async with served() as local, client(HERE, timeout=5, max_connections=2) as http:
        for _ in range(3):
            assert (await get(http, local)).text == "ok"
        assert (connections_of(http).busy, len(connections_of(http).idle)) == (0, 1)
    assert (len(local.requests), len(local.connections)) == (3, 1)


async def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    async with served(then_close=True) as local, client(HERE, timeout=5, max_connections=2) as http:
        for count in (1, 2):
            assert (await get(http, local)).text == "ok"
            async with asyncio.timeout(30):
                await local.connections[count - 1].wait_closed()
    assert len(local.connections) == 2


async def test_an_answer_that_is_not_read_to_its_end_closes_its_connection() -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nbegin"
    async with served(long) as local, client(HERE, timeout=5, max_connections=2) as http:
        async with http.stream("GET", f"http://127.0.0.1:{local.port}/") as answer:
            assert answer.status_code == 200
        assert (connections_of(http).busy, connections_of(http).idle) == (0, [])


async def test_other_servers_push_out_the_connection_that_was_idle_longest() -> None:
    async with (
        served() as one,
        served() as two,
        served() as three,
        client(HERE, timeout=5, max_connections=2) as http,
    ):
        for local in (one, two, one, three):
            assert (await get(http, local)).text == "ok"
        assert len(connections_of(http).idle) == 2
        assert (await get(http, one)).text == "ok"
    assert [len(local.connections) for local in (one, two, three)] == [1, 1, 1]


async def test_beyond_the_limit_requests_wait_and_then_give_up() -> None:
    async with served(b"") as silent, served() as local, client(HERE, timeout=30, max_connections=1) as http:
        stuck = asyncio.ensure_future(get(http, silent))
        async with asyncio.timeout(30):
            await silent.arrived.wait()
        with pytest.raises(httpx.PoolTimeout):
            await http.get(f"http://127.0.0.1:{local.port}/", timeout=0.05)
        waiting = asyncio.ensure_future(get(http, local))
        stuck.cancel()
        assert (await waiting).text == "ok"


async def test_requests_that_are_cancelled_at_any_moment_leave_no_connection() -> None:
    async with served(b"") as silent, client(HERE, timeout=30, max_connections=20) as http:
        for steps in range(40):
            requests = [asyncio.ensure_future(get(http, silent)) for _ in range(5)]
            for _ in range(steps):
                await asyncio.sleep(0)
            for request in requests:
                request.cancel()
            await asyncio.gather(*requests, return_exceptions=True)
            assert (connections_of(http).busy, connections_of(http).idle) == (0, [])
        assert silent.connections


async def test_a_request_that_ends_after_the_client_was_closed_leaves_no_connection() -> None:
    async with served() as local, client(HERE, timeout=30, max_connections=2) as http:
        request = http.build_request("GET", f"http://127.0.0.1:{local.port}/")
        answer = await http.send(request, stream=True)
        await connections_of(http).close()
        assert await answer.aread() == b"ok"
        assert (connections_of(http).busy, connections_of(http).idle) == (0, [])
