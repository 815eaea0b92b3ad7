"""Login tokens: random, kept as digests, alive for a while after their last use, a bounded number an account."""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import OperationalError

from mirliton.store.database import Database
from mirliton.store.tables import tokens

_log = structlog.get_logger(__name__)

MAX_PER_ACCOUNT = 2000
"""The token that would expire first makes way for a new one beyond this."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a token stands for; times in UNIX seconds."""

    account_id: str
    owner_id: str | None
    method: str
    issued: int
    expires: int


class Tokens:
    """All tokens that may still be alive."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    async def issue(self, account_id: str, owner_id: str | None, method: str, lifetime: int) -> str:
        """A new token of 64 characters."""
        token, now = secrets.token_hex(32), int(self._now())
        async with self._database.write() as connection:
            await connection.execute(delete(tokens).where(tokens.c.expires <= now))
            surplus = (
                select(tokens.c.digest)
                .where(tokens.c.account_id == account_id)
                .order_by(tokens.c.expires.desc(), tokens.c.issued.desc())
                .offset(MAX_PER_ACCOUNT - 1)
                .limit(MAX_PER_ACCOUNT)
            )
            digests = list((await connection.execute(surplus)).scalars())
            await connection.execute(delete(tokens).where(tokens.c.digest.in_(digests)))
            await connection.execute(
                insert(tokens).values(
                    digest=_digest(token), account_id=account_id, owner_id=owner_id, method=method,
                    issued=now, expires=now + lifetime,
                )
            )  # fmt: skip
        return token

    async def use(self, token: str, lifetime: int) -> Token | None:
        """What a living token stands for; its life starts again (written down once in a sixtieth of it).

        When that cannot be written it stays as long as it was: rooms can be steered while the disk is full.
        """
        found = await self.look(token)
        now = int(self._now())
        if found is not None and found.expires < now + lifetime - lifetime // 60:
            try:
                await self._prolong(token, now + lifetime)
            except OperationalError as problem:
                _log.warning("token.not_prolonged", account_id=found.account_id, problem=str(problem.orig))
        return found

    async def _prolong(self, token: str, expires: int) -> None:
        async with self._database.write() as connection:
            await connection.execute(update(tokens).where(tokens.c.digest == _digest(token)).values(expires=expires))

    async def look(self, token: str) -> Token | None:
        """What a living token stands for."""
        query = select(tokens).where((tokens.c.digest == _digest(token)) & (tokens.c.expires > int(self._now())))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return Token(row.account_id, row.owner_id, row.method, row.issued, row.expires) if row else None

    async def revoke(self, token: str) -> None:
        """End a token's life; an unknown one is dead already."""
        async with self._database.write() as connection:
            await connection.execute(delete(tokens).where(tokens.c.digest == _digest(token)))

    async def revoke_all(self, account_id: str, owner_id: str) -> None:
        """End every token of one user: the password changed, or the user is gone."""
        theirs = (tokens.c.account_id == account_id) & (tokens.c.owner_id == owner_id)
        async with self._database.write() as connection:
            await connection.execute(delete(tokens).where(theirs))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
