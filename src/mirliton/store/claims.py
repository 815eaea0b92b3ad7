"""Claims: values that only one document may hold, kept unique by the database, and the index for looking them up.

A claim is unique within its scope: an account, or ("") the whole system.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from mirliton.store.tables import claims

MAX_CLAIMS = 10_000
_MAX_VALUE = 256
_CHUNK = 300


class Claim(NamedTuple):
    """`kind` is one of the constants below."""

    scope: str
    kind: str
    value: str


CONFERENCE_NUMBER = "conference_number"
CALLFLOW_NUMBER = "callflow_number"
SIP_USERNAME = "sip_username"
BRIDGE_USERNAME = "bridge_username"
USERNAME = "username"
CREDENTIAL = "credential"  # value "md5:…" or "sha:…"
REALM = "realm"
ACCOUNT_NAME = "account_name"
API_KEY = "api_key"
DEFAULT_ACCOUNT = "default_account"


class ClaimTaken(Exception):
    """Other documents hold these values; all of one kind."""

    def __init__(self, kind: str, values: Sequence[str]) -> None:
        super().__init__(f"{kind} already taken: {', '.join(values)}")
        self.kind = kind
        self.values = list(values)


class TooManyClaims(Exception):
    """One document claims more values than any sensible one."""

    def __init__(self) -> None:
        super().__init__(f"a document may hold at most {MAX_CLAIMS} numbers")


def claims_of(account_id: str, kind: str, body: dict[str, Any], private: dict[str, Any]) -> list[Claim]:
    """What a valid document of this type claims, without repeats."""
    match kind:
        case "conference":
            found = [Claim(account_id, CONFERENCE_NUMBER, number) for number in conference_numbers(body)]
            if username := body.get("bridge_username"):
                found.append(Claim(account_id, BRIDGE_USERNAME, username))
        case "callflow":
            found = [Claim(account_id, CALLFLOW_NUMBER, number) for number in body.get("numbers", ())]
        case "device":
            username = body.get("sip", {}).get("username")
            found = [Claim(account_id, SIP_USERNAME, username)] if username else []
        case "user":
            found = list(_user_claims(account_id, body, private))
        case "account":
            found = list(_account_claims(body, private))
        case _:
            found = []
    if len(found) > MAX_CLAIMS:
        raise TooManyClaims
    return list(dict.fromkeys(Claim(c.scope, c.kind, stored_value(c.value)) for c in found))


def conference_numbers(body: dict[str, Any]) -> Iterator[str]:
    """The numbers of all three lists (semantics 6.4)."""
    yield from body.get("conference_numbers", ())
    for role in ("member", "moderator"):
        yield from body.get(role, {}).get("numbers", ())


def stored_value(value: str) -> str:
    """The value, or for a very long one its digest."""
    return value if len(value) <= _MAX_VALUE else f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"


def _user_claims(account_id: str, body: dict[str, Any], private: dict[str, Any]) -> Iterator[Claim]:
    if username := body.get("username"):
        yield Claim(account_id, USERNAME, username.lower())
    for method, digest in private.get("credentials", {}).items():
        yield Claim(account_id, CREDENTIAL, f"{method}:{digest}")


def _account_claims(body: dict[str, Any], private: dict[str, Any]) -> Iterator[Claim]:
    yield Claim("", ACCOUNT_NAME, body["name"].lower())
    if realm := body.get("realm"):
        yield Claim("", REALM, realm.lower())
    if api_key := private.get("api_key"):
        yield Claim("", API_KEY, api_key)
    if private.get("default"):
        yield Claim("", DEFAULT_ACCOUNT, "default")


async def set_claims(connection: AsyncConnection, account_id: str, document_id: str, wanted: Sequence[Claim]) -> None:
    """Make `wanted` the document's claims; raises `ClaimTaken`, or `IntegrityError` when another writer was faster."""
    mine = (claims.c.account_id == account_id) & (claims.c.document_id == document_id)
    await connection.execute(delete(claims).where(mine))
    if taken := await holders(connection, wanted):
        raise ClaimTaken(taken[0].kind, [claim.value for claim in taken if claim.kind == taken[0].kind])
    if wanted:
        rows = [{**claim._asdict(), "account_id": account_id, "document_id": document_id} for claim in wanted]
        await connection.execute(insert(claims), rows)


async def holders(connection: AsyncConnection, wanted: Sequence[Claim]) -> list[Claim]:
    """Which of these are held by anybody, in the order given."""
    key = tuple_(claims.c.scope, claims.c.kind, claims.c.value)
    held: set[Claim] = set()
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        rows = await connection.execute(
            select(claims.c.scope, claims.c.kind, claims.c.value).where(key.in_([tuple(claim) for claim in chunk]))
        )
        held |= {Claim(*row) for row in rows}
    return [claim for claim in wanted if claim in held]
