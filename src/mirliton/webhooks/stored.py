"""The webhooks of all accounts in the store."""

from collections.abc import AsyncIterator

from sqlalchemy import select, tuple_

from mirliton.store import Document, Store
from mirliton.store.documents import read_row
from mirliton.store.tables import documents
from mirliton.webhooks.hook import KIND

_BATCH = 200


async def stored_webhooks(store: Store) -> AsyncIterator[Document]:
    """Every webhook document, account by account, the oldest first."""
    keys = (documents.c.account_id, documents.c.position, documents.c.id)
    query = select(documents).where(documents.c.type == KIND, ~documents.c.deleted).order_by(*keys).limit(_BATCH)
    after: tuple[str, int, str] | None = None
    while True:
        async with store.database.read() as connection:
            rows = await connection.execute(query if after is None else query.where(tuple_(*keys) > after))
            batch = [read_row(row) for row in rows]
        for document in batch:
            yield document
        if len(batch) < _BATCH:
            return
        after = (batch[-1].account_id, batch[-1].position, batch[-1].id)
