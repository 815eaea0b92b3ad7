"""One radio station that is listened to: its bytes are decoded as they come in and put into a ring of sound that all
hear at the same moment (semantics 5.3, `shout://`). A station that fails is silent, and asked again."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import httpx
import structlog

from mirliton.media.types import LiveClip
from mirliton.outbound_http import RADIO
from mirliton.settings import SoundSettings
from mirliton.sounds.addresses import Radio
from mirliton.sounds.asking import FetchFailed, WebServers, check_head, failures_told
from mirliton.sounds.radio_decoding import PipeDecoder, StreamBroken
from mirliton.sounds.radio_pacing import SECOND, Pacer, Throttle
from mirliton.sounds.radio_pipe import feed
from mirliton.sounds.statistics import LibraryStatistics

_log = structlog.get_logger(__name__)

_LOOK_SECONDS = 0.25
_LISTS = ("audio/x-mpegurl", "audio/mpegurl", "application/x-mpegurl", "application/vnd.apple.mpegurl", "audio/x-scpls")
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before a station that failed is asked again; doubled each time."""
WELL_SECONDS = 10
"""A connection that lasted for so long was a good one: the next failure is a new one."""


@dataclass(frozen=True, slots=True)
class Studio:
    """What all stations share. `clock`: monotonic ns, the one of the engine."""

    settings: SoundSettings
    statistics: LibraryStatistics
    servers: WebServers
    threads: Executor
    clock: Callable[[], int]


class Station:
    """Listens from the beginning on, until `stop`, until nobody has used it for a while, or until the first attempt
    has failed. `ended` is a task that is done then."""

    def __init__(self, source: Radio, ring: LiveClip, studio: Studio) -> None:
        self.ring = ring
        self.last_used = studio.clock()
        self._source = source
        self._studio = studio
        self._pacer = Pacer(ring, studio.settings.station_seconds, studio.clock())
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._told = False
        self.ended = asyncio.create_task(self._run())
        self.ended.add_done_callback(self._close)  # which is called even if it is cancelled before it runs

    async def begun(self) -> None:
        """Return when its first sound can be heard. Raises `FetchFailed` when the first attempt fails."""
        self.last_used = self._studio.clock()
        await asyncio.shield(self._begun)

    def idle(self, now: int) -> float:
        """Seconds for which nobody has used it; 0 while it is sought."""
        if self.ring.in_use or not self._begun.done():
            self.last_used = now
        return (now - self.last_used) / SECOND

    def stop(self) -> None:
        """Listen no more; `ended` tells when that is so."""
        self.ended.cancel()

    async def _run(self) -> None:
        listening = asyncio.create_task(self._listen_on())
        try:
            while not listening.done() and self._wanted():
                await asyncio.wait([listening], timeout=_LOOK_SECONDS)
        finally:
            listening.cancel()
            await asyncio.wait([listening])
        if not listening.cancelled():
            listening.result()

    def _close(self, _task: "asyncio.Task[None]") -> None:
        self.ring.close()
        self._give_up(FetchFailed("connection", f"{self._source.shown} is listened to no more"))

    def _wanted(self) -> bool:
        now = self._studio.clock()
        self._pacer.erase(now)
        return self.idle(now) < self._studio.settings.station_kept_seconds

    def _give_up(self, failure: FetchFailed) -> None:
        if not self._begun.done():
            self._begun.set_exception(failure)
            self._begun.exception()  # whoever waited may have hung up, and then nobody takes it

    async def _listen_on(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = self._studio.clock()
            failure = await self._connection()
            self._studio.statistics.fetch_failed[failure.kind] += 1
            if not self._begun.done():
                self._give_up(failure)
                return
            if self._studio.clock() - began > WELL_SECONDS * SECOND:
                pause, self._told = FIRST_PAUSE, False
            self._lost(failure)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _lost(self, failure: FetchFailed) -> None:
        self._studio.statistics.station_losses += 1
        if not self._told:
            self._told = True
            _log.warning("radio station lost, and asked again", url=self._source.shown, reason=str(failure))

    async def _connection(self) -> FetchFailed:
        """Listen for as long as the station sends; returns why it ended."""
        seconds = self._studio.settings.fetch_seconds
        try:
            with failures_told(self._source, seconds):
                async with (
                    asyncio.timeout(seconds) as limit,
                    self._studio.servers.answer(self._source, {}, {RADIO: True}) as response,
                ):
                    check_head(self._source, response)
                    _check_kind(self._source, response)
                    await self._receive(response, limit)
        except FetchFailed as failure:
            return failure
        if not self._begun.done():
            return FetchFailed("content", f"{self._source.shown} ends and holds no sound; have it sent as MP3 or Ogg")
        return FetchFailed("connection", f"{self._source.shown}: the station has ended its stream")

    async def _receive(self, response: httpx.Response, limit: asyncio.Timeout) -> None:
        """Between the pipe's two ends are a task of ours, which writes, and a thread, which decodes."""
        studio = self._studio
        out, into = os.pipe()
        decoder = PipeDecoder(out)
        throttle = Throttle(studio.settings.max_station_bytes_per_second)
        feeding = asyncio.create_task(feed(self._source, response, into, throttle, studio.statistics))
        try:
            await self._play(decoder, limit)
        except StreamBroken as error:
            if not feeding.done():
                raise FetchFailed("content", f"{self._source.shown} cannot be decoded: {error}") from error
        finally:
            feeding.cancel()
            await asyncio.wait([feeding])
            studio.threads.submit(decoder.close)
        if not feeding.cancelled():
            feeding.result()

    async def _play(self, decoder: PipeDecoder, limit: asyncio.Timeout) -> None:
        """Until the end of the pipe. What makes no sound for as long as a fetch may take is given up."""
        studio, loop = self._studio, asyncio.get_running_loop()
        first = True
        while (block := await loop.run_in_executor(studio.threads, decoder.read)) is not None:
            await asyncio.sleep(self._pacer.room(studio.clock()))
            late = self._pacer.write(studio.clock(), block)
            studio.statistics.station_gaps += late and not first
            studio.statistics.station_connections += first
            first = False
            if not self._begun.done():
                self._begun.set_result(None)
            limit.reschedule(loop.time() + studio.settings.fetch_seconds)


def _check_kind(source: Radio, response: httpx.Response) -> None:
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() in _LISTS:
        raise FetchFailed("content", f"{source.shown} is a list of stations; give the address that stands in it")
