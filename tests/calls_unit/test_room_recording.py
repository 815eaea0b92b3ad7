"""The recording of a room is started, stopped and started again while files are still being made."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from mirliton.calls.live import Refused
from mirliton.calls.room_recording import RecordingOptions, RecordingSwitch
from mirliton.conference.settings import RoomSettings
from mirliton.recording.recordings import Recordings, RecordingStatistics
from mirliton.recording.room_recording import RecordingRefused, RoomRecording, Speaker
from mirliton.recording.takes import Track

from .fakes import FakeEngine, FakeLeg, FakeMix, FakeTap

pytestmark = pytest.mark.looptime

ANNA = Speaker(1, "call-anna", "Anna", "100")


class SlowRecordings:
    """A disk that takes a second for each new file, and two to finish a recording."""

    def __init__(self) -> None:
        self.statistics = RecordingStatistics()
        self.begun: list[RoomRecording] = []
        self.stopped: list[RoomRecording] = []
        self.refusals: list[str] = []
        self.track_seconds = [1.0]
        self.ended_tracks: list[str] = []

    async def start(
        self, account_id: str, conference_id: str, name: str, tap: FakeTap, *_: object, **__: object
    ) -> RoomRecording:
        await asyncio.sleep(1)
        if self.refusals:
            raise RecordingRefused(self.refusals.pop())
        self.begun.append(RoomRecording(account_id, conference_id, name, f"media-{len(self.begun)}"))
        return self.begun[-1]

    async def stop(self, recording: RoomRecording) -> str:
        await asyncio.sleep(2)
        self.stopped.append(recording)
        return recording.media_id

    async def add_track(self, recording: RoomRecording, tap: FakeTap, speaker: Speaker) -> Track:
        await asyncio.sleep(self.track_seconds.pop(0))
        return cast(Track, f"track of {recording.media_id}")

    def end_track(self, track: Track) -> None:
        self.ended_tracks.append(str(track))


class Room:
    """A switch, and what it told."""

    def __init__(self, *, tracks: bool = False) -> None:
        self.told: list[tuple[bool, str, str]] = []
        self.recordings = SlowRecordings()
        self.mix = FakeMix(16000, 20)
        self.tasks: list[asyncio.Task[None]] = []
        settings = RoomSettings(account_id="a", conference_id="c", name="Weekly", profile_name="")
        self.switch = RecordingSwitch(
            cast(Recordings, self.recordings), settings, self.mix, self._tell, self._spawn, RecordingOptions(tracks)
        )

    def _tell(self, on: bool, media_id: str, reason: str) -> None:
        self.told.append((on, media_id, reason))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work))


async def begun(order: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
    """The order, carried out as far as it goes without waiting."""
    task = asyncio.create_task(order())
    await asyncio.sleep(0)
    return task


async def test_a_recording_that_is_about_to_start_can_be_stopped() -> None:
    room = Room()
    starting = await begun(room.switch.start)
    await room.switch.stop()
    await starting
    assert room.told == [(True, "media-0", ""), (False, "media-0", "stopped")]
    assert room.recordings.stopped == room.recordings.begun
    assert room.switch.media_id is None


async def test_a_second_start_answers_when_it_is_true() -> None:
    room = Room()
    first = await begun(room.switch.start)
    await room.switch.start()
    assert room.switch.media_id == "media-0"
    await first
    assert len(room.recordings.begun) == 1


async def test_a_second_start_is_tried_when_the_first_was_refused() -> None:
    room = Room()
    room.recordings.refusals = ["no room"]
    first = await begun(room.switch.start)
    await room.switch.start()
    assert room.switch.media_id == "media-0"
    with pytest.raises(Refused, match="no room"):
        await first


async def test_a_start_waits_until_the_recording_before_is_finished() -> None:
    """The engine has one tap for each room, which that one still uses."""
    room = Room()
    await room.switch.start()
    stopping = await begun(room.switch.stop)
    await room.switch.start()
    assert stopping.done()
    assert [recording.media_id for recording in room.recordings.stopped] == ["media-0"]
    assert room.switch.media_id == "media-1"


async def test_nothing_starts_in_a_room_that_is_over() -> None:
    """Its place in the engine may be another room's."""
    room = Room()
    closing = room.switch.close()
    with pytest.raises(Refused, match="ended"):
        await room.switch.start()
    await closing
    assert not room.recordings.begun
    assert not room.told


async def test_a_recording_that_is_about_to_start_ends_with_its_room() -> None:
    room = Room()
    starting = await begun(room.switch.start)
    await room.switch.close()
    await starting
    assert room.recordings.stopped == room.recordings.begun != []


async def test_a_track_of_an_earlier_recording_that_comes_late_is_not_taken_for_that_of_the_next() -> None:
    room = Room(tracks=True)
    room.recordings.track_seconds = [10.0, 1.0]
    room.switch.came(1, ANNA, FakeLeg(FakeEngine(), 1))
    first = await begun(room.switch.start)
    await asyncio.sleep(2)
    await room.switch.stop()
    await room.switch.start()
    await first
    room.switch.left(1)
    assert room.recordings.ended_tracks == ["track of media-1"]
