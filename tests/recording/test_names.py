"""Recorded names in a real store (semantics 1.5.8)."""

import asyncio
from typing import Any

import numpy as np
import pytest
import soundfile

from mirliton.conference.ports import CallerInfo, NameNotKept, Names, Recorded
from mirliton.recording.names import StoredNames, address_of
from mirliton.store import NotFound, Store, TooManyDocuments

from .conftest import Changes, media_files, tone
from .full_disk import full_disk

NAME = Recorded(8000, tone(1.0, 8000))


def caller(account_id: str, **given: Any) -> CallerInfo:
    return CallerInfo("call-1", account_id, caller_id_name="Ann", **given)


async def user_with_device(store: Store, account_id: str, **user: Any) -> tuple[str, str]:
    owner = await store.documents.create(account_id, "user", {"username": "ann"} | user, {"credentials": {"md5": "x"}})
    device = await store.documents.create(account_id, "device", {"name": "desk", "owner_id": owner.id})
    return owner.id, device.id


async def said(names: Names, who: CallerInfo, name: Recorded) -> tuple[str, bool]:
    """A name said and agreed with: its address, and whether it is temporary."""
    sound = await names.keep(who, name)
    return sound, not await names.adopt(who, sound)


@pytest.fixture
def names(store: Store, changes: Changes) -> StoredNames:
    return StoredNames(store, changes)


async def test_the_name_of_a_user_is_recorded_once(
    store: Store, account_id: str, changes: Changes, names: StoredNames
) -> None:
    user_id, device_id = await user_with_device(store, account_id)
    who: Names = names
    by_device, by_user = caller(account_id, device_id=device_id), caller(account_id, owner_id=user_id)
    assert await who.known(by_device) is None
    sound, temporary = await said(who, by_device, NAME)
    assert not temporary
    assert await who.known(by_device) == await who.known(by_user) == sound
    user = await store.documents.get(account_id, user_id)
    media_id = user.body["name_pronounced"]["media_id"]
    assert sound == f"/{account_id}/{media_id}"
    assert user.body["username"] == "ann"
    assert user.private == {"credentials": {"md5": "x"}}
    assert changes.of(user_id) == ["changed"]
    assert changes.of(media_id) == ["created", "changed"]
    media = await store.documents.get(account_id, media_id, "media")
    expected = {
        "name": "Name of Ann", "owner_id": user_id, "media_source": "recording", "source_type": "call",
        "source_id": "call-1", "content_type": "audio/flac", "duration": 1.0, "rate": 8000,
    }  # fmt: skip
    assert expected.items() <= media.body.items()
    path = store.media.path(account_id, media_id)
    assert path is not None
    assert np.array_equal(soundfile.read(path, dtype="int16")[0], NAME.samples)
    assert media_files(store, account_id) == [media_id]


async def test_the_name_of_a_user_is_not_forgotten_when_the_call_ends(
    store: Store, account_id: str, names: StoredNames
) -> None:
    user_id, _ = await user_with_device(store, account_id)
    info = caller(account_id, owner_id=user_id)
    sound, _ = await said(names, info, NAME)
    await names.forget(info, sound)
    assert await names.known(info) == sound
    assert await names.sweep() == 0
    assert await names.known(info) == sound


@pytest.mark.parametrize("owner", [None, "f" * 32])
async def test_the_name_of_anybody_else_goes_with_the_call(
    store: Store, account_id: str, changes: Changes, names: StoredNames, owner: str | None
) -> None:
    info = caller(account_id, owner_id=owner)
    sound, temporary = await said(names, info, NAME)
    assert temporary
    media_id = sound.rpartition("/")[2]
    assert store.media.path(account_id, media_id) is not None
    assert await names.known(info) is None
    await names.forget(info, sound)
    with pytest.raises(NotFound):
        await store.documents.get(account_id, media_id)
    assert media_files(store, account_id) == []
    assert changes.of(media_id) == ["created", "changed", "deleted"]
    await names.forget(info, sound)
    assert names.statistics.forgotten == 1


async def test_names_that_are_forgotten_together_are_all_counted(
    store: Store, account_id: str, names: StoredNames
) -> None:
    info = caller(account_id)
    sounds = [(await said(names, info, NAME))[0] for _ in range(3)]
    await asyncio.gather(*(names.forget(info, sound) for sound in sounds))
    assert names.statistics.forgotten == 3
    assert media_files(store, account_id) == []


async def test_only_temporary_names_of_the_own_account_can_be_forgotten(
    store: Store, account_id: str, names: StoredNames
) -> None:
    uploaded = await store.documents.create(account_id, "media", {"name": "hold music"})
    temporary, _ = await said(names, caller(account_id), NAME)
    await names.forget(caller(account_id), address_of(account_id, uploaded.id))
    await names.forget(caller("e" * 32), temporary)
    for nonsense in ("", "conf-welcome", "/x/y", f"/{account_id}/../..", "tone_stream://x"):
        await names.forget(caller(account_id), nonsense)
    assert await store.documents.get(account_id, uploaded.id)
    assert store.media.path(account_id, temporary.rpartition("/")[2]) is not None


@pytest.mark.parametrize(
    "pronounced",
    [None, "text", {}, {"media_id": 7}, {"media_id": "f" * 32}, {"media_id": "../../x"}, {"media_id": "\0"}],
)
async def test_a_name_that_is_not_there_is_not_known(
    store: Store, account_id: str, names: StoredNames, pronounced: Any
) -> None:
    user_id, _ = await user_with_device(store, account_id, name_pronounced=pronounced)
    assert await names.known(caller(account_id, owner_id=user_id)) is None


async def test_a_document_without_sound_is_not_known_and_recording_replaces_it(
    store: Store, account_id: str, names: StoredNames
) -> None:
    empty = await store.documents.create(account_id, "media", {"name": "to be uploaded"})
    pronounced = {"media_id": empty.id, "more": 1}
    user_id, _ = await user_with_device(store, account_id, name_pronounced=pronounced)
    info = caller(account_id, owner_id=user_id)
    assert await names.known(info) is None
    sound, _ = await said(names, info, NAME)
    user = await store.documents.get(account_id, user_id)
    assert user.body["name_pronounced"] == {"media_id": sound.rpartition("/")[2], "more": 1}


@pytest.mark.parametrize("device", [None, "f" * 32, "\0"])
async def test_strangers_have_no_known_name(account_id: str, names: StoredNames, device: str | None) -> None:
    assert await names.known(caller(account_id, device_id=device)) is None
    assert await names.known(caller("e" * 32, device_id=device)) is None


async def test_changes_of_the_user_meanwhile_are_not_lost(store: Store, account_id: str, names: StoredNames) -> None:
    user_id, _ = await user_with_device(store, account_id)

    async def rename(number: int) -> None:
        await store.documents.update(
            account_id, user_id, lambda old: (old.body | {f"key{number}": number}, old.private), kind="user"
        )

    info = caller(account_id, owner_id=user_id)
    results = await asyncio.gather(
        said(names, info, NAME),
        *(rename(n) for n in range(5)),
        said(names, info, NAME),
        *(rename(n) for n in range(5, 9)),
    )
    kept = {result[0] for result in results if result}
    user = await store.documents.get(account_id, user_id)
    assert {f"key{n}" for n in range(9)} <= set(user.body)
    assert address_of(account_id, user.body["name_pronounced"]["media_id"]) in kept


async def test_a_full_account_keeps_no_name_and_no_file(store: Store, account_id: str, names: StoredNames) -> None:
    with pytest.raises(TooManyDocuments):
        while True:
            await store.documents.create(account_id, "media", {"name": "one more"})
    with pytest.raises(NameNotKept, match="documents"):
        await said(names, caller(account_id), NAME)
    assert media_files(store, account_id) == []
    assert names.statistics.failed == 1


async def test_a_full_disk_keeps_no_name(store: Store, account_id: str, changes: Changes, names: StoredNames) -> None:
    noise = np.asarray(np.random.default_rng(2).integers(-9000, 9000, 480_000), np.int16)
    with full_disk(500_000), pytest.raises(NameNotKept, match="cannot be written"):
        await said(names, caller(account_id), Recorded(8000, noise))
    assert media_files(store, account_id) == []
    assert (await store.documents.list(account_id, "media")).documents == []
    assert changes.seen == []


async def test_temporary_names_do_not_outlive_a_crash(
    store: Store, account_id: str, changes: Changes, names: StoredNames
) -> None:
    user_id, _ = await user_with_device(store, account_id)
    kept, _ = await said(names, caller(account_id, owner_id=user_id), NAME)
    await said(names, caller(account_id), NAME)
    await said(names, caller(account_id), NAME)
    assert await StoredNames(store, changes).sweep() == 2
    media_id = kept.rpartition("/")[2]
    assert media_files(store, account_id) == [media_id]
    assert [found.id for found in (await store.documents.list(account_id, "media")).documents] == [media_id]


async def test_forgetting_never_raises(store: Store, account_id: str, names: StoredNames) -> None:
    sound, _ = await said(names, caller(account_id), NAME)
    await store.database.close()
    media_id = sound.rpartition("/")[2]
    file = store.data_dir / "media" / account_id / media_id
    file.unlink()
    file.mkdir()  # what nobody can unlink
    await names.forget(caller(account_id), sound)
    assert names.statistics.forgotten == 0
    assert f".name-{media_id}" in media_files(store, account_id)
