"""Radio stations of the Internet (`shout://…`, semantics 5.3): each is listened to once
for all of an account who hear it.

The addresses come from tenants: how many stations there are, and how fast they may send, is bounded.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from mirliton.media.types import Clip, MediaEngine
from mirliton.outbound_http.lookup import Lookup
from mirliton.settings import SoundSettings
from mirliton.sounds.addresses import Radio, SoundNotFound, SoundRefused
from mirliton.sounds.asking import FetchFailed, RecentFailures, WebServers
from mirliton.sounds.radio_pacing import SECOND
from mirliton.sounds.radio_station import Station, Studio
from mirliton.sounds.statistics import LibraryStatistics

_log = structlog.get_logger(__name__)

_SPARE_THREADS = 4
_MAY_MAKE_WAY_SECONDS = 3.0
"""A station that nobody has used for so long makes way for another: who has just found it may be about to play it."""


class Stations:
    """Those that are listened to, by account and address. `clock`: monotonic ns, the one of the engine."""

    def __init__(
        self,
        engine: MediaEngine,
        settings: SoundSettings,
        statistics: LibraryStatistics,
        *,
        lookup: Lookup | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._statistics = statistics
        self._clock = clock
        self._servers = WebServers(settings, settings.max_stations, lookup)
        self._threads = ThreadPoolExecutor(settings.max_stations + _SPARE_THREADS, thread_name_prefix="radio")
        self._studio = Studio(settings, statistics, self._servers, self._threads, clock)
        self._stations: dict[tuple[str, str], Station] = {}
        self._closed = False
        self._ending: set[asyncio.Task[None]] = set()
        self._failed = RecentFailures(settings.retry_fetch_seconds)

    async def clip(self, source: Radio, account_id: str) -> Clip:
        """The sound of a station, once it can be heard. Raises `SoundNotFound` with what to do, and `MediaFull`."""
        self._check_open(source)
        key = account_id, source.url
        if (known := self._failed.lately(_name(key), self._clock() / SECOND)) is not None:
            raise SoundNotFound(str(known))
        station = self._stations.get(key) or self._opened(key, source)
        try:
            await station.begun()
        except FetchFailed as failure:
            self._failed.remember(_name(key), failure, self._clock() / SECOND)
            raise SoundNotFound(str(failure)) from failure
        return station.ring.clip

    async def close(self) -> None:
        """Listen to none any more, and close all connections."""
        self._closed = True
        for station in self._stations.values():
            station.stop()
        if self._ending:
            await asyncio.wait(self._ending)
        await self._servers.close()
        self._threads.shutdown(wait=False)

    def _check_open(self, source: Radio) -> None:
        if not self._settings.fetch:
            self._statistics.fetch_failed["off"] += 1
            raise SoundRefused(f"{source.shown}: this server listens to no stations (sounds.fetch = false)")
        if self._closed:
            raise SoundNotFound(f"{source.shown}: the server ends")

    def _opened(self, key: tuple[str, str], source: Radio) -> Station:
        account_id, _ = key
        self._make_room([one for one in self._stations if one[0] == account_id], "max_stations_per_account")
        self._make_room(list(self._stations), "max_stations")
        ring = self._engine.live_clip(_name(key), self._settings.station_seconds, account_id)
        station = self._stations[key] = Station(source, ring, self._studio)
        self._statistics.stations = len(self._stations)
        self._ending.add(station.ended)
        station.ended.add_done_callback(lambda task: self._ended(key, station, task))
        return station

    def _make_room(self, keys: list[tuple[str, str]], setting: str) -> None:
        """End the station that was used longest ago, if there are as many as allowed. Raises `SoundNotFound`."""
        if len(keys) < getattr(self._settings, setting):
            return
        now = self._clock()
        oldest = max(keys, key=lambda key: self._stations[key].idle(now))
        if self._stations[oldest].idle(now) < _MAY_MAKE_WAY_SECONDS:
            self._statistics.fetch_failed["busy"] += 1
            raise SoundNotFound(f"more radio stations are listened to than sounds.{setting} allows")
        self._forget(oldest).stop()

    def _forget(self, key: tuple[str, str]) -> Station:
        station = self._stations.pop(key)
        self._statistics.stations = len(self._stations)
        return station

    def _ended(self, key: tuple[str, str], station: Station, task: "asyncio.Task[None]") -> None:
        self._ending.discard(task)
        if self._stations.get(key) is station:
            self._forget(key)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("radio station ended by a mistake of this program", exc_info=error)


def _name(key: tuple[str, str]) -> str:
    account_id, url = key
    return f"radio:{account_id}:{url}"
