"""A web server on 127.0.0.1 whose answers a test writes byte by byte, and sounds to serve."""

import asyncio
import io
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np
import soundfile


@dataclass
class Request:
    """What came in; header names in lower case."""

    path: str
    headers: dict[str, str]


Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def wav(frequency: float = 440, seconds: float = 0.5) -> bytes:
    """A tone as a WAV file."""
    file = io.BytesIO()
    time = np.arange(round(8000 * seconds)) / 8000
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * frequency * time), 8000, format="WAV")
    return file.getvalue()


def message(status: int, body: bytes = b"", **headers: str) -> bytes:
    """One answer; `Last_Modified` is the header Last-Modified."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if "Content_Length" not in headers and "Transfer_Encoding" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([f"HTTP/1.1 {status} X", *lines, "", ""]).encode() + body


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Always the same."""

    async def write(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(message(status, body, **headers))

    return write


def tagged(body: bytes, tag: str) -> Answer:
    """A file with an ETag, which is not sent again to those who have it."""

    async def write(request: Request, writer: asyncio.StreamWriter) -> None:
        known = request.headers.get("if-none-match") == tag
        writer.write(message(304, ETag=tag) if known else message(200, body, ETag=tag, Content_Type="audio/x-wav"))

    return write


async def silent(_request: Request, _writer: asyncio.StreamWriter) -> None:
    """Says nothing and keeps the connection open."""
    await asyncio.Event().wait()


@dataclass
class WebServer:
    """Use as `async with WebServer() as server`; `server.answers["/a.wav"] = …`."""

    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    came: asyncio.Event = field(default_factory=asyncio.Event)
    tls: ssl.SSLContext | None = None
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def url(self, path: str) -> str:
        """The address of one of its files."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def arrived(self, count: int) -> None:
        """Wait until so many requests have come in."""
        while len(self.requests) < count:
            self.came.clear()
            await self.came.wait()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            pairs = (line.partition(":") for line in head[1:] if line)
            request = Request(head[0].split(" ")[1], {name.lower(): value.strip() for name, _, value in pairs})
            self.requests.append(request)
            self.came.set()
            await self.answers.get(request.path, answer(404))(request, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            self._tasks.discard(task)
            writer.close()
