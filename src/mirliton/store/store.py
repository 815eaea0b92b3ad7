"""The store as the other layers see it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mirliton.store.accounts import Accounts
from mirliton.store.database import Database
from mirliton.store.document import Document, NotFound
from mirliton.store.documents import Documents
from mirliton.store.engine import DATABASE_FILE
from mirliton.store.lookup import Lookup, Route, SipCredential
from mirliton.store.media import MediaFiles
from mirliton.store.tokens import Tokens


def config_id(category: str) -> str:
    """The id of the document that holds an account's configuration of this category."""
    return f"config.{category}"


class Store:
    """Documents, accounts, tokens and media files. `open` it before use and `close` it at the end.

    `url` is an SQLAlchemy or PostgreSQL URL, None for `data_dir`/mirliton.db; `now` gives UNIX seconds.
    """

    def __init__(
        self,
        url: str | None,
        data_dir: Path,
        *,
        max_documents_per_account: int = 100_000,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.data_dir = data_dir
        self._embedded = url is None
        self.database = Database(url, data_dir)
        self.documents = Documents(self.database, max_documents_per_account, now)
        self._lookup = Lookup(self.database, self.documents)
        self.accounts = Accounts(self.documents, self._lookup)
        self.tokens = Tokens(self.database, now)
        self.media = MediaFiles(data_dir)

    async def open(self) -> None:
        """Make the data folder, bring the tables up to date."""
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._embedded:  # SQLite gives its log the mode that it finds; both hold PINs and the API key
            (self.data_dir / DATABASE_FILE).touch(mode=0o600)
        await self.database.open()
        self.media.sweep()

    async def close(self) -> None:
        """Close all connections."""
        await self.database.close()

    async def conference_by_number(self, account_id: str, digits: str) -> list[Document]:
        """The conferences that list these digits: none or one (semantics 1.5.2)."""
        return await self._lookup.conference_by_number(account_id, digits)

    async def callflow_for(self, account_id: str, number: str) -> Route | None:
        """The callflow for a dialled number (design section 2, "Routing an INVITE"), or None."""
        return await self._lookup.callflow_for(account_id, number)

    async def sip_credential(self, realm: str, username: str) -> SipCredential | None:
        """The device that may authenticate as `username` in `realm`, its account, and its HA1 by algorithm."""
        return await self._lookup.sip_credential(realm, username)

    async def sip_user(self, account_id: str, username: str) -> Document | None:
        """The device or conference of the account that has this SIP user name."""
        return await self._lookup.sip_user(account_id, username)

    async def config(self, account_id: str, category: str) -> dict[str, Any]:
        """An account's configuration of a category (semantics 2.7: "conferences"), `{}` when nothing is set."""
        try:
            return (await self.documents.get(account_id, config_id(category), "config")).body
        except NotFound:
            return {}

    async def user_by_credential(self, account_id: str, method: str, kept: str) -> Document | None:
        """The user whose kept login digest (`credentials.hardened`) of this method ("md5", "sha") is `kept`."""
        return await self._lookup.claimed(account_id, "credential", f"{method}:{kept}")
