"""Web servers of tenants whose answers are made to cost the server's time, not its memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Network
from typing import cast

import httpx
import pytest

from mirliton.media.types import MediaEngine
from mirliton.outbound_http import client
from mirliton.outbound_http.metering import FREE_PIECES, LONGEST_HEAD, SMALLEST_PIECE
from mirliton.sounds.library import SoundLibrary
from tests.hostile.test_sounds import nothing

LOOPBACK = IPv4Network("127.0.0.0/8")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n"
END = b"0\r\n\r\n"


def chunks(size: int, count: int) -> bytes:
    """The middle of a chunked body."""
    return (f"{size:x}\r\n".encode() + b"x" * size + b"\r\n") * count


@asynccontextmanager
async def answering(*parts: bytes, for_ever: bool = False) -> AsyncIterator[str]:
    """A server that says the same to everybody; `for_ever`: its last part again and again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"".join(parts))
                while for_ever:
                    writer.write(parts[-1])
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # whoever asks hangs up, which is what is being tested
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((CHUNKED, chunks(1, 1000)), "small pieces"),
        ((CHUNKED, chunks(SMALLEST_PIECE - 1, 100)), "small pieces"),
        ((INTERIM * 100,), "before the answer"),
        ((b"HTTP/1.1 103 Early Hints\r\n" + b"a: b\r\n" * 1000 + b"\r\n",), "before the answer"),
    ],
    ids=["bytes", "small", "interim", "headers"],
)
async def test_an_answer_that_never_gets_on_is_given_up(parts: tuple[bytes, ...], reason: str) -> None:
    async with answering(*parts, for_ever=True) as url, client([LOOPBACK], timeout=30, max_connections=4) as http:
        for _ in range(2):
            with pytest.raises(httpx.ReadError, match=reason):
                await http.get(url)


@pytest.mark.parametrize(
    ("parts", "size"),
    [
        ((CHUNKED, chunks(1, FREE_PIECES - 1), END), FREE_PIECES - 1),
        ((CHUNKED, chunks(2 * SMALLEST_PIECE, 3000), END), 6000 * SMALLEST_PIECE),
        ((INTERIM * (LONGEST_HEAD // len(INTERIM) - 300), CHUNKED, END), 0),
    ],
    ids=["few pieces", "large pieces", "some interim answers"],
)
async def test_an_answer_that_gets_on_is_read(parts: tuple[bytes, ...], size: int) -> None:
    async with answering(*parts) as url, client([LOOPBACK], timeout=30, max_connections=4) as http:
        for _ in range(2):  # the second one over the same connection
            assert len((await http.get(url)).content) == size


class Keys:
    """Of the engine only the keys."""

    def clip(self, key: str, samples: object, owner: str = "") -> str:
        """The key."""
        return key


@pytest.mark.parametrize("joint", [lambda key: f"|1,0,{key}", lambda key: f"|1,0,{len(key)}:{key}"])
async def test_no_list_of_sounds_passes_for_another(joint: Callable[[str], str]) -> None:
    library = SoundLibrary(cast(MediaEngine, Keys()), account_prompt=nothing, media_file=nothing)
    first, second = "%(100,0,440)", "%(100,0,880)"
    honest = await library.resolve("a" * 32, f"file_string://tone_stream://{first}!tone_stream://{second}", "en")
    forged = await library.resolve("b" * 32, f"file_string://tone_stream://{first}{joint(f'tone:{second}')}", "en")
    assert honest is not None and forged is not None
    assert honest.clip != forged.clip
