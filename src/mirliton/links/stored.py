"""Where links look: conferences by name, and the secret that all servers on one database share."""

import json
import secrets

from sqlalchemy import select

from mirliton.store import Document, NotFound, StaleRevision, Store
from mirliton.store.documents import read_row
from mirliton.store.tables import documents

SYSTEM = ""
"""The account of what belongs to no account; no request can name it."""

_SECRET_ID = "link_secret"  # noqa: S105 - an id, not a secret
_SECRET_BYTES = 32
MAX_NAMESAKES = 100


async def link_secret(store: Store) -> bytes:
    """The secret that tokens are signed with, made when there is none; the same for every server on the database."""
    try:
        document = await store.documents.get(SYSTEM, _SECRET_ID)
    except NotFound:
        private = {"secret": secrets.token_hex(_SECRET_BYTES)}
        try:
            document = await store.documents.create(SYSTEM, "secret", {}, private, document_id=_SECRET_ID)
        except StaleRevision:  # another server was faster
            document = await store.documents.get(SYSTEM, _SECRET_ID)
    return bytes.fromhex(document.private["secret"])


async def conferences_named(store: Store, account_id: str, name: str) -> list[Document]:
    """The account's conferences of exactly this name; none when they are more than `MAX_NAMESAKES`.

    The database sorts out most of the others, so that a stranger's question does not make us read all documents.
    """
    c = documents.c
    query = (
        select(documents)
        .where(c.account_id == account_id, c.type == "conference", ~c.deleted)
        .where(c.body.contains(f'"name":{json.dumps(name)}', autoescape=True))
        .limit(MAX_NAMESAKES + 1)
    )
    async with store.database.read() as connection:
        found = [read_row(row) for row in await connection.execute(query)]
    return [one for one in found if one.body.get("name") == name] if len(found) <= MAX_NAMESAKES else []
