"""Recordings of rooms: what may be recorded, and what becomes of it. A process of its own writes the files."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mirliton.media.types import Tap
from mirliton.recording.leftovers import Leftover, finish_leftover, leftovers, place_for, remove_parts
from mirliton.recording.media_documents import Changed, MediaDocuments
from mirliton.recording.messages import Finished
from mirliton.recording.room_recording import Ended, OnEnd, Reason, RecordingRefused, RoomRecording, Speaker
from mirliton.recording.sound_files import FileFacts, Format, WriteFailed
from mirliton.recording.space import Space
from mirliton.recording.takes import Takes, Track, Writer
from mirliton.store import NotFound, Store, TooManyDocuments
from mirliton.store.document import new_id

_log = structlog.get_logger(__name__)

RATES = (8000, 16000, 48000)
"""Of files, in Hz: those that rooms are mixed at."""
_LONGEST_CONFERENCE_NAME = 96
_OPEN_SECONDS = 10.0
_STOP_SECONDS = 10.0
_CLOSE_SECONDS = 2.0


@dataclass(slots=True)
class RecordingStatistics:
    """Counters since the start; `ended` by reason. `chunks_lost`: ticks that the writer could not read in time."""

    started: int = 0
    refused: int = 0
    ended: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Reason, 0))
    seconds: float = 0.0
    chunks_lost: int = 0
    tracks: int = 0
    tracks_refused: int = 0
    tracks_failed: int = 0
    recovered: int = 0
    unrecoverable: int = 0


@dataclass(frozen=True, slots=True)
class RecordingLimits:
    """What may be recorded at a time, and how much.

    `max_per_account` None: one account may have all; `max_bytes_per_account` 0: no limit.
    """

    max_seconds: float
    max_at_a_time: int
    max_per_account: int | None = None
    max_tracks_per_account: int = 100
    max_bytes_per_account: int = 0


class Recordings:
    """All recordings that run. `now` is the engine's clock, `utc` UNIX seconds."""

    def __init__(
        self,
        store: Store,
        changed: Changed,
        writer: Writer,
        limits: RecordingLimits,
        *,
        form: Format = Format.FLAC,
        now: Callable[[], int] = time.monotonic_ns,
        utc: Callable[[], float] = time.time,
    ) -> None:
        """`form`: of files when nobody asks for another."""
        self.statistics = RecordingStatistics()
        self._store = store
        self._documents = MediaDocuments(store, changed, utc)
        self._limits = limits
        self._space = Space(store, limits.max_bytes_per_account)
        self._takes = Takes(writer, self._check_space)
        self._form = form
        self._now = now
        self._utc = utc
        self._running: dict[str, RoomRecording] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._recovery: asyncio.Task[None] | None = None
        self._closing = False

    def __len__(self) -> int:
        """How many run."""
        return len(self._running)

    @property
    def writer_restarts(self) -> int:
        """How often the writer died."""
        return self._takes.restarts

    async def open(self) -> None:
        """Start the writer, and finish in the background what an earlier server could not. Raises `OSError`."""
        await self._takes.start()
        left = await asyncio.to_thread(leftovers, self._store)
        self._recovery = asyncio.create_task(self._recover_all(left), name="recovery of recordings")

    async def start(
        self,
        account_id: str,
        conference_id: str,
        conference_name: str,
        tap: Tap,
        on_end: OnEnd | None = None,
        *,
        form: Format | None = None,
        rate: int = 16000,
    ) -> RoomRecording:
        """Record what the tap hears from now on; the tap is closed at the end, and when this is refused.

        `rate` in Hz is one of `RATES`. Raises `RecordingRefused`: too many at a time, no room in the account, or a disk
        that takes no file.
        """
        recording = RoomRecording(account_id, conference_id, conference_name, new_id(), on_end)
        begun = self._now()
        try:
            self._check_limits(account_id)
            self._running[recording.media_id] = recording
            await self._check_free_space(account_id)
            place = await self._place(account_id, recording.media_id)
            track = Track(
                account_id, recording.media_id, tap, place, form or self._form, rate, begun, self._limits.max_seconds
            )
            name = recording_name(conference_name, self._utc())
            await self._begin(track, name, conference_id, {})
        except BaseException as problem:
            tap.close()
            self._forget(recording)
            self.statistics.refused += isinstance(problem, RecordingRefused)
            raise
        recording.mix = track
        self.statistics.started += 1
        self._spawn(self._follow_mix(recording, track))
        if recording.stop_reason is not None:
            self._takes.finish(track, self._now())
        return recording

    async def add_track(self, recording: RoomRecording, tap: Tap, speaker: Speaker) -> Track:
        """Write what one member says beside the mix, aligned with it: before now there is silence.

        The tap is closed at the end, and when this is refused. Raises `RecordingRefused`; the mix goes on.
        """
        try:
            track = await self._new_track(recording, tap, speaker)
        except BaseException as problem:
            tap.close()
            self.statistics.tracks_refused += isinstance(problem, RecordingRefused)
            raise
        self.statistics.tracks += 1
        self._spawn(self._follow_track(recording, track))
        if recording.stop_reason is not None:
            self.end_track(track)
        return track

    async def _new_track(self, recording: RoomRecording, tap: Tap, speaker: Speaker) -> Track:
        mix = recording.mix
        if mix is None or recording.stop_reason is not None or recording.done.is_set():
            raise RecordingRefused("the recording has ended")
        if self._tracks_of(recording.account_id) >= self._limits.max_tracks_per_account:
            raise RecordingRefused(f"the account has {self._limits.max_tracks_per_account} tracks running")
        media_id = new_id()
        recording.opening += 1
        try:
            place = await self._place(recording.account_id, media_id)
        finally:
            recording.opening -= 1
        track = Track(recording.account_id, media_id, tap, place, mix.form, mix.rate, mix.start, mix.max_seconds)
        recording.tracks[media_id] = track
        name = track_name(recording.conference_name, speaker, self._utc())
        details = {"recording_id": recording.media_id, **speaker.as_keys()}
        try:
            await self._begin(track, name, recording.conference_id, details)
        except BaseException:
            recording.tracks.pop(media_id, None)
            raise
        return track

    def end_track(self, track: Track) -> None:
        """The member has left: the track ends now."""
        self._takes.finish(track, self._now())

    async def stop(self, recording: RoomRecording) -> str | None:
        """End it; the id of the media document, None when there is no sound to play (yet). May be called again.

        A disk that hangs is waited for ten seconds; what it takes later is kept all the same.
        """
        self._ask_to_stop(recording, Reason.STOPPED)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await recording.done.wait()
        except TimeoutError:
            _log.warning("recording.not_finished_yet", media_id=recording.media_id)
        return recording.ended.media_id if recording.ended else None

    async def close(self) -> None:
        """Finish all recordings; no other can start. What the disk does not take now is finished at the next start."""
        self._closing = True
        for recording in list(self._running.values()):
            self._ask_to_stop(recording, Reason.SERVER_STOPPED)
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._takes.stop()

    async def recover(self) -> None:
        """Finish what a crash, or a disk without room, left unfinished; what cannot be finished waits for next time."""
        await self._recover_all(await asyncio.to_thread(leftovers, self._store))

    # beginning

    def _check_limits(self, account_id: str) -> None:
        limits = self._limits
        if self._closing or len(self._running) >= limits.max_at_a_time:
            raise RecordingRefused(f"{len(self._running)} recordings run already: stop one")
        if limits.max_per_account is not None and len(self._of_account(account_id)) >= limits.max_per_account:
            raise RecordingRefused(f"the account has {limits.max_per_account} recordings running: stop one")

    async def _check_free_space(self, account_id: str) -> None:
        if not self._limits.max_bytes_per_account:
            return
        if await self._space.look(account_id) <= self._size_of(account_id):
            raise RecordingRefused(
                f"the recordings of the account take all of its {self._limits.max_bytes_per_account} bytes: delete some"
            )

    async def _place(self, account_id: str, media_id: str) -> Path:
        """An empty file. A crash before the document is there leaves it to be removed at the next start."""
        placing = asyncio.ensure_future(asyncio.to_thread(place_for, self._store, account_id, media_id))
        try:
            return await asyncio.shield(placing)
        except asyncio.CancelledError:  # the thread makes it all the same
            await asyncio.to_thread(_remove, await placing)
            raise
        except OSError as problem:
            raise RecordingRefused(str(problem)) from problem

    async def _begin(self, track: Track, name: str, conference_id: str, details: dict[str, Any]) -> None:
        """Open the file, then make the document; if one of them fails nothing is left of the other."""
        self._takes.begin(track)
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                problem = await asyncio.shield(track.opened)
            if problem:
                raise RecordingRefused(problem)
            await self._make_document(track, name, conference_id, details)
        except BaseException as failure:
            await self._abandon(track)
            if isinstance(failure, TimeoutError):
                raise RecordingRefused("the writer of recordings does not answer: try again") from failure
            if isinstance(failure, TooManyDocuments):
                raise RecordingRefused(f"{failure}: delete some") from failure
            if isinstance(failure, SQLAlchemyError):  # a caller's key can ask too, who gets no answer from REST
                _log.error("recording.no_document", account_id=track.account_id, problem=repr(failure))
                raise RecordingRefused("the database takes no document: look into the log") from failure
            if isinstance(failure, asyncio.CancelledError):  # the database may have been faster
                await self._documents.remove(track.account_id, track.media_id)
            raise

    async def _abandon(self, track: Track) -> None:
        """The writer removes a file that it has; one that it could not open is removed here."""
        self._takes.abandon(track)
        if track.opened.done():  # else nobody answers, and it will be removed when somebody does
            await asyncio.wait({track.ended}, timeout=_OPEN_SECONDS)
        await asyncio.to_thread(_remove, track.path)

    async def _make_document(self, track: Track, name: str, conference_id: str, details: dict[str, Any]) -> None:
        await self._documents.create(
            track.account_id,
            track.media_id,
            name,
            source_type="conference",
            source_id=conference_id,
            details=details,
        )

    # ending

    def _ask_to_stop(self, recording: RoomRecording, reason: Reason) -> None:
        """End at the next opportunity; the first reason counts."""
        recording.stop_reason = recording.stop_reason or reason
        for track in recording.running:
            self._takes.finish(track, self._now())

    async def _follow_mix(self, recording: RoomRecording, track: Track) -> None:
        try:
            ended = await self._ended(recording, track)
        except BaseException:
            self._forget(recording)
            raise
        recording.ended = ended
        self.statistics.ended[ended.reason] += 1
        self.statistics.seconds += ended.seconds
        self._forget(recording)
        self._tell(recording, ended)

    async def _follow_track(self, recording: RoomRecording, track: Track) -> None:
        try:
            ended = await self._ended(recording, track)
        finally:
            recording.tracks.pop(track.media_id, None)
        self.statistics.tracks_failed += ended.reason == Reason.FAILED

    async def _ended(self, recording: RoomRecording, track: Track) -> Ended:
        """Wait for the end of the file, and put it in place."""
        try:
            how = await track.ended
        finally:
            track.tap.close()
        self.statistics.chunks_lost += track.lost
        if track is recording.mix:  # tracks end with it
            self._ask_to_stop(recording, Reason.TOO_LONG if how.full else Reason.FAILED)
        try:
            return await self._keep(recording, track, how)
        except Exception as problem:  # whatever it is, it ends this recording and nothing else
            _log.exception("recording.failed", account_id=track.account_id, media_id=track.media_id)
            return Ended(Reason.FAILED, None, 0.0, f"{type(problem).__name__}: {problem}")

    async def _keep(self, recording: RoomRecording, track: Track, how: Finished) -> Ended:
        if how.facts is None or len(track.parts) > 1:
            return await self._salvage(recording, track, how.problem)
        try:
            await self._documents.attach(track.account_id, track.media_id, track.path, how.facts)
        except NotFound:
            await asyncio.to_thread(remove_parts, tuple(track.parts))
            return Ended(Reason.DELETED, None, how.facts.duration)
        self._space.kept(track.account_id, how.facts.content_length)
        return Ended(recording.stop_reason or Reason.STOPPED, track.media_id, how.facts.duration)

    async def _salvage(self, recording: RoomRecording, track: Track, problem: str) -> Ended:
        """The disk took no more, or the writer died: make one file of what there is, now or at the next start."""
        log = _log.bind(account_id=track.account_id, media_id=track.media_id)
        if problem:
            log.warning("recording.not_written", problem=problem)
        try:
            facts = await finish_leftover(
                self._documents, Leftover(track.account_id, track.media_id, tuple(track.parts))
            )
        except (WriteFailed, OSError, SQLAlchemyError) as again:  # the database needs the disk too
            log.warning("recording.left_for_next_start", problem=str(again))
            text = f"{problem or again}; the next start of the server tries to keep the rest"
            return Ended(Reason.FAILED, None, 0.0, text)
        if facts is None:
            return Ended(Reason.FAILED, None, 0.0, problem or "nothing of it can be read")
        self._space.kept(track.account_id, facts.content_length)
        reason = Reason.FAILED if problem else recording.stop_reason or Reason.STOPPED
        return Ended(reason, track.media_id, facts.duration, problem)

    def _forget(self, recording: RoomRecording) -> None:
        self._running.pop(recording.media_id, None)
        if not self._of_account(recording.account_id):
            self._space.forget(recording.account_id)
        recording.done.set()

    def _tell(self, recording: RoomRecording, ended: Ended) -> None:
        if recording.on_end is None:
            return
        try:
            recording.on_end(recording, ended)
        except Exception:  # the recording is finished; its listener's trouble must not look like ours
            _log.exception("recording.listener_failed", media_id=recording.media_id)

    # accounts

    def _of_account(self, account_id: str) -> list[RoomRecording]:
        return [one for one in self._running.values() if one.account_id == account_id]

    def _busy(self) -> set[str]:
        """Documents whose files are being written."""
        return set(self._running).union(*(one.tracks for one in self._running.values()))

    def _tracks_of(self, account_id: str) -> int:
        return sum(len(one.tracks) + one.opening for one in self._of_account(account_id))

    def _size_of(self, account_id: str) -> int:
        return sum(track.size for one in self._of_account(account_id) for track in one.running)

    def _check_space(self) -> None:
        """After each second of writing."""
        if not self._limits.max_bytes_per_account:
            return
        for account_id in {one.account_id for one in self._running.values() if one.stop_reason is None}:
            if self._space.exceeded(account_id, self._size_of(account_id)):
                self._spawn(self._end_if_full(account_id))

    async def _end_if_full(self, account_id: str) -> None:
        """Something may have been deleted meanwhile."""
        if await self._space.look(account_id) > self._size_of(account_id):
            return
        for recording in self._of_account(account_id):
            self._ask_to_stop(recording, Reason.ACCOUNT_FULL)

    # what an earlier server left

    async def _recover_all(self, left: list[Leftover]) -> None:
        for one in left:
            if one.media_id not in self._busy():
                await self._recover(one)

    async def _recover(self, left: Leftover) -> None:
        log = _log.bind(account_id=left.account_id, media_id=left.media_id)
        try:
            facts: FileFacts | None = await finish_leftover(self._documents, left)
        except Exception as problem:  # one bad file must not keep the others from being finished
            log.warning("recording.not_recovered", problem=str(problem))
            return
        if facts is None:
            self.statistics.unrecoverable += 1
            log.warning("recording.removed", problem="nothing in it can be read, or its document was deleted")
        else:
            self.statistics.recovered += 1
            log.info("recording.recovered", seconds=facts.duration)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def file_rate(rate: int) -> int:
    """The rate of a file for a room of at most `rate` Hz."""
    return max((one for one in RATES if one <= rate), default=RATES[0])


def recording_name(conference_name: str, at: float) -> str:
    """`Conference <name> <UTC time>`; `at` is UNIX seconds. A long name is cut, the time is not."""
    return f"Conference {conference_name[:_LONGEST_CONFERENCE_NAME]} {_moment(at)}"


def track_name(conference_name: str, speaker: Speaker, at: float) -> str:
    """`<caller> in <name> <UTC time>`; long names are cut, the time is not."""
    caller = speaker.caller_id_name or speaker.caller_id_number or str(speaker.participant_id)
    return f"{caller[:48]} in {conference_name[:48]} {_moment(at)}"


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
