"""What a crash leaves behind, and what the next start makes of it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirliton.recording import messages as m
from mirliton.recording.leftovers import leftovers, place_for
from mirliton.recording.media_documents import MediaDocuments
from mirliton.recording.mending import Part, mend
from mirliton.recording.recordings import Recordings
from mirliton.recording.sound_files import WriteFailed, write_flac
from mirliton.recording.take import Take
from mirliton.store import NotFound, Store
from mirliton.store.document import new_id

from .conftest import SECOND, Changes, Clock, FakeTap, media_files, ticks, tone
from .full_disk import full_disk
from .inline import FakeReader
from .inline import recordings as inline_recordings


def next_start(store: Store, changes: Changes) -> Recordings:
    return inline_recordings(store, changes)


async def crashed(store: Store, account_id: str, seconds: float) -> str:
    """A recording whose process died: the file as it was on disk at that moment."""
    media_id = new_id()
    await MediaDocuments(store, Changes()).create(
        account_id, media_id, "Weekly", source_type="conference", source_id="c"
    )
    tap = FakeTap()
    tap.feed(ticks(tone(seconds, 16000), 16000))
    path = place_for(store, account_id, media_id)
    take = Take(m.Begin(1, str(path), "flac", 16000, 0, 60, 0, 0), FakeReader(tap, 0))
    take.hear()
    take.write(round(seconds * SECOND))
    take.flush()
    as_it_was_then = take.path.read_bytes()
    take.abandon()
    take.path.write_bytes(as_it_was_then)
    return media_id


async def test_what_was_written_before_a_crash_is_kept(store: Store, account_id: str, changes: Changes) -> None:
    media_id = await crashed(store, account_id, 5.0)
    recordings = next_start(store, changes)
    await recordings.recover()
    path = store.media.path(account_id, media_id)
    assert path is not None
    samples, rate = soundfile.read(path, dtype="int16")
    assert 5 * rate - 2 * 4096 <= len(samples) <= 5 * rate
    assert np.array_equal(samples, tone(5.0, rate)[: len(samples)])
    document = await store.documents.get(account_id, media_id)
    assert document.body["duration"] == round(len(samples) / rate, 3)
    assert document.body["content_length"] == path.stat().st_size
    assert changes.of(media_id) == ["changed"]
    assert media_files(store, account_id) == [media_id]
    assert recordings.statistics.recovered == 1


async def test_a_process_that_is_killed_leaves_a_recording_that_can_be_kept(
    store: Store, account_id: str, changes: Changes
) -> None:
    media_id = new_id()
    await MediaDocuments(store, Changes()).create(
        account_id, media_id, "Weekly", source_type="conference", source_id="c"
    )
    path = place_for(store, account_id, media_id)
    program = (
        "import os, signal, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from mirliton.recording.sound_files import FlacFile\n"
        "file = FlacFile(Path(sys.argv[1]), 16000)\n"
        "file.write(np.arange(48000, dtype=np.int16))\n"
        "file.flush()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    died = await asyncio.create_subprocess_exec(sys.executable, "-c", program, os.fspath(path))
    assert await died.wait() == -signal.SIGKILL
    await next_start(store, changes).recover()
    kept = store.media.path(account_id, media_id)
    assert kept is not None
    samples, _ = soundfile.read(kept, dtype="int16")
    assert 48000 - 2 * 4096 <= len(samples) <= 48000
    assert np.array_equal(samples, np.arange(len(samples), dtype=np.int16))


async def test_a_finished_file_whose_document_was_not_written_is_kept(
    store: Store, account_id: str, changes: Changes
) -> None:
    media_id = new_id()
    await MediaDocuments(store, Changes()).create(
        account_id, media_id, "Weekly", source_type="conference", source_id="c"
    )
    write_flac(place_for(store, account_id, media_id), 8000, tone(1.0, 8000))
    await next_start(store, changes).recover()
    assert (await store.documents.get(account_id, media_id)).body["duration"] == 1.0


@pytest.mark.parametrize("content", [b"", b"fLaC", b"nothing of the kind" * 100])
async def test_what_cannot_be_read_goes_with_its_document(
    store: Store, account_id: str, changes: Changes, content: bytes
) -> None:
    media_id = new_id()
    await MediaDocuments(store, Changes()).create(
        account_id, media_id, "Weekly", source_type="conference", source_id="c"
    )
    place_for(store, account_id, media_id).write_bytes(content)
    recordings = next_start(store, changes)
    await recordings.recover()
    with pytest.raises(NotFound):
        await store.documents.get(account_id, media_id)
    assert media_files(store, account_id) == []
    assert changes.of(media_id) == ["deleted"]
    assert recordings.statistics.unrecoverable == 1


async def test_without_its_document_the_sound_goes(store: Store, account_id: str, changes: Changes) -> None:
    media_id = await crashed(store, account_id, 2.0)
    await store.documents.delete(account_id, media_id)
    await next_start(store, changes).recover()
    assert media_files(store, account_id) == []
    assert changes.seen == []


async def test_a_disk_without_room_leaves_it_for_another_start(store: Store, account_id: str, changes: Changes) -> None:
    media_id = await crashed(store, account_id, 20.0)
    with full_disk(10_000):
        await next_start(store, changes).recover()
    assert media_files(store, account_id) == [f".recording-{media_id}"]
    await next_start(store, changes).recover()
    assert media_files(store, account_id) == [media_id]


async def test_strange_names_in_the_folder_stop_nothing(store: Store, account_id: str, changes: Changes) -> None:
    media_id = await crashed(store, account_id, 2.0)
    folder = store.data_dir / "media" / account_id
    write_flac(folder / ".recording-..", 8000, tone(1.0, 8000))
    (folder / ".recording-folder").mkdir()
    await next_start(store, changes).recover()
    assert store.media.path(account_id, media_id) is not None


async def test_a_running_recording_is_no_leftover(
    store: Store, account_id: str, changes: Changes, clock: Clock, tap: FakeTap
) -> None:
    recordings = inline_recordings(store, changes, clock)
    await recordings.open()
    running = await recordings.start(account_id, "c", "Weekly", tap)
    assert [left.media_id for left in leftovers(store)] == [running.media_id]
    await recordings.recover()
    clock.now += SECOND
    assert await recordings.stop(running) == running.media_id
    await recordings.close()


@pytest.mark.parametrize("lost", [1, 100, 3000, 20_000])
def test_a_file_cut_anywhere_is_read_up_to_the_cut(tmp_path: Path, lost: int) -> None:
    noise = np.asarray(np.random.default_rng(5).integers(-9000, 9000, 60_000), np.int16)
    whole, cut, copy = (tmp_path / name for name in ("whole", "cut", "copy"))
    write_flac(whole, 16000, noise)
    cut.write_bytes(whole.read_bytes()[:-lost])
    facts = mend([Part(0, str(cut))], copy).facts
    assert facts is not None
    samples, _ = soundfile.read(copy, dtype="int16")
    assert np.array_equal(samples, noise[: len(samples)])
    assert len(noise) - len(samples) <= lost + 2 * 4096
    assert facts.duration == round(len(samples) / 16000, 3)


def test_a_name_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    with pytest.raises(WriteFailed, match="cannot be written"):
        write_flac(tmp_path / "nowhere" / "x", 8000, tone(0.1, 8000))
