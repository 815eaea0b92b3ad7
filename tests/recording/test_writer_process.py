"""The real process: what it writes, and what is left when it, or the server, is killed or stopped."""

import asyncio
import os
import resource
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirliton.media.taps import TapHandle
from mirliton.recording import messages as m
from mirliton.recording.recordings import RecordingLimits, Recordings
from mirliton.recording.room_recording import RoomRecording
from mirliton.recording.sound_files import Format
from mirliton.recording.takes import Track
from mirliton.recording.writer_process import WriterProcess
from mirliton.store import Store

from .conftest import SECOND, Changes, media_files, ticks
from .tap_feeder import TAPS, TapFeeder
from .test_tracks import eventually, read

pytestmark = pytest.mark.slow
RATE = 16000
PATIENCE = 30.0


def noise(seconds: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(5).integers(-9000, 9000, seconds * RATE), np.int16)


@pytest.fixture
def feeder() -> TapFeeder:
    return TapFeeder()


@pytest.fixture
async def writer(feeder: TapFeeder) -> AsyncIterator[WriterProcess]:
    yield WriterProcess(feeder.memory.descriptor, TAPS)


@pytest.fixture
async def recordings(store: Store, changes: Changes, writer: WriterProcess) -> AsyncIterator[Recordings]:
    made = Recordings(store, changes, writer, RecordingLimits(max_seconds=600, max_at_a_time=3))
    await made.open()
    yield made
    await made.close()


async def started(
    recordings: Recordings, account_id: str, tap: TapHandle, begun: int, form: Format = Format.FLAC
) -> tuple[RoomRecording, Track]:
    """A recording that began at `begun`, as far as its clock knows."""
    recordings._now = lambda: begun
    recording = await recordings.start(account_id, "c", "Weekly", tap, form=form)
    recordings._now = time.monotonic_ns
    assert recording.mix is not None
    return recording, recording.mix


async def test_a_writer_that_is_killed_is_replaced_and_nothing_is_lost(
    store: Store, account_id: str, recordings: Recordings, writer: WriterProcess, feeder: TapFeeder
) -> None:
    begun = time.monotonic_ns()
    recording, mix = await started(recordings, account_id, feeder.tap(0), begun)
    sound = noise(6)
    first, speaking = writer.pid, time.monotonic_ns()
    assert first is not None
    for number, chunk in enumerate(ticks(sound, RATE, speaking)):
        await asyncio.sleep((chunk.at - time.monotonic_ns()) / SECOND)
        feeder.feed(0, [chunk])
        if number == 150:
            os.kill(first, signal.SIGKILL)
    await eventually(lambda: writer.restarts == 1 and writer.pid != first)
    assert await recordings.stop(recording) == recording.media_id
    samples, rate = read(store, account_id, recording.media_id)
    assert rate == RATE
    assert len(mix.parts) == 2
    place = (speaking - begun) * RATE // SECOND
    assert not samples[:place].any()
    assert np.array_equal(samples[place : place + len(sound)], sound[: len(samples) - place])
    assert len(samples) >= place + 6 * RATE - 400
    assert media_files(store, account_id) == [recording.media_id]
    assert recordings.statistics.chunks_lost == 0


@pytest.mark.parametrize("form", list(Format))
async def test_the_server_and_the_writer_are_killed_and_the_file_can_be_played_and_is_finished_at_the_next_start(
    store: Store, account_id: str, writer: WriterProcess, feeder: TapFeeder, form: Format
) -> None:
    """Nobody of the two says a word any more: all that is left is what was on disk."""
    changes = Changes()
    killed = Recordings(store, changes, writer, RecordingLimits(max_seconds=600, max_at_a_time=3))
    await killed.open()
    tap, begun, sound = feeder.tap(0), time.monotonic_ns() - 12 * SECOND, noise(8)
    feeder.feed(0, ticks(sound, RATE, begun))
    recording, mix = await started(killed, account_id, tap, begun, form)
    await eventually(lambda: mix.safe >= 9 * RATE)
    process = writer.pid
    assert process is not None
    writer._on_news = lambda _: None
    assert writer._supervisor is not None and killed._recovery is not None
    writer._supervisor.cancel()
    os.kill(process, signal.SIGKILL)
    await asyncio.sleep(0.1)
    for task in (*killed._tasks, killed._recovery):
        task.cancel()
    samples, rate = soundfile.read(mix.path, dtype="int16")
    assert rate == RATE
    assert len(samples) >= 9 * RATE
    if form != Format.OGG:
        assert np.array_equal(samples[: len(sound)], sound)
    await writer.stop()
    after = Recordings(store, changes, writer, RecordingLimits(max_seconds=600, max_at_a_time=3))
    await after.recover()
    assert after.statistics.recovered == 1
    kept, _ = read(store, account_id, recording.media_id)
    assert len(kept) >= 9 * RATE
    assert media_files(store, account_id) == [recording.media_id]


async def test_a_writer_whose_server_is_killed_closes_its_files_and_ends(
    tmp_path: Path, feeder: TapFeeder, writer: WriterProcess
) -> None:
    begun = time.monotonic_ns() - 8 * SECOND
    sound = noise(6)
    feeder.feed(0, ticks(sound, RATE, begun))
    news: list[m.News] = []
    await writer.start(news.append, lambda: None)
    writer.send(m.Begin(1, str(tmp_path / "x"), "flac", RATE, begun, 600.0, 0, 0))
    await eventually(lambda: any(isinstance(one, m.Progress) and one.states[0].frames > 6 * RATE for one in news))
    writer._hang_up()  # what the kernel does for a process that is killed
    assert writer._process is not None
    async with asyncio.timeout(PATIENCE):
        assert await writer._process.wait() == 0
    samples, _ = soundfile.read(tmp_path / "x", dtype="int16")
    assert np.array_equal(samples[: len(sound)], sound)
    await writer.stop()


async def test_a_writer_is_started_while_the_server_has_thousands_of_files_open(
    tmp_path: Path, feeder: TapFeeder, writer: WriterProcess
) -> None:
    """Its socket has the same number as here, and a server with many connections has high ones."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    many = [os.dup(feeder.memory.descriptor) for _ in range(1100)]
    news: list[m.News] = []
    try:
        await writer.start(news.append, lambda: None)
        writer.send(m.Begin(1, str(tmp_path / "x"), "flac", RATE, time.monotonic_ns(), 600.0, 0, 0))
        await eventually(lambda: sum(isinstance(one, m.Progress) for one in news) > 1 or writer.restarts)
        assert writer.restarts == 0
    finally:
        await writer.stop()
        for descriptor in many:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_what_came_while_the_writer_was_stopped_is_there_or_silence_and_counted(
    store: Store, account_id: str, recordings: Recordings, writer: WriterProcess, feeder: TapFeeder
) -> None:
    """Ten seconds at 48 kHz fit into no tap: what is lost is silence, and what follows is at its place."""
    begun = time.monotonic_ns()
    recording, _ = await started(recordings, account_id, feeder.tap(0), begun)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGSTOP)
    feeder.feed(0, ticks(np.full(480_000, 8000, np.int16), 48000, begun))
    os.kill(writer.pid, signal.SIGCONT)
    recordings._now = lambda: begun + 10 * SECOND
    await recordings.stop(recording)
    samples, _ = read(store, account_id, recording.media_id)
    lost = recordings.statistics.chunks_lost
    assert 250 < lost < 350  # 3.7 of ten seconds are there
    heard = np.flatnonzero(np.abs(samples) > 4000) / RATE
    assert heard[0] == pytest.approx(lost * 0.02, abs=0.02)
    assert heard[-1] == pytest.approx(10.0, abs=0.02)
    assert heard[-1] - heard[0] == pytest.approx(len(heard) / RATE, abs=0.02)
