"""A store of its own for every test: SQLite in a temporary folder, or the PostgreSQL of MIRLITON_TEST_POSTGRES."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mirliton.store import Document, Store

from . import postgres


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store, open."""
    if postgres.URL is not None:
        await postgres.empty(postgres.URL)
    store = Store(postgres.URL, tmp_path)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def account(store: Store) -> Document:
    """An account with a realm."""
    return await store.accounts.create({"name": "acme", "realm": "acme.example"})
