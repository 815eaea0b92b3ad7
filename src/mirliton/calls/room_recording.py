"""The recording of one running room: at most one at a time, and the room always knows whether it runs."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from mirliton.calls.live import Refused
from mirliton.conference.settings import RoomSettings
from mirliton.media.types import Leg, MediaFull, Mix
from mirliton.recording.recordings import Recordings, file_rate
from mirliton.recording.room_recording import Ended, RecordingRefused, RoomRecording, Speaker
from mirliton.recording.sound_files import Format
from mirliton.recording.takes import Track

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """What a recording is made of when nobody says: files of members too (`tracks`), at most `max_rate` Hz."""

    tracks: bool = False
    max_rate: int = 48000


@dataclass(slots=True, eq=False)
class _Present:
    """Somebody in the room; `track` while what they say is written to a file of its own."""

    speaker: Speaker
    leg: Leg
    track: Track | None = None


Tell = Callable[[bool, str, str], None]
"""Hears of every change: whether a recording runs, the id of its media document, why it ended."""


class RecordingSwitch:
    """Members come and go with `came` and `left`, whether a recording runs or not."""

    def __init__(
        self,
        recordings: Recordings | None,
        settings: RoomSettings,
        mix: Mix,
        tell: Tell,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        options: RecordingOptions | None = None,
    ) -> None:
        self._recordings = recordings
        self._settings = settings
        self._mix = mix
        self._tell = tell
        self._spawn = spawn
        self._options = options or RecordingOptions()
        self._present: dict[int, _Present] = {}
        self._running: RoomRecording | None = None
        self._tracks = False
        self._closed = False
        self._orders = asyncio.Lock()

    @property
    def media_id(self) -> str | None:
        """The document of the recording that runs."""
        return self._running.media_id if self._running else None

    async def start(self, form: str | None = None, tracks: bool | None = None) -> None:
        """Record from now on; does nothing when a recording runs. Raises `Refused`.

        `form`: one of `Format`; `tracks`: a file for each member too. None takes the server's settings.
        """
        if self._recordings is None:
            raise Refused(501, "this server does not record")
        async with self._orders:
            begun = await self._begin(self._recordings, form, tracks)
        if begun and self._tracks:
            await asyncio.gather(*(self._add_track(present) for present in list(self._present.values())))

    async def _begin(self, recordings: Recordings, form: str | None, tracks: bool | None) -> bool:
        """Whether a recording runs now that did not before."""
        if self._closed:  # another room may have its place in the engine
            raise Refused(409, "the conference has ended")
        if self._running is not None:
            return False
        try:
            running = await self._start(recordings, form)
        except (RecordingRefused, MediaFull) as problem:
            raise Refused(503, str(problem)) from problem
        if running.ended is not None:  # in the same moment
            return False
        self._running = running
        self._tracks = self._options.tracks if tracks is None else tracks
        self._tell(True, running.media_id, "")
        return True

    async def _start(self, recordings: Recordings, form: str | None) -> RoomRecording:
        settings = self._settings
        return await recordings.start(
            settings.account_id,
            settings.conference_id,
            settings.name,
            self._mix.tap(),
            self._ended,
            form=Format(form) if form is not None else None,
            rate=file_rate(min(self._mix.rate, self._options.max_rate)),
        )

    async def stop(self) -> None:
        """End the recording and return when its document can be played; does nothing when none runs.

        One that is about to start is waited for, and the next one waits until this is over.
        """
        async with self._orders:
            running = self._forget("stopped")
            if running is not None and self._recordings is not None:
                await self._recordings.stop(running)

    def close(self) -> Coroutine[Any, Any, None]:
        """The room is over: from now on nothing starts. Await what comes back: it keeps what was recorded."""
        self._closed = True
        return self.stop()

    def came(self, member_id: int, speaker: Speaker, leg: Leg) -> None:
        """Somebody is in the mix now."""
        present = self._present[member_id] = _Present(speaker, leg)
        if self._running is not None and self._tracks:
            self._spawn(self._add_track(present))

    def left(self, member_id: int) -> None:
        """Somebody is leaving the mix."""
        present = self._present.pop(member_id, None)
        if present is not None and present.track is not None and self._recordings is not None:
            self._recordings.end_track(present.track)

    async def _add_track(self, present: _Present) -> None:
        running, recordings = self._running, self._recordings
        if running is None or recordings is None or present.track is not None:
            return
        try:
            tap = present.leg.tap(heard_only=True)
            track = await recordings.add_track(running, tap, present.speaker)
        except (RecordingRefused, MediaFull) as problem:
            recordings.statistics.tracks_refused += isinstance(problem, MediaFull)
            _log.warning(
                "recording.track_refused",
                account_id=self._settings.account_id,
                media_id=running.media_id,
                call_id=present.speaker.call_id,
                problem=str(problem),
            )
            return
        if present not in self._present.values():  # left meanwhile
            recordings.end_track(track)
        elif running is self._running:  # else it ended with its recording, and the next one may have a track already
            present.track = track

    def _forget(self, reason: str) -> RoomRecording | None:
        running, self._running = self._running, None
        for present in self._present.values():
            present.track = None
        if running is not None:
            self._tell(False, running.media_id, reason)
        return running

    def _ended(self, recording: RoomRecording, how: Ended) -> None:
        """By itself: it got too long, its document was deleted, the account is full, or the disk."""
        if recording is self._running:
            self._forget(how.reason)
