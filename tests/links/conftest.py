"""A store with one conference that lets links in, and links over it with a clock that is moved by hand."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mirliton.links import Links
from mirliton.store import Document, Store

from ..store import postgres

PIN = "2468"
LIFETIME = 3600


@dataclass
class House:
    """What the tests need. `now`: UNIX seconds."""

    store: Store
    account: Document
    now: float = 1_700_000_000.5

    def server(self) -> Links:
        """Links as another server on the same database makes them."""
        return Links(self.store, LIFETIME, lambda: self.now)

    async def conference(self, **keys: Any) -> Document:
        """A conference named `board` that lets links in, unless told otherwise."""
        body = {"name": "board", "allow_shareable_link": True, "member": {"pins": [PIN]}} | keys
        return await self.store.documents.create(self.account.id, "conference", body)

    async def change(self, document: Document, **keys: Any) -> None:
        """Merge keys into a document."""
        await self.store.documents.update(
            document.account_id, document.id, lambda old: ({**old.body, **keys}, old.private)
        )


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An account `acme` and nothing else, in SQLite or the PostgreSQL of MIRLITON_TEST_POSTGRES."""
    if postgres.URL is not None:
        await postgres.empty(postgres.URL)
    store = Store(postgres.URL, tmp_path)
    await store.open()
    yield House(store, await store.accounts.create({"name": "acme"}))
    await store.close()
