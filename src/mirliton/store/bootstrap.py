"""The first start: one account, an administrator, an API key, and where to find them (design section 2)."""

import asyncio
import json
import os
import secrets
from pathlib import Path

from mirliton.schemas import validate
from mirliton.store.claims import ClaimTaken
from mirliton.store.credentials import kept_credentials
from mirliton.store.document import Document
from mirliton.store.store import Store

ACCOUNT_NAME = "default"
REALM = "mirliton.local"
USERNAME = "admin"


async def bootstrap(store: Store, data_dir: Path) -> Document:
    """Make account, user and `data_dir`/credentials.json (mode 0600) unless they exist; returns the default account.

    A file that was lost is not written again: the password is not known any more. The API key can still be read over
    REST, or from the database.
    """
    existing = await store.accounts.default()
    if existing is not None:
        return existing
    body = validate("accounts", {"name": ACCOUNT_NAME, "realm": REALM, "language": "en-us"})
    try:
        account = await store.accounts.create(body, default=True)
    except ClaimTaken:  # another node on the same database was faster
        if (existing := await store.accounts.default()) is None:
            raise
        return existing
    password = secrets.token_urlsafe(18)
    await _make_admin(store, account, password)
    credentials = {
        "account_id": account.id,
        "account_name": ACCOUNT_NAME,
        "realm": REALM,
        "api_key": account.private["api_key"],
        "username": USERNAME,
        "password": password,
    }
    await asyncio.to_thread(_write_private, data_dir / "credentials.json", json.dumps(credentials, indent=2) + "\n")
    return account


async def _make_admin(store: Store, account: Document, password: str) -> None:
    kept = await asyncio.to_thread(kept_credentials, USERNAME, password, account.private["credential_salt"])
    body = {"username": USERNAME, "first_name": "Account", "last_name": "Administrator", "priv_level": "admin"}
    await store.documents.create(account.id, "user", validate("users", body), {"credentials": kept})


def _write_private(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
