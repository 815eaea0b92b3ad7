"""Radio stations on this machine: listened to once, paced by the clock, bounded, and not trusted."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from structlog.testing import capture_logs

from mirliton.media.types import MediaEngine
from mirliton.settings import SoundSettings
from mirliton.sounds import radio_station
from mirliton.sounds.addresses import Radio, SoundNotFound, SoundRefused
from mirliton.sounds.radio import Stations
from mirliton.sounds.statistics import LibraryStatistics

from .radio_tower import CHUNKED, HEAD, ICY, Ring, Rings, encoded, fragment, station
from .spectrum import amplitude, strongest
from .web_server import WebServer, answer, silent

HERE = IPv4Network("127.0.0.0/8")
ACCOUNT, OTHER = "a" * 32, "b" * 32
SECOND = 1_000_000_000


class World:
    """A web server, and stations over an engine that keeps what is heard."""

    def __init__(self, server: WebServer) -> None:
        self.server = server
        self.rings = Rings()
        self.skipped = 0
        self.opened: list[Stations] = []
        self.start()

    def start(self, **settings: Any) -> None:
        """Another process, as it were."""
        self.statistics = LibraryStatistics()
        chosen = SoundSettings(**{"fetch_networks": [HERE], **settings})
        engine = cast(MediaEngine, self.rings)
        self.stations = Stations(engine, chosen, self.statistics, clock=self.now)
        self.opened.append(self.stations)

    def now(self) -> int:
        """The clock of the machine, and what a test has skipped."""
        return time.monotonic_ns() + self.skipped

    async def ring(self, path: str = "/live", account_id: str = ACCOUNT) -> Ring:
        """The ring of a station that can be heard."""
        clip = await self.stations.clip(Radio(self.server.url(path)), account_id)
        return next(ring for ring in reversed(self.rings.opened) if ring.clip is clip)

    async def refused(self, path: str = "/live", account_id: str = ACCOUNT) -> str:
        """Why a station cannot be heard."""
        with pytest.raises(SoundNotFound) as refusal:
            await self.ring(path, account_id)
        return str(refusal.value)


@asynccontextmanager
async def opened_world() -> AsyncIterator[World]:
    async with WebServer() as server:
        world = World(server)
        yield world
        for stations in world.opened:
            await stations.close()
        assert all(ring.closed for ring in world.rings.opened)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened_world() as world:
        yield world


async def until(_what: str, holds: Any) -> None:
    """Wait for a condition; the test's own time limit ends it."""
    while not holds():  # noqa: ASYNC110 - of several kinds, most without an event
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(("piece", "head"), [(3, CHUNKED), (417, HEAD), (9999, ICY)])
async def test_a_station_is_heard_at_both_rates_however_its_bytes_are_cut(
    world: World, piece: int, head: bytes
) -> None:
    world.server.answers["/live"] = station(encoded(440), piece=piece, head=head)
    world.start(max_station_bytes_per_second=10_000_000)
    ring = await world.ring()
    await ring.more(1.0)
    for rate in (8000, 16000):
        sound = ring.sound(rate)[rate // 4 :]
        assert strongest(sound, rate, 1)[0] == pytest.approx(440, abs=2)
        assert amplitude(sound, rate, 440) == pytest.approx(0.3 * 32768, rel=0.05)
    assert ring.gaps == 0
    assert "icy-metadata" not in world.server.requests[0].headers


@pytest.mark.parametrize(
    ("kind", "subtype", "rate"), [("MP3", None, 22_050), ("OGG", "VORBIS", 44_100), ("OGG", "OPUS", 48_000)]
)
async def test_other_kinds_of_stations_are_heard(world: World, kind: str, subtype: str | None, rate: int) -> None:
    sound = encoded(700, 20.0, kind=kind, subtype=subtype, rate=rate)
    world.server.answers["/live"] = station(sound, begin=0)
    ring = await world.ring()
    await ring.more(0.5)
    assert strongest(ring.sound()[2000:], 8000, 1)[0] == pytest.approx(700, abs=3)


async def test_a_station_that_sends_as_fast_as_it_can_is_taken_as_slowly_as_it_is_heard(world: World) -> None:
    world.server.answers["/live"] = station(encoded(440, 60.0), piece=20_000)
    ring = await world.ring()
    for _ in range(8):
        await ring.more(0.25)
        assert ring.latest - world.now() <= 2.5 * SECOND
    assert ring.gaps == 0
    assert world.statistics.station_throttled == 0


async def test_one_station_costs_one_connection_for_an_account(world: World) -> None:
    world.server.answers["/live"] = station(encoded(440))
    first, second = await asyncio.gather(world.ring(), world.ring())
    assert first is second is await world.ring()
    assert len(world.server.requests) == 1
    assert await world.ring(account_id=OTHER) is not first
    assert (len(world.server.requests), world.statistics.stations) == (2, 2)


async def test_a_station_that_stalls_is_silent_and_goes_on_later(world: World) -> None:
    sound, on = encoded(440), asyncio.Event()
    half = len(sound) // 2

    async def stalling(_request: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + sound[: half // 2])
        await on.wait()
        writer.write(sound[half // 2 :])
        await writer.drain()
        await asyncio.Event().wait()

    world.server.answers["/live"] = stalling
    ring = await world.ring()
    await until("all that came is written", lambda: ring.seconds > 1.5)
    await until("it is over", lambda: world.now() > ring.latest)
    on.set()
    await ring.more(0.5)
    assert (ring.gaps, world.statistics.station_gaps, len(world.server.requests)) == (1, 1, 1)


async def test_a_station_that_dies_is_asked_again_and_its_loss_is_logged_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(radio_station, "FIRST_PAUSE", 0.01)
    world.server.answers["/live"] = fragment(encoded(440)[:10_000])
    with capture_logs() as logs:
        ring = await world.ring()
        world.server.answers["/live"] = answer(503)
        await world.server.arrived(4)
        world.server.answers["/live"] = station(encoded(880))
        await until("it is back", lambda: world.statistics.station_connections == 2)
    await ring.more(1.0)
    assert strongest(ring.sound()[-6000:], 8000, 1)[0] == pytest.approx(880, abs=3)
    assert [line["event"] for line in logs] == ["radio station lost, and asked again"]
    assert world.statistics.station_losses >= 3
    assert world.statistics.fetch_failed["status"] >= 2


async def test_a_station_that_sends_no_sound_any_more_is_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(radio_station, "FIRST_PAUSE", 0.01)
    world.start(fetch_seconds=1.5)
    world.server.answers["/live"] = fragment(encoded(440)[:10_000], then=asyncio.Event())
    await world.ring()
    world.server.answers["/live"] = station(encoded(440))
    await until("it is back", lambda: world.statistics.station_connections == 2)
    assert world.statistics.fetch_failed["time"] == 1


@pytest.mark.parametrize(
    ("answers", "reason", "kind"),
    [
        (answer(404), "404", "status"),
        (answer(200, b"<p>", Content_Type="text/html"), "web page", "content"),
        (answer(200, b"#EXTM3U", Content_Type="audio/x-mpegurl"), "list of stations", "content"),
        (answer(200, b"RIFF" + bytes(100)), "FLAC or WAV", "content"),
        (answer(200, b"OggS" + bytes(100_000)), "decoded", "content"),
        (answer(200, b"no sound at all"), "no sound", "content"),
        (station(np.random.default_rng(1).bytes(100_000), piece=9999), "MP3 or Ogg", "content"),
        (station(b"\xff" * 100_000, piece=9999), "MP3 or Ogg", "content"),
        (station(b"\x00" * 100_000, piece=9999), "MP3 or Ogg", "content"),
        (answer(302, Location="http://10.0.0.1/live"), "not public", "address"),
        (answer(302, Location="ftp://127.0.0.1/live"), "ftp", "address"),
        (silent, "fetch_seconds", "time"),
    ],
)
async def test_what_is_no_station_says_why_and_is_not_asked_again_at_once(
    world: World, answers: Any, reason: str, kind: str
) -> None:
    world.start(fetch_seconds=1.0 if kind == "time" else 10.0)
    world.server.answers["/live"] = answers
    assert reason in await world.refused()
    assert reason in await world.refused()
    assert len(world.server.requests) == 1
    assert world.statistics.fetch_failed[kind] == 1
    await until("it is left", lambda: world.rings.opened[0].closed)


async def test_addresses_of_private_networks_are_refused_and_so_is_everything_when_fetching_is_off(
    world: World,
) -> None:
    world.start(fetch_networks=[])
    assert "not public" in await world.refused()
    world.start(fetch=False)
    with pytest.raises(SoundRefused, match="fetch = false"):
        await world.ring()
    assert not world.server.requests


async def test_messages_show_no_password(world: World) -> None:
    world.server.answers["/live"] = answer(401)
    url = world.server.url("/live").replace("127", "bob:secret@127") + "?key=secret"
    with pytest.raises(SoundNotFound) as refusal:
        await world.stations.clip(Radio(url), ACCOUNT)
    assert "secret" not in str(refusal.value)


async def test_a_station_that_nobody_hears_is_left_after_a_while_and_opened_anew(world: World) -> None:
    world.server.answers["/live"] = station(encoded(440))
    first = await world.ring()
    world.skipped += 100 * SECOND
    await first.more(0.25)
    assert not first.closed, "somebody hears it"
    first.in_use = False
    world.skipped += 100 * SECOND
    await until("it is left", lambda: first.closed)
    assert world.statistics.stations == 0
    assert await world.ring() is not first


async def test_there_are_as_many_stations_as_allowed_and_unused_ones_make_way(world: World) -> None:
    world.start(max_stations=3, max_stations_per_account=2)
    for name in ("/1", "/2", "/3", "/4"):
        world.server.answers[name] = station(encoded(440))
    first, _ = await world.ring("/1"), await world.ring("/2")
    assert "max_stations_per_account" in await world.refused("/3")
    await world.ring("/3", OTHER)
    assert "max_stations allows" in await world.refused("/4", OTHER)
    first.in_use = False
    world.skipped += 10 * SECOND
    await world.ring("/4")
    await until("it has made way", lambda: first.closed)
    assert (world.statistics.stations, world.statistics.fetch_failed["busy"]) == (3, 2)


async def test_more_bytes_than_allowed_are_made_to_wait(world: World) -> None:
    # One byte at a time costs as much as 512.
    world.start(max_station_bytes_per_second=50_000)
    world.server.answers["/live"] = station(encoded(440), piece=1, head=CHUNKED)
    asking = asyncio.create_task(world.ring())
    await until("it was made to wait", lambda: world.statistics.station_throttled > 3)
    asking.cancel()
    assert world.rings.opened[0].seconds == 0


async def test_who_hangs_up_while_a_station_is_sought_takes_it_from_nobody(world: World) -> None:
    world.server.answers["/live"] = station(encoded(440))
    asking = [asyncio.create_task(world.ring()) for _ in range(2)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await (await asking[1]).more(0.25)


def descriptors() -> int:
    """Of this process, open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_closing_ends_threads_connections_and_pipes() -> None:
    before = descriptors()
    async with opened_world() as world:
        world.server.answers["/live"] = station(encoded(440))
        world.server.answers["/stalls"] = fragment(encoded(440)[:8000], then=asyncio.Event())
        world.server.answers["/says nothing"] = silent
        await asyncio.gather(world.ring("/live"), world.ring("/stalls"))
        waiting = asyncio.create_task(world.ring("/says nothing"))
        await world.server.arrived(2)
        await world.stations.close()
        with pytest.raises(SoundNotFound):
            await waiting
        await until("no thread is left", lambda: not any(one.name.startswith("radio") for one in threading.enumerate()))
        assert "ends" in await world.refused("/live")
    await until("all is closed", lambda: descriptors() <= before)
