"""Sounds of real web servers on this machine: fetched once, asked about again, and never trusted."""

import asyncio
import base64
import gzip
import ssl
import sys
from collections.abc import AsyncIterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import soundfile

from mirliton.outbound_http.addresses import Address, parsed
from mirliton.settings import SoundSettings
from mirliton.sounds.addresses import SoundNotFound, SoundRefused, WebFile
from mirliton.sounds.cache import SoundCache
from mirliton.sounds.statistics import LibraryStatistics
from mirliton.sounds.web import WebSounds

from .web_server import Request, WebServer, answer, message, silent, tagged, wav

CERTIFICATE = Path(__file__).parent / "sounds.example.com.pem"
"""Key and certificate for that name, signed by itself; made for these tests, good until 2126."""
HERE = IPv4Network("127.0.0.0/8")
ACCOUNT, OTHER = "a" * 32, "b" * 32


class World:
    """A web server and what fetches from it, with a clock that a test moves."""

    def __init__(self, folder: Path, server: WebServer) -> None:
        self.folder = folder
        self.server = server
        self.time = 1_000_000.0
        self.names: dict[str, str] = {}
        self.opened: list[WebSounds] = []
        self.start()

    def start(self, **settings: Any) -> None:
        """A new process, as it were: the folder stays."""
        chosen = SoundSettings(**{"fetch_networks": [HERE], **settings})
        self.statistics = LibraryStatistics()
        cache = SoundCache(self.folder, chosen.cache_bytes, self.statistics)
        self.web = WebSounds(chosen, cache, self.statistics, now=lambda: self.time, lookup=self.lookup)
        self.opened.append(self.web)

    async def lookup(self, host: str, _port: int) -> list[Address]:
        try:
            return [parsed(self.names.get(host, host))]
        except ValueError:
            raise OSError(f"{host!r} has no address") from None

    async def bytes(self, path: str = "/a.wav", account_id: str = ACCOUNT) -> bytes:
        """The file that is there for a path, or for a whole URL."""
        url = path if "://" in path else self.server.url(path)
        file = await self.web.file(WebFile(url), account_id)
        return await asyncio.to_thread(file.read_bytes)

    async def refusal(self, path: str = "/a.wav") -> str:
        with pytest.raises(SoundNotFound) as refused:
            await self.bytes(path)
        assert not list(self.folder.glob(".partial-*")), "what came in is removed"
        return str(refused.value)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with WebServer() as server:
        world = World(tmp_path / "cache", server)
        yield world
        for web in world.opened:
            await web.close()


async def test_a_fetched_file_is_used_without_asking_until_it_is_old_and_then_asked_about(world: World) -> None:
    world.server.answers["/a.wav"] = tagged(wav(), '"1"')
    assert await world.bytes() == wav()
    world.time += 3599
    assert await world.bytes() == wav()
    assert len(world.server.requests) == 1
    world.time += 2
    assert await world.bytes() == wav()
    assert world.server.requests[1].headers["if-none-match"] == '"1"'
    world.time += 3599
    assert await world.bytes() == wav()
    assert len(world.server.requests) == 2, "a copy that was confirmed is fresh again"
    counted = world.statistics
    assert (counted.fetched, counted.revalidated, counted.cached) == (1, 1, 2)


async def test_a_file_that_changed_replaces_the_copy(world: World) -> None:
    world.server.answers["/a.wav"] = tagged(wav(400), '"1"')
    await world.bytes()
    world.server.answers["/a.wav"] = tagged(wav(500), '"2"')
    world.time += 3601
    assert await world.bytes() == wav(500)


async def test_the_date_of_change_serves_where_there_is_no_tag(world: World) -> None:
    date = "Sat, 21 Nov 2026 10:00:00 GMT"
    world.server.answers["/a.wav"] = answer(200, wav(), Last_Modified=date)
    await world.bytes()
    world.time += 3601
    world.server.answers["/a.wav"] = answer(304)
    assert await world.bytes() == wav()
    assert world.server.requests[1].headers["if-modified-since"] == date


async def test_files_outlive_the_process(world: World) -> None:
    world.server.answers["/a.wav"] = tagged(wav(), '"1"')
    await world.bytes()
    world.start()
    assert await world.bytes() == wav()
    assert len(world.server.requests) == 1
    world.time -= 10_000  # a clock that went back makes no copy fresh for ever
    assert await world.bytes() == wav()
    assert world.server.requests[1].headers["if-none-match"] == '"1"'


@pytest.mark.parametrize(
    "failing",
    [answer(500), answer(503), answer(429), answer(200, b"maintenance", Content_Type="text/html"), answer(200, b"no")],
)
async def test_an_old_copy_is_played_while_the_server_fails_and_that_is_counted(world: World, failing: Any) -> None:
    world.server.answers["/a.wav"] = tagged(wav(), '"1"')
    await world.bytes()
    world.server.answers["/a.wav"] = failing
    world.time += 3601
    assert await world.bytes() == wav()
    assert await world.bytes() == wav()
    assert (len(world.server.requests), world.statistics.stale) == (2, 2), "it is not asked for each caller"
    world.time += 31
    world.server.answers["/a.wav"] = tagged(wav(500), '"2"')
    assert await world.bytes() == wav(500)


async def test_an_old_copy_is_played_while_the_server_is_gone(tmp_path: Path) -> None:
    async with WebServer() as server:
        world = World(tmp_path, server)
        server.answers["/a.wav"] = answer(200, wav())
        await world.bytes()
    world.time += 3601
    assert await world.bytes() == wav()
    assert world.statistics.fetch_failed["connection"] == 1
    await world.web.close()


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_file_that_was_taken_away_is_no_longer_played(world: World, status: int) -> None:
    world.server.answers["/a.wav"] = answer(200, wav())
    await world.bytes()
    world.server.answers["/a.wav"] = answer(status)
    world.time += 3601
    assert f"answers {status}" in await world.refusal()
    assert not list(world.folder.glob("*.sound"))


async def test_a_failing_server_is_asked_again_only_after_a_while(world: World) -> None:
    await world.refusal()
    await world.refusal()
    assert (len(world.server.requests), world.statistics.fetch_failed["status"]) == (1, 1)
    world.time += 31
    world.server.answers["/a.wav"] = answer(200, wav())
    assert await world.bytes() == wav()


async def test_many_who_ask_at_once_fetch_once_even_if_one_hangs_up(world: World) -> None:
    go = asyncio.Event()

    async def held(_request: Request, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(message(200, wav()))

    world.server.answers["/a.wav"] = held
    first, *others = (asyncio.create_task(world.bytes()) for _ in range(5))
    await world.server.arrived(1)
    first.cancel()
    go.set()
    assert await asyncio.gather(*others) == [wav()] * 4
    assert len(world.server.requests) == world.statistics.fetched == 1


async def test_one_account_cannot_use_up_all_fetches(world: World) -> None:
    world.start(max_fetches=2, max_fetches_per_account=1, fetch_seconds=60)
    for path in ("/1.wav", "/2.wav"):
        world.server.answers[path] = silent
    world.server.answers["/a.wav"] = answer(200, wav())
    first = asyncio.create_task(world.bytes("/1.wav"))
    await world.server.arrived(1)
    assert "max_fetches_per_account" in await _busy(world)
    assert await world.bytes(account_id=OTHER) == wav()
    second = asyncio.create_task(world.bytes("/2.wav", OTHER))
    await world.server.arrived(3)
    assert "max_fetches " in await _busy(world)
    assert world.statistics.fetch_failed["busy"] == 2
    await world.web.close()
    assert all(isinstance(one, BaseException) for one in await asyncio.gather(first, second, return_exceptions=True))


async def _busy(world: World) -> str:
    with pytest.raises(SoundNotFound, match="try again") as refused:
        await world.bytes("/3.wav")
    return str(refused.value)


async def endless(_request: Request, writer: asyncio.StreamWriter) -> None:
    """A sound that never ends, in chunks: no length is announced."""
    writer.write(message(200, Transfer_Encoding="chunked") + b"2c\r\n" + wav()[:44] + b"\r\n")
    while True:
        writer.write(b"8000\r\n" + bytes(0x8000) + b"\r\n")
        await writer.drain()


async def test_a_file_that_never_ends_is_given_up_at_the_limit(world: World) -> None:
    world.start(max_fetch_bytes=500_000)
    world.server.answers["/a.wav"] = endless
    assert "max_fetch_bytes" in await world.refusal()
    assert world.statistics.fetch_failed["size"] == 1


async def test_a_file_that_announces_too_much_is_refused_before_it_comes(world: World) -> None:
    world.start(max_fetch_bytes=500_000)

    async def large(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(message(200, b"RIFF", Content_Length="500001"))
        await asyncio.Event().wait()

    world.server.answers["/a.wav"] = large
    assert "500000 bytes" in await world.refusal()


async def dripping(_request: Request, writer: asyncio.StreamWriter) -> None:
    """A byte now and then: each single wait is short."""
    writer.write(message(200, Content_Length="100000"))
    while True:
        writer.write(b"R")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("slow", [silent, dripping])
async def test_a_server_that_takes_its_time_is_given_up(world: World, slow: Any) -> None:
    world.start(fetch_seconds=0.3)
    world.server.answers["/a.wav"] = slow
    assert "fetch_seconds" in await world.refusal()
    assert world.statistics.fetch_failed["time"] == 1


async def test_a_redirect_is_followed(world: World) -> None:
    world.server.answers["/a.wav"] = answer(302, Location="/b.wav")
    world.server.answers["/b.wav"] = answer(200, wav())
    assert await world.bytes() == wav()


@pytest.mark.parametrize(
    "target",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://inside.example.com/a.wav",
    ],
)
async def test_a_redirect_into_a_private_network_is_refused(world: World, target: str) -> None:
    world.names["inside.example.com"] = "192.168.1.1"
    world.server.answers["/a.wav"] = answer(302, Location=target)
    assert "fetch_networks" in await world.refusal()
    assert world.statistics.fetch_failed["address"] == 1


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://example.com/a.wav", "ws://127.0.0.1/", "http://xn--a/"]
)
async def test_a_redirect_to_anything_but_the_web_is_refused(world: World, target: str) -> None:
    world.server.answers["/a.wav"] = answer(302, Location=target)
    await world.refusal()


async def test_redirects_in_a_circle_end_and_their_bodies_are_not_read(world: World) -> None:
    async def around(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(message(302, Location="/a.wav", Content_Length="100000000000"))
        await asyncio.Event().wait()

    world.server.answers["/a.wav"] = around
    assert "redirects more than 3 times" in await world.refusal()
    assert len(world.server.requests) == 4


async def test_this_machine_is_private_unless_the_operator_says_otherwise(world: World) -> None:
    world.start(fetch_networks=[])
    world.server.answers["/a.wav"] = answer(200, wav())
    assert "fetch_networks" in await world.refusal()
    world.names["rebound.example.com"] = "127.0.0.1"
    assert "fetch_networks" in await world.refusal(f"http://rebound.example.com:{world.server.port}/a.wav")
    assert world.server.requests == []


async def test_an_address_that_is_no_longer_allowed_plays_no_old_copy(world: World) -> None:
    world.server.answers["/a.wav"] = answer(200, wav())
    await world.bytes()
    world.start(fetch_networks=[])
    world.time += 3601
    assert "fetch_networks" in await world.refusal()


async def test_nothing_is_fetched_where_that_is_switched_off(world: World) -> None:
    world.start(fetch=False)
    with pytest.raises(SoundRefused, match=r"sounds\.fetch"):
        await world.bytes()
    assert world.server.requests == []


async def test_a_name_is_asked_for_as_it_was_written(world: World) -> None:
    world.names["sounds.example.com"] = "127.0.0.1"
    world.server.answers["/a.wav?x=1"] = answer(200, wav())
    assert await world.bytes(f"http://sounds.example.com:{world.server.port}/a.wav?x=1") == wav()
    assert world.server.requests[0].headers["host"] == f"sounds.example.com:{world.server.port}"


async def test_a_password_goes_to_its_own_server_and_into_no_message(world: World) -> None:
    async with WebServer() as other:
        world.server.answers["/a.wav"] = answer(302, Location=other.url("/b.wav"))
        text = await world.refusal(f"http://bob:secret@127.0.0.1:{world.server.port}/a.wav")
        assert "secret" not in text
        expected = f"Basic {base64.b64encode(b'bob:secret').decode()}"
        assert world.server.requests[0].headers["authorization"] == expected
        assert "authorization" not in other.requests[0].headers


async def test_compressed_bodies_are_refused_unread(world: World) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    world.server.answers["/a.wav"] = answer(200, bomb, Content_Encoding="gzip", Content_Type="audio/x-wav")
    assert "compressed" in await world.refusal()
    assert world.server.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "bad",
    [
        answer(200, b"<html>Not found</html>", Content_Type="text/html; charset=utf-8"),
        answer(200, b"<html>Not found</html>", Content_Type="audio/x-wav"),
        answer(200, b""),
        answer(204),
        answer(206, wav()[:100]),
        answer(304),
    ],
)
async def test_what_is_no_sound_is_not_kept(world: World, bad: Any) -> None:
    world.server.answers["/a.wav"] = bad
    assert world.server.url("/a.wav") in await world.refusal()
    assert not list(world.folder.glob("*.sound"))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://a:99999999/\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
async def test_a_broken_server_gives_a_reason_and_nothing_else(world: World, raw: bytes) -> None:
    async def write(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    world.server.answers["/a.wav"] = write
    assert await world.refusal()
    assert sum(world.statistics.fetch_failed.values()) == 1


async def test_a_file_larger_than_the_whole_folder_may_be_is_refused(world: World) -> None:
    world.start(cache_bytes=5000)
    world.server.answers["/a.wav"] = answer(200, wav())
    assert "cache_bytes" in await world.refusal()


async def test_a_folder_that_cannot_be_written_to_is_named(world: World, tmp_path: Path) -> None:
    world.folder = tmp_path / "file" / "cache"
    (tmp_path / "file").write_text("in the way")
    world.start()
    world.server.answers["/a.wav"] = answer(200, wav())
    with pytest.raises(SoundNotFound, match="cannot be written"):
        await world.bytes()


async def test_https_is_meant_for_the_name_and_not_for_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = ssl.create_default_context(cafile=CERTIFICATE)
    monkeypatch.setattr(sys.modules["mirliton.outbound_http.client"], "_trust", lambda: trust)
    context, asked = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), []
    context.load_cert_chain(CERTIFICATE)
    context.set_servername_callback(lambda _socket, name, _context: asked.append(name))
    async with WebServer(tls=context) as server:
        world = World(tmp_path, server)
        world.names |= {"sounds.example.com": "127.0.0.1", "other.example.com": "127.0.0.1"}
        server.answers["/a.wav"] = answer(200, wav())
        assert await world.bytes(f"https://sounds.example.com:{server.port}/a.wav") == wav()
        assert asked == ["sounds.example.com"]
        assert "certificate" in await world.refusal(f"https://other.example.com:{server.port}/a.wav")
        assert "certificate" in await world.refusal(f"https://127.0.0.1:{server.port}/a.wav")
        assert len(server.requests) == 1
        await world.web.close()


async def test_other_formats_are_sound_as_well(world: World, tmp_path: Path) -> None:
    samples, rate = soundfile.read(await world_file(world, wav(), tmp_path))
    soundfile.write(tmp_path / "a.mp3", samples, rate)
    world.server.answers["/a.mp3"] = answer(200, (tmp_path / "a.mp3").read_bytes(), Content_Type="audio/mpeg")
    path = await world.web.file(WebFile(world.server.url("/a.mp3")), ACCOUNT)
    assert soundfile.info(path).format == "MP3"


async def world_file(world: World, content: bytes, folder: Path) -> Path:
    world.server.answers["/a.wav"] = answer(200, content)
    return await world.web.file(WebFile(world.server.url("/a.wav")), ACCOUNT)
