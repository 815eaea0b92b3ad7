"""Connections to the HTTP server that never say anything, or never finish it."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from mirliton.server import web
from mirliton.server.web import WebServer


@pytest.fixture
async def web_server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebServer]:
    """A server with one page, which takes a while, and little patience."""
    monkeypatch.setattr(web, "_HEAD_SECONDS", 0.1)
    app = FastAPI()

    @app.get("/")
    async def page() -> str:
        await asyncio.sleep(0.3)
        return "here"

    made = WebServer(app, "127.0.0.1", 0)
    await made.start()
    yield made
    await made.stop()


@pytest.mark.slow
@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX: "], ids=["nothing", "half a head"])
async def test_who_sends_no_request_is_hung_up(web_server: WebServer, said: bytes) -> None:
    reader, writer = await asyncio.open_connection(*web_server.address)
    writer.write(said)
    async with asyncio.timeout(20):
        with pytest.raises(ConnectionResetError):
            assert await reader.read() == b""
            raise ConnectionResetError  # closed either way
    writer.close()


@pytest.mark.slow
async def test_who_waits_for_an_answer_is_not(web_server: WebServer) -> None:
    host, port = web_server.address
    begun = time.monotonic()
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
        for _ in range(2):
            assert (await client.get("/")).json() == "here"
    assert time.monotonic() - begun > 0.5


@pytest.mark.slow
async def test_a_second_request_has_as_much_time_as_the_first(web_server: WebServer) -> None:
    reader, writer = await asyncio.open_connection(*web_server.address)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(20):
        assert (await reader.readuntil(b'"here"')).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        with pytest.raises(ConnectionResetError):
            assert await reader.read() == b""
            raise ConnectionResetError
    writer.close()
