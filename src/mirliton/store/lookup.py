"""What a call asks of the store: which callflow, which conference, which device."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from mirliton.store.claims import (
    BRIDGE_USERNAME,
    CALLFLOW_NUMBER,
    CONFERENCE_NUMBER,
    REALM,
    SIP_USERNAME,
    stored_value,
)
from mirliton.store.database import Database
from mirliton.store.document import Document, NotFound
from mirliton.store.documents import Documents, read_row
from mirliton.store.patterns import longest, match
from mirliton.store.tables import claims, documents, patterns

NO_MATCH = "no_match"


class Route(NamedTuple):
    """A callflow and, when a pattern led to it, what the pattern captured (never empty)."""

    callflow: Document
    captured: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class SipCredential:
    """Who may authenticate, a device or a conference for its bridges: HA1 in hex by digest algorithm ("MD5", …)."""

    account: Document
    holder: Document
    ha1: dict[str, str]


class Lookup:
    """Reads the claims and patterns that documents left when they were stored."""

    def __init__(self, database: Database, stored: Documents) -> None:
        self._database = database
        self._documents = stored

    async def conference_by_number(self, account_id: str, digits: str) -> list[Document]:
        """The conferences that list these digits: none or one (semantics 1.5.2; a number is unique)."""
        found = await self.claimed(account_id, CONFERENCE_NUMBER, digits)
        return [found] if found else []

    async def callflow_for(self, account_id: str, number: str) -> Route | None:
        """The callflow that lists the number, else the one whose pattern captures most, else `no_match`, else None."""
        if exact := await self.claimed(account_id, CALLFLOW_NUMBER, number):
            return Route(exact, None)
        if route := await self._by_pattern(account_id, number):
            return route
        default = await self.claimed(account_id, CALLFLOW_NUMBER, NO_MATCH)
        return Route(default, None) if default else None

    async def sip_credential(self, realm: str, username: str) -> SipCredential | None:
        """Who has this SIP user name, and a password, in the account with this realm: an enabled device, or else the
        conference that names it as that of its bridges."""
        account = await self.claimed("", REALM, realm.lower())
        if account is None or not account.body.get("enabled", True):
            return None
        holder = await self.sip_user(account.id, username)
        if holder is None or not holder.body.get("enabled", True):
            return None
        ha1 = holder.private.get("ha1")
        return SipCredential(account, holder, ha1) if ha1 else None

    async def sip_user(self, account_id: str, username: str) -> Document | None:
        """The device, or else the conference, of the account that has this SIP user name."""
        device = await self.claimed(account_id, SIP_USERNAME, username)
        return device or await self.claimed(account_id, BRIDGE_USERNAME, username)

    async def claimed(self, scope: str, kind: str, value: str) -> Document | None:
        """The document that holds this claim."""
        key = (claims.c.scope == scope) & (claims.c.kind == kind) & (claims.c.value == stored_value(value))
        if "\0" in value:  # PostgreSQL refuses the character, so nothing can be stored under it
            return None
        holder = (documents.c.account_id == claims.c.account_id) & (documents.c.id == claims.c.document_id)
        query = select(documents).join(claims, holder).where(key, ~documents.c.deleted)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return read_row(row) if row else None

    async def accounts_with_number(self, number: str) -> list[str]:
        """Ids of the accounts in which a callflow lists this number."""
        if "\0" in number:
            return []
        key = (claims.c.kind == CALLFLOW_NUMBER) & (claims.c.value == stored_value(number))
        async with self._database.read() as connection:
            return list((await connection.execute(select(claims.c.account_id).where(key).limit(2))).scalars())

    async def _by_pattern(self, account_id: str, number: str) -> Route | None:
        async with self._database.read() as connection:
            expressions = await self._patterns(connection, account_id)
        hits = [(document_id, groups) for document_id, text in expressions if (groups := match(text, number))]
        if not hits:
            return None
        document_id, captured = max(hits, key=lambda hit: longest(hit[1]))  # the oldest of equally good ones
        callflow = await self._document(account_id, document_id)
        return Route(callflow, captured) if callflow else None

    async def _patterns(self, connection: AsyncConnection, account_id: str) -> list[tuple[str, str]]:
        query = (
            select(patterns.c.document_id, patterns.c.pattern)
            .join(
                documents,
                (documents.c.account_id == patterns.c.account_id) & (documents.c.id == patterns.c.document_id),
            )
            .where(patterns.c.account_id == account_id)
            .order_by(documents.c.position, documents.c.id, patterns.c.position)
        )
        return [(row.document_id, row.pattern) for row in await connection.execute(query)]

    async def _document(self, account_id: str, document_id: str) -> Document | None:
        try:
            return await self._documents.get(account_id, document_id)
        except NotFound:  # deleted since the claim was read
            return None
