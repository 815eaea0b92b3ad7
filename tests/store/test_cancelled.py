"""A task that is cancelled in the middle of a transaction leaves the database to the others."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from mirliton.store.database import Database
from mirliton.store.engine import DATABASE_FILE

SLOW_WITH_ROWS_LEFT = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000000)
SELECT count(*) FROM numbers UNION ALL SELECT 1
"""


async def test_a_cancelled_transaction_ends_though_its_traceback_is_kept(tmp_path: Path) -> None:
    """SQLite ends a closed connection only when its last statement is let go, which the traceback held."""
    database = Database(None, tmp_path)
    await database.open()
    busy = asyncio.Event()

    async def transaction() -> None:
        async with database.write() as connection:
            busy.set()
            await connection.execute(text(SLOW_WITH_ROWS_LEFT))

    running = asyncio.create_task(transaction())
    await busy.wait()
    await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError) as kept:
        await running
    other = sqlite3.connect(tmp_path / DATABASE_FILE, timeout=0, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("ROLLBACK")
    other.close()
    assert kept.traceback
    await database.close()
