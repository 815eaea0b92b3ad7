"""Alembic's entry point: `store.migrate` hands over an open connection."""

from alembic import context

from mirliton.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
