"""Transactions. On SQLite writers of this process queue up here rather than poll for the file's lock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from mirliton.store.engine import make_engine, writing
from mirliton.store.migrate import migrate


class Database:
    """An engine and its two kinds of transaction."""

    def __init__(self, url: str | None, data_dir: Path) -> None:
        self._engine = make_engine(url, data_dir)
        self._writing = writing(self._engine)
        self._turn = asyncio.Lock() if self._engine.dialect.name == "sqlite" else None

    async def open(self) -> None:
        """Bring the tables up to date."""
        await migrate(self._engine)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads."""
        async with self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed at the end and undone by any exception."""
        async with self._turn or nullcontext(), self._writing.begin() as connection:
            yield connection
