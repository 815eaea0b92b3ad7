"""Recordings of one account leave some for the others."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mirliton.recording.room_recording import RecordingRefused
from mirliton.store import Store, bootstrap
from tests.recording.conftest import Changes, FakeTap
from tests.recording.inline import recordings as inline_recordings


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty one."""
    opened = Store(None, tmp_path)
    await opened.open()
    yield opened
    await opened.close()


async def test_one_account_cannot_have_all_recordings(store: Store, tmp_path: Path) -> None:
    greedy = (await bootstrap(store, tmp_path)).id
    modest = (await store.accounts.create({"name": "modest", "realm": "modest.example"})).id
    recordings = inline_recordings(store, Changes(), max_at_a_time=4, max_per_account=2)
    await recordings.open()
    running = [await recordings.start(greedy, "c", "Weekly", FakeTap()) for _ in range(2)]
    with pytest.raises(RecordingRefused, match="the account has 2"):
        await recordings.start(greedy, "c", "Weekly", FakeTap())
    await recordings.start(modest, "c", "Weekly", FakeTap())
    await recordings.stop(running[0])
    await recordings.start(greedy, "c", "Weekly", FakeTap())
    await recordings.close()
