"""Sounds keep the order in which they were asked for, though finding each takes its own time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from mirliton.calls.ports import Playable, SoundLibrary
from mirliton.media.types import MediaFull
from mirliton.sounds.addresses import SoundNotFound, shown

_log = structlog.get_logger(__name__)

MAX_WAITING = 64


@dataclass(slots=True)
class SoundStatistics:
    """Counters since the start, shared by all queues of the process."""

    played: int = 0
    not_found: int = 0
    no_room: int = 0
    dropped: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class _Wanted:
    address: str
    language: str
    done: Callable[[Playable | None], None]


class SoundQueue:
    """Resolves one sound after the other. Idle queues hold no task."""

    def __init__(
        self, library: SoundLibrary, account_id: str, statistics: SoundStatistics, *, limit: int = MAX_WAITING
    ) -> None:
        self._library = library
        self._account_id = account_id
        self._statistics = statistics
        self._limit = limit
        self._waiting: list[_Wanted] = []
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a sound is still being looked for."""
        return self._task is not None

    async def idle(self) -> None:
        """Return when everything asked for so far has been found and handed over, or given up."""
        while self._task is not None:
            await asyncio.wait([self._task])

    def put(self, address: str, language: str, done: Callable[[Playable | None], None]) -> None:
        """Look a sound up; `done` gets it in turn, or None when there is none or the queue is full or closed."""
        if self._closed or len(self._waiting) >= self._limit:
            self._statistics.dropped += 1
            done(None)
            return
        self._waiting.append(_Wanted(address, language, done))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    def clear(self) -> None:
        """Forget what was asked for; nobody is told."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def close(self) -> None:
        """Forget everything and accept nothing more."""
        self._closed = True
        self.clear()

    async def _work(self) -> None:
        while self._waiting:
            wanted = self._waiting.pop(0)
            found = await self._resolve(wanted)
            if not self._waiting:
                self._task = None
            self._hand_over(wanted, found)
            if self._task is not asyncio.current_task():
                return

    def _hand_over(self, wanted: _Wanted, found: Playable | None) -> None:
        try:
            wanted.done(found)
        except Exception:
            self._statistics.failed += 1
            _log.exception("sound could not be played", address=shown(wanted.address))

    async def _resolve(self, wanted: _Wanted) -> Playable | None:
        try:
            found = await self._library.resolve(self._account_id, wanted.address, wanted.language)
        except SoundNotFound as error:
            self._statistics.not_found += 1
            _log.warning(
                "sound left out", address=shown(wanted.address), account_id=self._account_id, reason=str(error)
            )
            return None
        except MediaFull as error:
            self._statistics.no_room += 1
            _log.warning(
                "sound left out", address=shown(wanted.address), account_id=self._account_id, reason=str(error)
            )
            return None
        except Exception:
            # One broken sound must not end the sounds of a room for good.
            self._statistics.failed += 1
            _log.exception("sound left out", address=shown(wanted.address), account_id=self._account_id)
            return None
        self._statistics.played += found is not None
        return found


def times(sound: Playable) -> int:
    """How often a queued sound plays: one that never ends would hold up everything behind it, so it plays once."""
    return max(sound.loops, 1)
