"""Files of single members beside that of the room; limits in bytes; writers that die or sleep."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
import soundfile

from mirliton.recording.recordings import Recordings
from mirliton.recording.room_recording import Ended, Reason, RecordingRefused, Speaker
from mirliton.recording.sound_files import Format
from mirliton.recording.takes import Track
from mirliton.store import Document, Store

from .conftest import SECOND, Changes, Clock, FakeTap, Samples, media_files, ticks, tone
from .inline import InlineWriter, recordings
from .test_sound_files import loudness

ANNA = Speaker(1, "call-anna", "Anna", "100")


@asynccontextmanager
async def running(store: Store, changes: Changes, clock: Clock, **given: Any) -> AsyncIterator[Recordings]:
    made = recordings(store, changes, clock, **given)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def eventually(true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - files and other processes set no event
            await asyncio.sleep(0.005)


def read(store: Store, account_id: str, media_id: str) -> tuple[Samples, int]:
    path = store.media.path(account_id, media_id)
    assert path is not None
    return soundfile.read(path, dtype="int16")  # type: ignore[no-any-return]


@pytest.mark.parametrize("form", list(Format))
async def test_the_track_of_somebody_who_came_late_begins_with_the_recording(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap, form: Format
) -> None:
    anna = FakeTap()
    async with running(store, changes, clock) as all_recordings:
        recording = await all_recordings.start(account_id, "c", "Weekly", tap, form=form)
        clock.now += 40 * SECOND
        track = await all_recordings.add_track(recording, anna, ANNA)
        sound = ticks(tone(2.0, 16000), 16000, clock.now)
        anna.feed(sound)
        tap.feed(sound)
        clock.now += 2 * SECOND
        all_recordings.end_track(track)
        await track.ended
        clock.now += 5 * SECOND
        await all_recordings.stop(recording)
        await eventually(lambda: anna.closed)
        await eventually(lambda: "changed" in changes.of(track.media_id))
    mix, rate = read(store, account_id, recording.media_id)
    alone, _ = read(store, account_id, track.media_id)
    assert (len(mix), len(alone)) == (47 * rate, 42 * rate)
    assert not anna.lent
    for samples in (mix, alone):
        assert np.abs(samples[: 40 * rate - 400]).max() < 50
        assert loudness(samples[40 * rate : 42 * rate], 440, rate) > 7000
    body = (await store.documents.get(account_id, track.media_id)).body
    assert {key: body[key] for key in ("recording_id", "track_of", "participant_id", "source_id")} == {
        "recording_id": recording.media_id, "track_of": "call-anna", "participant_id": 1, "source_id": "c",
    }  # fmt: skip
    assert (body["caller_id_name"], body["caller_id_number"]) == ("Anna", "100")
    assert body["name"].startswith("Anna in Weekly ")


async def test_hours_of_silence_before_a_track_delay_no_other_file(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    late = FakeTap()
    async with running(store, changes, clock, max_seconds=20_000) as all_recordings:
        recording = await all_recordings.start(account_id, "c", "Weekly", tap, rate=8000)
        clock.now += 7200 * SECOND
        track = await all_recordings.add_track(recording, late, ANNA)
        late.feed(ticks(tone(1.0, 8000), 8000, clock.now))
        clock.now += 2 * SECOND
        await all_recordings.stop(recording)
        await eventually(lambda: "changed" in changes.of(track.media_id))
    samples, rate = read(store, account_id, track.media_id)
    assert len(samples) == 7202 * rate
    assert loudness(samples[7200 * rate : 7201 * rate], 440, rate) > 7000
    path = store.media.path(account_id, track.media_id)
    assert path is not None
    assert path.stat().st_size < 500_000


async def test_tracks_end_with_their_recording(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    async with running(store, changes, clock, max_seconds=3) as all_recordings:
        recording = await all_recordings.start(account_id, "c", "Weekly", tap)
        track = await all_recordings.add_track(recording, FakeTap(), ANNA)
        clock.now += 10 * SECOND
        await recording.done.wait()
        await eventually(lambda: "changed" in changes.of(track.media_id))
        with pytest.raises(RecordingRefused, match="ended"):
            await all_recordings.add_track(recording, FakeTap(), ANNA)
    assert all_recordings.statistics.ended[Reason.TOO_LONG] == 1
    assert len(read(store, account_id, track.media_id)[0]) == 3 * 16000


async def test_more_tracks_than_an_account_may_have_are_refused_and_the_recording_goes_on(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    refused = FakeTap()
    async with running(store, changes, clock, max_tracks_per_account=1) as all_recordings:
        recording = await all_recordings.start(account_id, "c", "Weekly", tap)
        await all_recordings.add_track(recording, FakeTap(), ANNA)
        with pytest.raises(RecordingRefused, match="tracks"):
            await all_recordings.add_track(recording, refused, ANNA)
        assert refused.closed == 1
        clock.now += SECOND
        assert await all_recordings.stop(recording) == recording.media_id
    assert all_recordings.statistics.tracks_refused == 1


async def test_no_more_tracks_than_an_account_may_have_run_when_all_of_them_start_at_once(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    """As they do in a room that is full when its recording starts."""
    async with running(store, changes, clock, max_tracks_per_account=2) as all_recordings:
        recording = await all_recordings.start(account_id, "c", "Weekly", tap)
        speakers = [Speaker(number, f"call-{number}") for number in range(6)]
        results = await asyncio.gather(
            *(all_recordings.add_track(recording, FakeTap(), speaker) for speaker in speakers), return_exceptions=True
        )
        assert [type(one) for one in results if not isinstance(one, Track)] == [RecordingRefused] * 4
        await all_recordings.stop(recording)
    assert all_recordings.statistics.tracks == 2


async def test_an_account_that_has_used_up_its_bytes_is_refused(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    async with running(store, changes, clock, max_bytes_per_account=30_000) as all_recordings:
        recording = await all_recordings.start(account_id, "c", "Weekly", tap, form=Format.WAV)
        tap.feed(ticks(tone(1.0, 16000), 16000, clock.now))
        clock.now += SECOND
        media_id = await all_recordings.stop(recording)
        assert media_id is not None
        with pytest.raises(RecordingRefused, match="bytes"):
            await all_recordings.start(account_id, "c", "Weekly", FakeTap())
        await store.documents.delete(account_id, media_id)
        again = await all_recordings.start(account_id, "c", "Weekly", FakeTap())
        await all_recordings.stop(again)


async def test_a_recording_ends_and_is_kept_when_the_account_is_full(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    told: asyncio.Queue[Ended] = asyncio.Queue()
    async with running(store, changes, clock, max_bytes_per_account=100_000) as all_recordings:
        recording = await all_recordings.start(
            account_id, "c", "Weekly", tap, lambda _, how: told.put_nowait(how), form=Format.WAV
        )
        async with asyncio.timeout(20):
            while told.empty():
                tap.feed(ticks(tone(1.0, 16000), 16000, clock.now))
                clock.now += SECOND
                await asyncio.sleep(0.02)
        how = told.get_nowait()
    assert (how.reason, how.media_id) == (Reason.ACCOUNT_FULL, recording.media_id)
    assert len(read(store, account_id, recording.media_id)[0]) == round(how.seconds * 16000)


async def test_a_recording_that_is_about_to_start_when_the_account_gets_full_ends_too(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, create = asyncio.Event(), store.documents.create

    async def create_slowly(*args: Any, **keys: Any) -> Document:
        await go_on.wait()
        return await create(*args, **keys)

    async with running(store, changes, clock, max_bytes_per_account=100_000) as all_recordings:
        first = await all_recordings.start(account_id, "c", "Weekly", tap, form=Format.WAV)
        monkeypatch.setattr(store.documents, "create", create_slowly)
        starting = asyncio.create_task(all_recordings.start(account_id, "d", "Daily", FakeTap()))
        async with asyncio.timeout(20):
            while not first.done.is_set():
                tap.feed(ticks(tone(1.0, 16000), 16000, clock.now))
                clock.now += SECOND
                await asyncio.sleep(0.02)
            go_on.set()
            second = await starting
            await second.done.wait()
    assert second.ended is not None
    assert second.ended.reason == Reason.ACCOUNT_FULL


@pytest.mark.parametrize("form", [Format.FLAC, Format.WAV])
async def test_a_writer_that_dies_loses_nothing(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap, form: Format
) -> None:
    writer = InlineWriter(clock)
    noise = np.asarray(np.random.default_rng(3).integers(-9000, 9000, 30 * 16000), np.int16)
    whole = ticks(noise, 16000, clock.now)
    async with running(store, changes, clock, writer=writer) as all_recordings:
        recording = await all_recordings.start(account_id, "c", "Weekly", tap, form=form)
        for second in range(30):
            tap.feed(whole[second * 50 : second * 50 + 50])
            clock.now += SECOND
            await asyncio.sleep(0.01)
            if second in (10, 11, 20):
                writer.die()
        assert await all_recordings.stop(recording) == recording.media_id
    samples, _ = read(store, account_id, recording.media_id)
    assert np.array_equal(samples, noise)
    assert media_files(store, account_id) == [recording.media_id]
    assert all_recordings.writer_restarts == 3
    assert all_recordings.statistics.ended[Reason.STOPPED] == 1


async def test_a_writer_that_dies_again_and_again_ends_the_recording_with_what_there_is(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    writer = InlineWriter(clock)
    async with running(store, changes, clock, writer=writer) as all_recordings:
        recording = await all_recordings.start(account_id, "c", "Weekly", tap)
        while not recording.done.is_set() and writer.restarts < 100:
            tap.feed(ticks(tone(1.0, 16000), 16000, clock.now))
            clock.now += SECOND
            await asyncio.sleep(0.01)
            writer.die()
        async with asyncio.timeout(20):
            await recording.done.wait()
    assert recording.ended is not None
    assert (recording.ended.reason, recording.ended.media_id) == (Reason.FAILED, recording.media_id)
    assert "again and again" in recording.ended.problem
    assert loudness(read(store, account_id, recording.media_id)[0][16000:160_000], 440, 16000) > 7000


async def test_a_writer_that_does_not_answer_refuses_and_leaves_nothing_when_it_does(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mirliton.recording.recordings._OPEN_SECONDS", 0.01)
    writer = InlineWriter(clock)
    held: list[Any] = []
    async with running(store, changes, clock, writer=writer) as all_recordings:
        with monkeypatch.context() as hanging:
            hanging.setattr(writer, "send", held.append)
            with pytest.raises(RecordingRefused, match="does not answer"):
                await all_recordings.start(account_id, "c", "Weekly", tap)
        assert (tap.closed, tap.lent) == (1, True)
        for order in held:
            writer.send(order)
        await eventually(lambda: not tap.lent)
    assert media_files(store, account_id) == []
    assert (await store.documents.list(account_id, "media")).documents == []


async def test_what_was_abandoned_is_not_written_by_the_next_writer(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would ever end it, and its tap would be nobody else's for as long as a recording may take."""
    monkeypatch.setattr("mirliton.recording.recordings._OPEN_SECONDS", 0.01)
    writer = InlineWriter(clock)
    async with running(store, changes, clock, writer=writer) as all_recordings:
        with monkeypatch.context() as hanging:
            hanging.setattr(writer, "send", lambda _: None)
            with pytest.raises(RecordingRefused, match="does not answer"):
                await all_recordings.start(account_id, "c", "Weekly", tap)
        writer.die()
        await eventually(lambda: not tap.lent)
    assert media_files(store, account_id) == []
