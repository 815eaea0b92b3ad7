"""Recordings of rooms: each is a task that empties its tap five times a second and a file that threads write."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mirliton.media.types import Tap
from mirliton.recording.flac import FileFacts, WriteFailed
from mirliton.recording.leftovers import Leftover, finish_leftover, leftovers, place_for
from mirliton.recording.media_documents import Changed, MediaDocuments
from mirliton.recording.room_recording import Ended, OnEnd, Reason, RecordingRefused, RoomRecording
from mirliton.recording.take import Take
from mirliton.store import NotFound, Store, TooManyDocuments
from mirliton.store.document import new_id

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
_P = ParamSpec("_P")

POLL_SECONDS = 0.2
_LONGEST_CONFERENCE_NAME = 96
_WRITERS = 4
"""Threads of our own: a disk that hangs must not take those that everything else needs."""


@dataclass(slots=True)
class RecordingStatistics:
    """Counters since the start; `ended` by reason."""

    started: int = 0
    refused: int = 0
    ended: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Reason, 0))
    seconds: float = 0.0
    chunks_lost: int = 0
    recovered: int = 0
    unrecoverable: int = 0


class Recordings:
    """All recordings that run. `rate` in Hz is that of the files; `now` is the engine's clock, `utc` UNIX seconds.

    `max_per_account` None: one account may have all.
    """

    def __init__(
        self,
        store: Store,
        changed: Changed,
        *,
        max_seconds: float,
        max_at_a_time: int,
        max_per_account: int | None = None,
        rate: int = 16000,
        poll_seconds: float = POLL_SECONDS,
        now: Callable[[], int] = time.monotonic_ns,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self.statistics = RecordingStatistics()
        self._store = store
        self._documents = MediaDocuments(store, changed, utc)
        self._max_seconds = max_seconds
        self._max_at_a_time = max_at_a_time
        self._max_per_account = max_at_a_time if max_per_account is None else max_per_account
        self._rate = rate
        self._poll_seconds = poll_seconds
        self._now = now
        self._utc = utc
        self._running: dict[str, RoomRecording] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="recording")

    def __len__(self) -> int:
        """How many run."""
        return len(self._running)

    async def start(
        self, account_id: str, conference_id: str, conference_name: str, tap: Tap, on_end: OnEnd | None = None
    ) -> RoomRecording:
        """Record what the tap hears from now on; the tap is closed at the end, and when this is refused.

        Raises `RecordingRefused`: too many at a time, no room in the account, or a disk that takes no file.
        """
        begun = self._now()
        recording = RoomRecording(account_id, conference_id, new_id(), tap, on_end)
        try:
            if self._closing or len(self._running) >= self._max_at_a_time:
                raise RecordingRefused(f"{len(self._running)} recordings run already: stop one")
            if self._of_account(account_id) >= self._max_per_account:
                raise RecordingRefused(f"the account has {self._max_per_account} recordings running: stop one")
            self._running[recording.media_id] = recording
            take = await self._prepare(recording, conference_name, begun)
        except BaseException as problem:
            self._forget(recording)
            self.statistics.refused += isinstance(problem, RecordingRefused)
            raise
        self.statistics.started += 1
        task = asyncio.create_task(self._run(recording, take))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return recording

    def _of_account(self, account_id: str) -> int:
        return sum(one.account_id == account_id for one in self._running.values())

    async def stop(self, recording: RoomRecording) -> str | None:
        """End it; the id of the media document, None when there is no sound to play. May be called again."""
        recording.ask_to_stop(Reason.STOPPED)
        await recording.done.wait()
        return recording.ended.media_id if recording.ended else None

    async def close(self) -> None:
        """Finish all recordings; no other can start."""
        self._closing = True
        running = list(self._running.values())
        for recording in running:
            recording.ask_to_stop(Reason.SERVER_STOPPED)
        await asyncio.gather(*(recording.done.wait() for recording in running))
        await asyncio.gather(*self._tasks)  # they still have to tell who asked
        self._writers.shutdown(wait=False)

    async def recover(self) -> None:
        """Finish what a crash left behind; once, after `Store.open`. What cannot be written now waits for next time."""
        for left in await asyncio.to_thread(leftovers, self._store):
            if left.media_id not in self._running:
                await self._recover(left)

    async def _recover(self, left: Leftover) -> None:
        log = _log.bind(account_id=left.account_id, media_id=left.media_id)
        try:
            facts = await finish_leftover(self._documents, left)
        except Exception as problem:  # one bad file must not keep the server from starting
            log.warning("recording.not_recovered", problem=str(problem))
            return
        if facts is None:
            self.statistics.unrecoverable += 1
            log.warning("recording.removed", problem="nothing in it can be read, or its document was deleted")
        else:
            self.statistics.recovered += 1
            log.info("recording.recovered", seconds=facts.duration)

    async def _prepare(self, recording: RoomRecording, conference_name: str, begun: int) -> Take:
        """The file, then the document: a crash in between leaves an empty file that nobody misses."""
        opening = asyncio.ensure_future(self._in_thread(self._open, recording, begun))
        try:
            take = await asyncio.shield(opening)
        except asyncio.CancelledError:  # the thread opens it all the same
            await self._in_thread(_throw_away, await opening)
            raise
        except (WriteFailed, OSError) as problem:
            raise RecordingRefused(str(problem)) from problem
        try:
            await self._make_document(recording, conference_name)
        except BaseException as problem:
            await self._in_thread(_throw_away, take)
            if isinstance(problem, TooManyDocuments):
                raise RecordingRefused(f"{problem}: delete some") from problem
            if isinstance(problem, SQLAlchemyError):  # a caller's key can ask too, who gets no answer from REST
                raise RecordingRefused("the database takes no document: look into the log") from problem
            if isinstance(problem, asyncio.CancelledError):  # the database may have been faster
                await self._documents.remove(recording.account_id, recording.media_id)
            raise
        return take

    async def _make_document(self, recording: RoomRecording, conference_name: str) -> None:
        await self._documents.create(
            recording.account_id,
            recording.media_id,
            recording_name(conference_name, self._utc()),
            source_type="conference",
            source_id=recording.conference_id,
        )

    def _open(self, recording: RoomRecording, begun: int) -> Take:
        path = place_for(self._store, recording.account_id, recording.media_id)
        try:
            return Take(path, self._rate, begun, self._max_seconds)
        except WriteFailed:
            path.unlink(missing_ok=True)
            raise

    async def _run(self, recording: RoomRecording, take: Take) -> None:
        try:
            ended = await self._record(recording, take)
        except Exception as problem:  # whatever it is, it ends this recording and nothing else
            _log.exception("recording.failed", account_id=recording.account_id, media_id=recording.media_id)
            ended = Ended(Reason.FAILED, None, 0.0, f"{type(problem).__name__}: {problem}")
        except BaseException:
            self._forget(recording)
            raise
        recording.ended = ended
        self.statistics.ended[ended.reason] += 1
        self.statistics.seconds += ended.seconds
        self.statistics.chunks_lost += recording.tap.lost
        self._forget(recording)
        self._tell(recording, ended)

    async def _record(self, recording: RoomRecording, take: Take) -> Ended:
        try:
            while not await _happens(recording.stopping, self._poll_seconds):
                if await self._in_thread(take.add, recording.tap.read(), self._now()):
                    recording.ask_to_stop(Reason.TOO_LONG)
            facts = await self._in_thread(take.finish, recording.tap.read(), self._now())
        except WriteFailed as problem:
            await self._in_thread(take.abandon)
            return await self._salvage(recording, take.path, str(problem))
        return await self._keep(recording, take.path, facts)

    async def _keep(self, recording: RoomRecording, path: Path, facts: FileFacts) -> Ended:
        try:
            await self._documents.attach(recording.account_id, recording.media_id, path, facts)
        except NotFound:
            await self._in_thread(_remove, path)
            return Ended(Reason.DELETED, None, facts.duration)
        return Ended(recording.stop_reason or Reason.STOPPED, recording.media_id, facts.duration)

    async def _salvage(self, recording: RoomRecording, path: Path, problem: str) -> Ended:
        """The disk took no more: keep what it took, now or at the next start."""
        log = _log.bind(account_id=recording.account_id, media_id=recording.media_id)
        log.warning("recording.not_written", problem=problem)
        try:
            facts = await finish_leftover(self._documents, Leftover(recording.account_id, recording.media_id, path))
        except (WriteFailed, OSError, SQLAlchemyError) as again:  # the database needs the disk too
            log.warning("recording.left_for_next_start", problem=str(again))
            return Ended(Reason.FAILED, None, 0.0, f"{problem}; the next start of the server tries to keep the rest")
        if facts is None:
            return Ended(Reason.FAILED, None, 0.0, problem)
        return Ended(Reason.FAILED, recording.media_id, facts.duration, problem)

    def _forget(self, recording: RoomRecording) -> None:
        recording.tap.close()
        self._running.pop(recording.media_id, None)
        recording.done.set()

    def _tell(self, recording: RoomRecording, ended: Ended) -> None:
        if recording.on_end is None:
            return
        try:
            recording.on_end(recording, ended)
        except Exception:  # the recording is finished; its listener's trouble must not look like ours
            _log.exception("recording.listener_failed", media_id=recording.media_id)

    async def _in_thread(self, work: Callable[_P, _T], *given: _P.args, **named: _P.kwargs) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._writers, partial(work, *given, **named))


def recording_name(conference_name: str, at: float) -> str:
    """`Conference <name> <UTC time>`; `at` is UNIX seconds. A long name is cut, the time is not."""
    return (
        f"Conference {conference_name[:_LONGEST_CONFERENCE_NAME]} {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
    )


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    """Whether it happens within this time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _throw_away(take: Take) -> None:
    take.abandon()
    _remove(take.path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
