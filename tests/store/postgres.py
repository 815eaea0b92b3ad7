"""The PostgreSQL that a developer offers by MIRLITON_TEST_POSTGRES (an URL whose database may be emptied)."""

import os

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

URL = os.environ.get("MIRLITON_TEST_POSTGRES")


async def empty(url: str) -> None:
    """Drop everything in the database."""
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
    await engine.dispose()
