"""Documents: create, read, change, delete and list. A deleted document stays as a tombstone for a while."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mirliton.store.claims import Claim, ClaimTaken, claims_of, holders, set_claims
from mirliton.store.database import Database
from mirliton.store.document import (
    Document,
    DocumentTooLarge,
    NotFound,
    StaleRevision,
    TooManyDocuments,
    gregorian,
    new_id,
    next_revision,
    pack,
)
from mirliton.store.tables import documents, patterns

Body = dict[str, Any]
Change = Callable[[Document], tuple[Body, Body]]
"""From the document as it is to its next body and private part; may raise anything, and then nothing changes."""

MAX_DOCUMENT_BYTES = 256 * 1024
"""Lists read documents whole, hundreds at a time: without a bound on each, one list could take all memory."""

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Page:
    """Some documents of a list, and where the next page starts (`(position, id)`), if there is one."""

    documents: list[Document]
    next: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class Span:
    """Gregorian seconds, both ends included; None is open."""

    created_from: int | None = None
    created_to: int | None = None
    modified_from: int | None = None
    modified_to: int | None = None


class Documents:
    """All documents of all accounts."""

    def __init__(self, database: Database, max_per_account: int, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._max = max_per_account
        self._now = now

    async def create(
        self, account_id: str, kind: str, body: Body, private: Body | None = None, *, document_id: str | None = None
    ) -> Document:
        """Store a valid document under a new id (or the given one).

        Raises `ClaimTaken`, `TooManyClaims`, `TooManyDocuments`, `DocumentTooLarge`; `StaleRevision` when the given id
        exists.
        """
        now, texts = gregorian(self._now()), (_packed(body), _packed(private or {}))
        document = Document(
            account_id, document_id or new_id(), kind, next_revision(None, *texts), now, now, time.time_ns(), False,
            body, private or {},
        )  # fmt: skip
        wanted = claims_of(account_id, kind, body, document.private)
        try:
            async with self._database.write() as connection:
                await self._make_room(connection, account_id)
                await self._forget_tombstone(connection, document)
                await connection.execute(insert(documents).values(_columns(document)))
                await self._index(connection, document)
        except IntegrityError:
            await self._explain(wanted)
            raise StaleRevision((await self.get(account_id, document.id)).revision) from None
        return document

    async def get(self, account_id: str, document_id: str, kind: str | None = None) -> Document:
        """Raises `NotFound`, for a deleted document and for one of another type too."""
        async with self._database.read() as connection:
            return await self._get(connection, account_id, document_id, kind)

    async def replace(
        self,
        account_id: str,
        document_id: str,
        body: Body,
        private: Body | None = None,
        *,
        expected: str | None = None,
    ) -> Document:
        """New body; the private part stays unless given. Raises as `update`."""
        return await self.update(
            account_id,
            document_id,
            lambda old: (body, old.private if private is None else private),
            expected=expected,
        )

    async def update(
        self,
        account_id: str,
        document_id: str,
        change: Change,
        *,
        kind: str | None = None,
        expected: str | None = None,
    ) -> Document:
        """Change a document in one transaction: no other writer comes between reading and writing.

        `expected` is the revision that it must have. Raises `NotFound`, `StaleRevision`, `ClaimTaken`,
        `TooManyClaims`, `DocumentTooLarge`, and whatever `change` raises.
        """
        try:
            async with self._database.write() as connection:
                return await self._update(connection, account_id, document_id, change, kind, expected)
        except IntegrityError:
            current = await self.get(account_id, document_id, kind)
            await self._explain(claims_of(account_id, current.type, *change(current)))
            raise StaleRevision(current.revision) from None

    async def delete(
        self, account_id: str, document_id: str, *, kind: str | None = None, expected: str | None = None
    ) -> Document:
        """Mark as deleted, release its claims, return what it was. Raises `NotFound`, `StaleRevision`."""
        async with self._database.write() as connection:
            old = await self._get(connection, account_id, document_id, kind, lock=True)
            _expect(old, expected)
            revision = next_revision(old.revision, "", "")
            await connection.execute(
                update(documents)
                .where(_is(account_id, document_id))
                .values(deleted=True, revision=revision, modified=gregorian(self._now()), private="{}")
            )
            await set_claims(connection, account_id, document_id, [])
            await _set_patterns(connection, account_id, document_id, [])
        return old

    async def list(
        self,
        account_id: str,
        kind: str,
        *,
        limit: int | None = None,
        after: tuple[int, str] | None = None,
        ascending: bool = False,
        span: Span | None = None,
        keep: Callable[[Document], bool] | None = None,
    ) -> Page:
        """A page in the order of creation, newest first unless `ascending`; `after` is where it starts, included."""
        found: list[Document] = []
        included = True
        async with self._database.read() as connection:
            while True:
                query = _in_order(_live(account_id, kind, span or Span()), ascending, after, included).limit(_BATCH)
                batch = [read_row(row) for row in await connection.execute(query)]
                for document in batch:
                    if keep is not None and not keep(document):
                        continue
                    if limit is not None and len(found) == limit:
                        return Page(found, (document.position, document.id))
                    found.append(document)
                if len(batch) < _BATCH:
                    return Page(found, None)
                after, included = (batch[-1].position, batch[-1].id), False

    async def _update(
        self,
        connection: AsyncConnection,
        account_id: str,
        document_id: str,
        change: Change,
        kind: str | None,
        expected: str | None,
    ) -> Document:
        old = await self._get(connection, account_id, document_id, kind, lock=True)
        _expect(old, expected)
        body, private = change(old)
        revision = next_revision(old.revision, _packed(body), _packed(private))
        new = Document(
            account_id, document_id, old.type, revision, old.created, gregorian(self._now()), old.position, False,
            body, private,
        )  # fmt: skip
        await connection.execute(update(documents).where(_is(account_id, document_id)).values(_columns(new)))
        await self._index(connection, new)
        return new

    async def _get(
        self,
        connection: AsyncConnection,
        account_id: str,
        document_id: str,
        kind: str | None,
        *,
        lock: bool = False,
    ) -> Document:
        if "\0" in account_id + document_id:  # PostgreSQL refuses the character, so no id has it
            raise NotFound(document_id)
        query = select(documents).where(_is(account_id, document_id) & ~documents.c.deleted)
        if lock:
            query = query.with_for_update()
        row = (await connection.execute(query)).one_or_none()
        if row is None or kind not in (None, row.type):
            raise NotFound(document_id)
        return read_row(row)

    async def _index(self, connection: AsyncConnection, document: Document) -> None:
        account_id, body = document.account_id, document.body
        await set_claims(
            connection, account_id, document.id, claims_of(account_id, document.type, body, document.private)
        )
        if document.type == "callflow":
            await _set_patterns(connection, account_id, document.id, body.get("patterns", []))

    async def _explain(self, wanted: Sequence[Claim]) -> None:
        """The database refused: say who holds the claims, now that this can be seen."""
        async with self._database.read() as connection:
            if taken := await holders(connection, wanted):
                raise ClaimTaken(taken[0].kind, [claim.value for claim in taken]) from None

    async def _make_room(self, connection: AsyncConnection, account_id: str) -> None:
        count = select(func.count()).select_from(documents).where(documents.c.account_id == account_id)
        if ((await connection.execute(count)).scalar_one()) < self._max:
            return
        oldest = (
            select(documents.c.id)
            .where((documents.c.account_id == account_id) & documents.c.deleted)
            .order_by(documents.c.modified)
            .limit(_BATCH)
        )
        ids = list((await connection.execute(oldest)).scalars())
        if not ids:
            raise TooManyDocuments(self._max)
        await connection.execute(
            delete(documents).where((documents.c.account_id == account_id) & documents.c.id.in_(ids))
        )

    async def _forget_tombstone(self, connection: AsyncConnection, document: Document) -> None:
        await connection.execute(delete(documents).where(_is(document.account_id, document.id) & documents.c.deleted))


def _packed(part: Body) -> str:
    text = pack(part)
    if len(text) > MAX_DOCUMENT_BYTES:
        raise DocumentTooLarge(MAX_DOCUMENT_BYTES)
    return text


def _is(account_id: str, document_id: str) -> ColumnElement[bool]:
    return and_(documents.c.account_id == account_id, documents.c.id == document_id)


def _expect(document: Document, revision: str | None) -> None:
    if revision not in (None, document.revision):
        raise StaleRevision(document.revision)


def _columns(document: Document) -> dict[str, Any]:
    columns = {name: getattr(document, name) for name in documents.c.keys()}  # noqa: SIM118 - not a dict
    return columns | {"body": pack(document.body), "private": pack(document.private)}


def read_row(row: Row[Any]) -> Document:
    """A row of the documents table."""
    values = dict(row._mapping)
    return Document(**values | {"body": json.loads(values["body"]), "private": json.loads(values["private"])})


def _live(account_id: str, kind: str, span: Span) -> Select[Any]:
    c = documents.c
    bounds = [
        column >= bound if lower else column <= bound
        for column, bound, lower in (
            (c.created, span.created_from, True),
            (c.created, span.created_to, False),
            (c.modified, span.modified_from, True),
            (c.modified, span.modified_to, False),
        )
        if bound is not None
    ]
    return select(documents).where(c.account_id == account_id, c.type == kind, ~c.deleted, *bounds)


def _in_order(query: Select[Any], ascending: bool, start: tuple[int, str] | None, included: bool) -> Select[Any]:
    keys = (documents.c.position, documents.c.id)
    if start is not None:
        after = tuple_(*keys) > start if ascending else tuple_(*keys) < start
        query = query.where(or_(after, tuple_(*keys) == start) if included else after)
    return query.order_by(*(key.asc() if ascending else key.desc() for key in keys))


async def _set_patterns(connection: AsyncConnection, account_id: str, document_id: str, expressions: list[str]) -> None:
    mine = (patterns.c.account_id == account_id) & (patterns.c.document_id == document_id)
    await connection.execute(delete(patterns).where(mine))
    if expressions:
        key = {"account_id": account_id, "document_id": document_id}
        rows = [{**key, "position": place, "pattern": text} for place, text in enumerate(expressions)]
        await connection.execute(insert(patterns), rows)
