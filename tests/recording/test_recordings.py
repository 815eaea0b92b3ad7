"""Recordings from the tap to the media document, on a real disk and a real store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
import soundfile
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from mirliton.media.types import Chunk
from mirliton.recording.recordings import Recordings
from mirliton.recording.room_recording import Ended, Reason, RecordingRefused, RoomRecording
from mirliton.store import Document, NotFound, Store, TooManyDocuments

from .conftest import SECOND, Changes, Clock, FakeTap, Samples, media_files, ticks, tone
from .full_disk import full_disk
from .inline import recordings as inline_recordings

STARTED = 1_800_000_000.0


@asynccontextmanager
async def recordings(store: Store, changes: Changes, clock: Clock, **given: Any) -> AsyncIterator[Recordings]:
    made = inline_recordings(store, changes, clock, utc=lambda: STARTED, **given)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def read_again(tap: FakeTap, times: int = 2) -> None:
    """Until the tap was read so often, so that what was fed before is written."""
    for _ in range(times):
        tap.was_read.clear()
        await tap.was_read.wait()


def sound_of(store: Store, account_id: str, media_id: str | None) -> tuple[Samples, int]:
    assert media_id is not None
    path = store.media.path(account_id, media_id)
    assert path is not None
    samples, rate = soundfile.read(path, dtype="int16")
    return samples, rate


async def test_a_recording_becomes_a_media_document_with_a_file(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    async with recordings(store, changes, clock) as all_recordings:
        running = await all_recordings.start(account_id, "c" * 32, "Weekly", tap)
        sound = tone(2.0, 16000)
        tap.feed(ticks(sound, 16000, clock.now))
        clock.now += 2 * SECOND
        await read_again(tap)
        media_id = await all_recordings.stop(running)
    assert media_id == running.media_id
    samples, rate = sound_of(store, account_id, media_id)
    assert (rate, np.array_equal(samples, sound)) == (16000, True)
    document = await store.documents.get(account_id, running.media_id, "media")
    path = store.media.path(account_id, running.media_id)
    assert path is not None
    assert document.body == {
        "name": "Conference Weekly 2027-01-15 08:00:00",
        "media_source": "recording",
        "source_type": "conference",
        "source_id": "c" * 32,
        "start": 1_800_000_000 + 62_167_219_200,
        "content_type": "audio/flac",
        "content_length": path.stat().st_size,
        "duration": 2.0,
        "rate": 16000,
        "channels": 1,
        "language": "en-us",
        "streamable": True,
    }
    assert changes.of(running.media_id) == ["created", "changed"]
    assert media_files(store, account_id) == [running.media_id]
    assert tap.closed >= 1
    assert all_recordings.statistics.started == all_recordings.statistics.ended["stopped"] == 1


async def test_what_was_silent_is_in_the_recording_too(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    async with recordings(store, changes, clock) as all_recordings:
        running = await all_recordings.start(account_id, "c", "Weekly", tap)
        clock.now += 5 * SECOND
        await read_again(tap)
        tap.feed(ticks(tone(1.0, 8000), 8000, clock.now))
        clock.now += 4 * SECOND
        samples, rate = sound_of(store, account_id, await all_recordings.stop(running))
    assert len(samples) == 9 * rate
    assert not samples[: 5 * rate - 100].any()
    assert np.abs(samples[5 * rate : 6 * rate]).max() > 7000
    assert not samples[6 * rate + 100 :].any()


async def test_it_ends_by_itself_at_its_longest_and_tells(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    told: asyncio.Queue[tuple[RoomRecording, Ended]] = asyncio.Queue()
    async with recordings(store, changes, clock, max_seconds=3) as all_recordings:
        running = await all_recordings.start(
            account_id, "c", "Weekly", tap, lambda ended, how: told.put_nowait((ended, how))
        )
        clock.now += 100 * SECOND
        who, how = await told.get()
        assert who is running
        assert how == Ended(Reason.TOO_LONG, running.media_id, 3.0)
        assert await all_recordings.stop(running) == running.media_id
        assert len(all_recordings) == 0
    samples, rate = sound_of(store, account_id, running.media_id)
    assert len(samples) == 3 * rate
    assert told.empty()


async def test_no_more_than_the_limit_run_at_a_time(
    store: Store, account_id: str, changes: Changes, clock: Clock
) -> None:
    taps = [FakeTap() for _ in range(6)]
    async with recordings(store, changes, clock, max_at_a_time=2) as all_recordings:
        results = await asyncio.gather(
            *(all_recordings.start(account_id, "c", "Weekly", tap) for tap in taps), return_exceptions=True
        )
        running = [result for result in results if isinstance(result, RoomRecording)]
        assert len(running) == 2
        assert all(isinstance(result, RecordingRefused | RoomRecording) for result in results)
        assert sum(tap.closed for tap in taps) == 4
        await all_recordings.stop(running[0])
        await all_recordings.start(account_id, "c", "Weekly", FakeTap())
    assert all_recordings.statistics.refused == 4


async def test_a_full_account_refuses_before_anything_is_recorded(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    async with recordings(store, changes, clock) as all_recordings:
        with pytest.raises(TooManyDocuments):
            while True:
                await store.documents.create(account_id, "media", {"name": "one more"})
        with pytest.raises(RecordingRefused, match="documents"):
            await all_recordings.start(account_id, "c", "Weekly", tap)
    assert tap.closed == 1
    assert media_files(store, account_id) == []
    assert changes.seen == []


async def test_a_database_that_takes_no_document_refuses_and_the_log_says_why(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> Document:
        raise OperationalError("INSERT", None, Exception("disk I/O error"))

    async with recordings(store, changes, clock) as all_recordings:
        monkeypatch.setattr(store.documents, "create", fail)
        with capture_logs() as log, pytest.raises(RecordingRefused, match="look into the log"):
            await all_recordings.start(account_id, "c", "Weekly", tap)
    assert "disk I/O error" in log[0]["problem"]
    assert media_files(store, account_id) == []


async def test_a_folder_that_cannot_be_written_refuses(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    (store.data_dir / "media").write_text("no folder")
    async with recordings(store, changes, clock) as all_recordings:
        with pytest.raises(RecordingRefused):
            await all_recordings.start(account_id, "c", "Weekly", tap)
    assert (await store.documents.list(account_id, "media")).documents == []


async def test_server_stop_finishes_every_recording(
    store: Store, account_id: str, changes: Changes, clock: Clock
) -> None:
    taps = [FakeTap() for _ in range(3)]
    told: list[Ended] = []
    async with recordings(store, changes, clock) as all_recordings:
        running = [
            await all_recordings.start(account_id, "c", f"{n}", tap, lambda _, how: told.append(how))
            for n, tap in enumerate(taps)
        ]
        for tap in taps:
            tap.feed(ticks(tone(1.0, 16000), 16000, clock.now))
        clock.now += SECOND
        await all_recordings.close()
        with pytest.raises(RecordingRefused):
            await all_recordings.start(account_id, "c", "late", FakeTap())
    assert {how.reason for how in told} == {Reason.SERVER_STOPPED}
    for recording in running:
        samples, rate = sound_of(store, account_id, recording.media_id)
        assert len(samples) == rate


async def test_a_document_deleted_meanwhile_takes_the_sound_with_it(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    async with recordings(store, changes, clock) as all_recordings:
        running = await all_recordings.start(account_id, "c", "Weekly", tap)
        await store.documents.delete(account_id, running.media_id)
        clock.now += SECOND
        assert await all_recordings.stop(running) is None
    assert running.ended == Ended(Reason.DELETED, None, 1.0)
    assert media_files(store, account_id) == []


async def test_a_full_disk_ends_the_recording_and_keeps_what_was_written(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    told: asyncio.Queue[Ended] = asyncio.Queue()
    other = FakeTap()
    async with recordings(store, changes, clock) as all_recordings:
        running = await all_recordings.start(account_id, "c", "Weekly", tap, lambda _, how: told.put_nowait(how))
        beside = await all_recordings.start(account_id, "c", "Silent", other)
        noise = np.asarray(np.random.default_rng(3).integers(-20000, 20000, 50 * 16000), np.int16)
        with full_disk(700_000):
            for chunk in ticks(noise, 16000, clock.now):
                tap.feed([chunk])
            clock.now += 50 * SECOND
            how = await told.get()
        assert how.reason == Reason.FAILED
        assert "cannot be written" in how.problem
        assert how.media_id == running.media_id
        samples, _ = sound_of(store, account_id, running.media_id)
        assert 10 * 16000 < len(samples) < 50 * 16000
        assert np.array_equal(samples, noise[: len(samples)])
        document = await store.documents.get(account_id, running.media_id, "media")
        assert document.body["duration"] == how.seconds == round(len(samples) / 16000, 3)
        assert len(all_recordings) == 1
        assert await all_recordings.stop(beside) == beside.media_id
    assert media_files(store, account_id) == sorted([running.media_id, beside.media_id])


class BrokenTap(FakeTap):
    def read(self) -> list[Chunk]:
        raise RuntimeError("not this time")


async def test_whatever_goes_wrong_ends_only_this_recording(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    def complain(*_: object) -> None:
        raise RuntimeError("no listener")

    async with recordings(store, changes, clock) as all_recordings:
        broken = await all_recordings.start(account_id, "c", "Broken", BrokenTap(), complain)
        good = await all_recordings.start(account_id, "c", "Good", tap)
        await broken.done.wait()
        assert broken.ended is not None
        assert broken.ended.reason == Reason.FAILED
        assert "not this time" in broken.ended.problem
        assert await all_recordings.stop(good) == good.media_id
    assert all_recordings.statistics.ended["failed"] == 1


async def test_a_long_name_is_cut_so_that_the_time_stays(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    async with recordings(store, changes, clock) as all_recordings:
        running = await all_recordings.start(account_id, "c", "x" * 5000, tap)
        document = await store.documents.get(account_id, running.media_id)
    assert len(document.body["name"]) <= 128
    assert document.body["name"].endswith(" 2027-01-15 08:00:00")


async def test_a_recording_is_gone_from_the_store_when_it_is_removed(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    async with recordings(store, changes, clock) as all_recordings:
        running = await all_recordings.start(account_id, "c", "Weekly", tap)
        await all_recordings.stop(running)
        await all_recordings._documents.remove(account_id, running.media_id)
    with pytest.raises(NotFound):
        await store.documents.get(account_id, running.media_id)
    assert store.media.path(account_id, running.media_id) is None
    assert changes.of(running.media_id) == ["created", "changed", "deleted"]


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 13, 21, 34])
async def test_a_start_that_is_cancelled_leaves_nothing(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap, steps: int
) -> None:
    async with recordings(store, changes, clock) as all_recordings:
        starting = asyncio.create_task(all_recordings.start(account_id, "c", "Weekly", tap))
        for _ in range(steps):
            await asyncio.sleep(0)
        if starting.cancel():
            with pytest.raises(asyncio.CancelledError):
                await starting
            assert tap.closed == 1
            assert len(all_recordings) == 0
            assert media_files(store, account_id) == []
            assert (await store.documents.list(account_id, "media")).documents == []
