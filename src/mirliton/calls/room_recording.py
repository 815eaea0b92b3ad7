"""The recording of one running room: at most one at a time, and the room always knows whether it runs."""

from collections.abc import Callable

from mirliton.calls.live import Refused
from mirliton.conference.settings import RoomSettings
from mirliton.media.types import MediaFull, Tap
from mirliton.recording.recordings import Recordings
from mirliton.recording.room_recording import Ended, RecordingRefused, RoomRecording


class RecordingSwitch:
    """`tell` hears of every change: whether a recording runs, and the id of its media document."""

    def __init__(
        self,
        recordings: Recordings | None,
        settings: RoomSettings,
        tap: Callable[[], Tap],
        tell: Callable[[bool, str], None],
    ) -> None:
        self._recordings = recordings
        self._settings = settings
        self._tap = tap
        self._tell = tell
        self._running: RoomRecording | None = None
        self._busy = False
        self._closed = False

    @property
    def media_id(self) -> str | None:
        """The document of the recording that runs."""
        return self._running.media_id if self._running else None

    async def start(self) -> None:
        """Record from now on; does nothing when a recording runs. Raises `Refused`."""
        if self._recordings is None:
            raise Refused(501, "this server does not record")
        if self._running is not None or self._busy:
            return
        self._busy = True
        settings = self._settings
        try:
            self._running = await self._recordings.start(
                settings.account_id, settings.conference_id, settings.name, self._tap(), self._ended
            )
        except (RecordingRefused, MediaFull) as problem:
            raise Refused(503, str(problem)) from problem
        finally:
            self._busy = False
        self._tell(True, self._running.media_id)
        if self._closed:  # the room ended while the file was being made
            await self.stop()

    async def stop(self) -> None:
        """End the recording and return when its document can be played; does nothing when none runs."""
        running = self._forget()
        if running is not None and self._recordings is not None:
            await self._recordings.stop(running)

    async def close(self) -> None:
        """The room is over: what was recorded is kept."""
        self._closed = True
        await self.stop()

    def _forget(self) -> RoomRecording | None:
        running, self._running = self._running, None
        if running is not None:
            self._tell(False, running.media_id)
        return running

    def _ended(self, recording: RoomRecording, _how: Ended) -> None:
        """By itself: it got too long, its document was deleted, or the disk is full."""
        if recording is self._running:
            self._forget()
