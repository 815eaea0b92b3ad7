"""The first start and the later ones."""

import json
import stat
from pathlib import Path

from mirliton.store import Store, bootstrap
from mirliton.store.credentials import hardened, login_digests


async def test_the_first_start_makes_an_account_and_says_how_to_get_in(store: Store, tmp_path: Path) -> None:
    account = await bootstrap(store, tmp_path)
    path = tmp_path / "credentials.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = json.loads(path.read_text())
    assert set(written) == {"account_id", "account_name", "realm", "api_key", "username", "password"}
    assert (written["account_id"], written["account_name"], written["realm"]) == (
        account.id,
        "default",
        "mirliton.local",
    )
    assert len(written["api_key"]) == 64
    by_key = await store.accounts.by_api_key(written["api_key"])
    assert by_key is not None
    assert by_key.id == account.id
    digest = login_digests(written["username"], written["password"])["md5"]
    user = await store.user_by_credential(account.id, "md5", hardened(digest, account.private["credential_salt"]))
    assert user is not None
    assert user.body["priv_level"] == "admin"
    assert written["password"] not in json.dumps(user.body | user.private)


async def test_a_later_start_keeps_everything(tmp_path: Path) -> None:
    ids = []
    texts = []
    for _ in range(3):
        store = Store(None, tmp_path)
        await store.open()
        ids.append((await bootstrap(store, tmp_path)).id)
        await store.close()
        texts.append((tmp_path / "credentials.json").read_text())
    assert len(set(ids)) == len(set(texts)) == 1


async def test_the_accounts_are_found_by_realm_name_and_default(store: Store, tmp_path: Path) -> None:
    account = await bootstrap(store, tmp_path)
    for found in (
        await store.accounts.default(),
        await store.accounts.by_realm("Mirliton.Local"),
        await store.accounts.by_name("DEFAULT"),
        await store.accounts.by_id(account.id),
    ):
        assert found is not None
        assert found.id == account.id
    assert await store.accounts.by_id("0" * 32) is None


async def test_drafts_of_a_crashed_upload_are_swept_at_start(tmp_path: Path) -> None:
    store = Store(None, tmp_path)
    await store.open()
    draft = store.media.draft("a" * 32)
    draft.write_bytes(b"half")
    finished = store.media.draft("a" * 32)
    store.media.install(finished, "a" * 32, "b" * 32)
    await store.close()
    again = Store(None, tmp_path)
    await again.open()
    await again.close()
    assert not draft.exists()
    assert again.media.path("a" * 32, "b" * 32) is not None


async def test_nobody_else_on_the_machine_can_read_the_database(tmp_path: Path) -> None:
    store = Store(None, tmp_path / "data")
    await store.open()
    await bootstrap(store, tmp_path / "data")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir() if path.is_file()}
    await store.close()
    assert "mirliton.db" in modes
    assert set(modes.values()) == {0o600}
