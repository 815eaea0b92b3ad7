"""Links over the store: given to who knows the PIN, and checked each time that they are used."""

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass

from mirliton.conference.reading import flag, texts
from mirliton.links.stored import conferences_named, link_secret
from mirliton.links.tokens import Claims, Invitation, LinkTokens
from mirliton.store import Document, NotFound, Store

_GENERATION = "link_generation"


@dataclass(slots=True)
class LinkStatistics:
    """Counters since the start."""

    issued: int = 0
    wrong_pins: int = 0
    good: int = 0
    bad: int = 0
    revocations: int = 0


class Links:
    """Makes, checks and revokes links. `now` gives UNIX seconds, `lifetime` is in seconds.

    Nothing is remembered between two questions but the secret: whatever changes an account or a conference, on this
    server or another, changes what links open, at once.
    """

    def __init__(self, store: Store, lifetime: int, now: Callable[[], float] = time.time) -> None:
        self.statistics = LinkStatistics()
        self._store = store
        self._lifetime = lifetime
        self._now = now
        self._tokens: LinkTokens | None = None

    async def redeem(self, account_name: str, conference_name: str, pin: str) -> tuple[str, Claims] | None:
        """A token for who knows the names and a member PIN (semantics 2.3); None whatever is wrong.

        An unknown account costs the same questions as a known one.
        """
        account = await self._store.accounts.by_name(account_name)
        named = await conferences_named(self._store, account.id if account else "no account", conference_name)
        fitting = [one for one in named if is_open(one) and _among(pin, member_pins(one))]
        if account is None or not _enabled(account) or len(fitting) != 1:
            self.statistics.wrong_pins += 1
            return None
        return await self.issue(fitting[0], pin)

    async def issue(self, conference: Document, pin: str) -> tuple[str, Claims]:
        """A token for this conference with this PIN."""
        invitation = Invitation(conference.account_id, conference.id, pin)
        tokens = await self._ready()
        self.statistics.issued += 1
        return tokens.issue(invitation, _generation(conference), self._now(), self._lifetime)

    async def verify(self, token: str, conference_id: str | None = None) -> Invitation | None:
        """What a link opens now, or None.

        A good one is ours and not too old, its account is enabled, its conference is there, has the flag and the PIN
        that the link was made with, and links were not revoked since. `conference_id`: it must be this one.
        """
        invitation = await self._verified(token, conference_id)
        if invitation is None:
            self.statistics.bad += 1
        else:
            self.statistics.good += 1
        return invitation

    async def revoke(self, account_id: str, conference_id: str) -> Document:
        """End every link made so far; returns the conference. Raises `NotFound`."""
        conference = await self._store.documents.update(
            account_id,
            conference_id,
            lambda old: (old.body, {**old.private, _GENERATION: _generation(old) + 1}),
            kind="conference",
        )
        self.statistics.revocations += 1
        return conference

    async def _verified(self, token: str, conference_id: str | None) -> Invitation | None:
        tokens = await self._ready()
        claims = tokens.read(token, self._now())
        if claims is None or conference_id not in (None, claims.conference_id):
            return None
        account = await self._store.accounts.by_id(claims.account_id)
        conference = await self._conference(claims)
        if account is None or not _enabled(account) or conference is None or not is_open(conference):
            return None
        pin = tokens.pin_of(claims, member_pins(conference))
        if pin is None or claims.generation != _generation(conference):
            return None
        return Invitation(claims.account_id, claims.conference_id, pin)

    async def _conference(self, claims: Claims) -> Document | None:
        try:
            return await self._store.documents.get(claims.account_id, claims.conference_id, "conference")
        except NotFound:
            return None

    async def _ready(self) -> LinkTokens:
        if self._tokens is None:
            self._tokens = LinkTokens(await link_secret(self._store))
        return self._tokens


def is_open(conference: Document) -> bool:
    """Whether the conference lets links in (`allow_shareable_link`)."""
    return flag(conference.body, "allow_shareable_link") is True


def member_pins(conference: Document) -> tuple[str, ...]:
    """The PINs that links stand for; a conference without any has no links."""
    return texts(conference.body, "member.pins")


def _generation(conference: Document) -> int:
    return int(conference.private.get(_GENERATION, 0))


def _enabled(account: Document) -> bool:
    return flag(account.body, "enabled") is not False


def _among(pin: str, pins: tuple[str, ...]) -> bool:
    """All are compared, each in constant time."""
    given = pin.encode(errors="surrogatepass")
    return sum(hmac.compare_digest(given, known.encode(errors="surrogatepass")) for known in pins) > 0
