"""The migrations end in the tables that the code uses."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from mirliton.store import Store
from mirliton.store.tables import metadata


async def test_the_migrated_database_has_the_tables_of_the_code(store: Store) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with store.database.read() as connection:
        assert await connection.run_sync(differences) == []
