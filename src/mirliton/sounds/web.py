"""Sounds from web servers (`http://…`, `https://…`, semantics 5.3): fetched once, kept on disk, asked about again.

The addresses come from tenants. Where a request may go is the business of `outbound_http`; here are the bounds on what
comes back, on how much is fetched at a time, and the rules of freshness (RFC 9111, in small).
"""

import time
from collections.abc import Callable
from pathlib import Path

import structlog

from mirliton.outbound_http.lookup import Lookup
from mirliton.settings import SoundSettings
from mirliton.sounds.addresses import SoundNotFound, SoundRefused, WebFile
from mirliton.sounds.asking import FetchFailed, RecentFailures
from mirliton.sounds.cache import Cached, SoundCache
from mirliton.sounds.fetching import Fetcher, Unchanged
from mirliton.sounds.shared_work import SharedWork, Shares, TooMuchWork
from mirliton.sounds.statistics import LibraryStatistics

_log = structlog.get_logger(__name__)


class WebSounds:
    """Files of web servers as files on disk. `now`: seconds since the epoch, as notes outlive the process."""

    def __init__(
        self,
        settings: SoundSettings,
        cache: SoundCache,
        statistics: LibraryStatistics,
        *,
        now: Callable[[], float] = time.time,
        lookup: Lookup | None = None,
    ) -> None:
        self._settings = settings
        self._cache = cache
        self._statistics = statistics
        self._now = now
        self._fetcher = Fetcher(settings, lookup)
        self._work: SharedWork[Path] = SharedWork(settings.max_fetches)
        self._shares = Shares(settings.max_fetches_per_account)
        self._failed = RecentFailures(settings.retry_fetch_seconds)

    async def file(self, source: WebFile, account_id: str) -> Path:
        """The file behind an address. Raises `SoundNotFound` (`SoundRefused`) with what to do."""
        if not self._settings.fetch:
            self._statistics.fetch_failed["off"] += 1
            raise SoundRefused(
                f"{source.shown}: this server fetches nothing (sounds.fetch = false); upload the file under media"
            )
        name = _name(source)
        cached = self._cache.get(name)
        if cached and self._fresh(cached):
            self._statistics.cached += 1
            return cached.path
        if failure := self._failed.lately(name, self._now()):
            return self._make_do(source, cached, failure)
        try:
            return await self._work.result(name, lambda: self._ask(source, cached, account_id))
        except TooMuchWork:
            raise self._busy("sounds.max_fetches") from None

    async def close(self) -> None:
        """Give up what is being fetched, and close all connections."""
        await self._work.close()
        await self._fetcher.close()

    def _fresh(self, cached: Cached) -> bool:
        """A time in the future is no reason to trust a copy for ever: clocks are set back."""
        checked = cached.about.get("checked")
        return isinstance(checked, int | float) and 0 <= self._now() - checked < self._settings.fetched_for_seconds

    async def _ask(self, source: WebFile, cached: Cached | None, account_id: str) -> Path:
        try:
            with self._shares.one(account_id):
                return await self._fetch(source, cached)
        except TooMuchWork:
            raise self._busy("sounds.max_fetches_per_account") from None
        except FetchFailed as failure:
            self._statistics.fetch_failed[failure.kind] += 1
            self._failed.remember(_name(source), failure, self._now())
            return self._make_do(source, cached, failure)

    async def _fetch(self, source: WebFile, cached: Cached | None) -> Path:
        partial = self._cache.partial()
        try:
            known = cached.about if cached else {}
            found = await self._fetcher.fetch(source, partial, known)
            about = {"checked": self._now(), "etag": found.etag, "modified": found.modified}
            if isinstance(found, Unchanged) and cached:
                self._statistics.revalidated += 1
                self._cache.note(_name(source), {**cached.about, "checked": self._now()})
                return cached.path
            self._statistics.fetched += 1
            return self._cache.keep(_name(source), partial, about).path
        finally:
            partial.unlink(missing_ok=True)

    def _make_do(self, source: WebFile, cached: Cached | None, failure: FetchFailed) -> Path:
        """The old copy when the server merely fails; the reason when there is none, or when it may not be had."""
        if failure.final or cached is None:
            self._cache.drop(_name(source))
            raise SoundNotFound(str(failure)) from failure
        self._statistics.stale += 1
        _log.warning("old copy of a sound played", url=source.shown, reason=str(failure))
        return cached.path

    def _busy(self, setting: str) -> SoundNotFound:
        self._statistics.fetch_failed["busy"] += 1
        return SoundNotFound(f"more sounds are being fetched than {setting} allows: try again in a moment")


def _name(source: WebFile) -> str:
    return f"web:{source.url}"
