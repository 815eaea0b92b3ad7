"""A disk that takes nothing more ends recordings, and nothing else: calls and rooms go on, names are left out."""

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from mirliton.conference.ports import CallerInfo, NameNotKept, Recorded
from mirliton.phone.phone import Phone, PhoneSettings
from mirliton.recording.names import StoredNames
from mirliton.recording.room_recording import RecordingRefused
from mirliton.recording.sound_files import WriteFailed
from mirliton.recording.take import Take
from mirliton.store import Store, bootstrap
from mirliton.store.database import Database
from mirliton.store.tokens import Tokens
from tests.calls.conftest import nothing_is_left
from tests.calls.serving import Server, serving
from tests.calls.switchboard import NO_WELCOME, QUIET
from tests.recording.conftest import Changes, FakeTap
from tests.recording.inline import recordings as inline_recordings

from .witness import Witness

PATIENCE = 20.0
NUMBER = "5550177"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that may count faults: the database has no choice."""
    with serving(tmp_path_factory.mktemp("full")) as running:
        yield running
        nothing_is_left(running)


@pytest.fixture(scope="module")
def witness(server: Server) -> Iterator[Witness]:
    """Innocent callers of that server."""
    with Witness(server) as callers:
        yield callers


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """No file of the server and of its writer can grow, the log as little as the others."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    processes = [server.process.pid, *map(int, children)]
    soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    for process in processes:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        for process in processes:
            resource.prlimit(process, resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_ends_only_the_recording(server: Server, witness: Witness) -> None:
    with logged_in(server) as rest:
        room = hall(rest)
        recording = {"data": {"action": "record", "data": {"action": "start"}}}
        assert rest.put(f"/conferences/{witness.conference_id}", json=recording).is_success
        with full_disk(server):
            asyncio.run(come_in(server, rest, room))
            witness.undisturbed()
            assert rest.put("/conferences", json={"data": {"name": "one too many"}}).status_code == 503
            eventually(lambda: server.metrics()["mirliton_recording_running"] == 0)
        found = server.metrics()
        assert found["mirliton_recording_ended_failed_total"] == found["mirliton_names_failed_total"] == 1
        assert found["mirliton_log_writes_failed_total"] > 0
        assert found["mirliton_calls_failed_total"] == 0
        assert rest.put("/conferences", json={"data": {"name": "room again"}}).status_code == 201


@contextmanager
def logged_in(server: Server) -> Iterator[httpx.Client]:
    """A client with paths below the account."""
    base, account = f"http://{server.http}/v2", server.account
    token = httpx.put(f"{base}/api_auth", json={"data": {"api_key": account.api_key}}).json()["auth_token"]
    where = f"{base}/accounts/{account.account_id}"
    with httpx.Client(base_url=where, headers={"X-Auth-Token": token}, timeout=30) as client:
        yield client


def hall(rest: httpx.Client) -> str:
    """A conference that asks callers of `NUMBER` for their names; its id."""
    named: dict[str, Any] = {"name": "named", "play_name": True, "profile": QUIET}
    room = str(rest.put("/conferences", json={"data": named}).json()["data"]["id"])
    flow = {"module": "conference", "data": {"id": room, "welcome_prompt": NO_WELCOME}, "children": {}}
    assert rest.put("/callflows", json={"data": {"numbers": [NUMBER], "flow": flow}}).is_success
    return room


async def come_in(server: Server, rest: httpx.Client, room: str) -> None:
    """Say a name that cannot be kept, and be in the room all the same."""
    async with Phone(PhoneSettings()) as phone:
        call = await phone.call(f"sip:{NUMBER}@127.0.0.1:{server.sip[1]}")
        call.say("tone:600")
        end = time.monotonic() + PATIENCE
        while not (await asyncio.to_thread(rest.get, f"/conferences/{room}/participants")).json()["data"]:
            assert time.monotonic() < end and not call.ended.is_set()
            call.press("5")  # ends the name when it is being said; before, it is not listened to
            await asyncio.sleep(1.0)
        await call.hang_up()


def eventually(true: Callable[[], bool]) -> None:
    """Wait for it."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
async def full_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Store, str]]:
    """Files still find room in it, documents do not; and the id of an account."""
    store = Store(None, tmp_path)
    await store.open()
    account = (await bootstrap(store, tmp_path)).id

    async def full(*_given: object, **_named: object) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr(store.documents, "create", full)
    yield store, account
    await store.close()


async def test_a_name_is_left_out_when_the_database_is_full(full_store: tuple[Store, str], tmp_path: Path) -> None:
    store, account = full_store
    caller = CallerInfo(call_id="call", account_id=account, caller_id_name="", caller_id_number="")
    with pytest.raises(NameNotKept, match="full"):
        await StoredNames(store, Changes()).keep(caller, Recorded(8000, np.ones(800, np.int16)))
    assert not list((tmp_path / "media" / account).iterdir())


async def test_a_recording_is_refused_when_the_database_is_full(full_store: tuple[Store, str], tmp_path: Path) -> None:
    store, account = full_store
    recordings = inline_recordings(store, Changes())
    await recordings.open()
    with pytest.raises(RecordingRefused, match="database"):
        await recordings.start(account, "c", "Weekly", FakeTap())
    assert not list((tmp_path / "media" / account).iterdir())
    await recordings.close()


async def test_a_recording_waits_for_the_next_start_when_the_database_is_full_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(None, tmp_path)
    await store.open()
    account = (await bootstrap(store, tmp_path)).id
    recordings = inline_recordings(store, Changes())
    await recordings.open()

    def no_file(*_given: object) -> None:
        raise WriteFailed("full")

    async def no_document(*_given: object, **_named: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    monkeypatch.setattr(Take, "write", no_file)
    monkeypatch.setattr(store.documents, "update", no_document)
    monkeypatch.setattr(store.documents, "delete", no_document)
    recording = await recordings.start(account, "c", "Weekly", FakeTap())
    assert await recordings.stop(recording) is None
    assert recording.ended is not None
    assert "next start" in recording.ended.problem
    assert [path.name for path in (tmp_path / "media" / account).iterdir()] == [f".recording-{recording.media_id}"]
    await recordings.close()
    await store.close()


async def test_a_token_opens_while_the_database_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    database = Database(None, tmp_path)
    await database.open()
    tokens = Tokens(database, lambda: now[0])
    token = await tokens.issue("account", None, "api_auth", 3600)

    def full() -> None:
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    with monkeypatch.context() as patched:
        patched.setattr(database, "write", full)
        now[0] += 1800
        assert (await tokens.use(token, 3600)) is not None
        now[0] += 1800
        assert (await tokens.use(token, 3600)) is None
    await database.close()
