"""The database connection: SQLite with a write-ahead log inside the data folder, or PostgreSQL by URL."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

BUSY_TIMEOUT_MS = 10_000
DATABASE_FILE = "mirliton.db"


def make_engine(url: str | None, data_dir: Path) -> AsyncEngine:
    """An engine for `url`, or for `data_dir`/mirliton.db. `postgresql://…` means the asyncpg driver."""
    if url is None:
        url = f"sqlite+aiosqlite:///{data_dir / DATABASE_FILE}"
    for plain, driver in (("postgresql://", "postgresql+asyncpg://"), ("sqlite://", "sqlite+aiosqlite://")):
        if url.startswith(plain):
            url = driver + url.removeprefix(plain)
    engine = create_async_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    return engine


def writing(engine: AsyncEngine) -> AsyncEngine:
    """The same engine for transactions that write: on SQLite they take the write lock at their beginning.

    A transaction that reads first and wants to write later would fail at once when another one wrote in between.
    """
    return engine.execution_options(mirliton_writes=True)


def _prepare_sqlite(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_TIMEOUT_MS}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("mirliton_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    @event.listens_for(engine.sync_engine, "invalidate")
    def undo(connection: AdaptedConnection, _record: Any, _problem: BaseException | None) -> None:
        """A transaction whose task was cancelled while SQLite worked. Closing alone would not end it: SQLite keeps a
        connection, its transaction and the write lock until the last statement is let go, and the traceback has one."""
        connection.run_async(lambda driver: driver.rollback())
