"""Who may ask for what: trusted networks without a password, all others by digest (design section 2).

A call by a public link (`links`) needs no password when whoever gives out links says so; nothing else gets past.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from sipmessage import Request, Response

from mirliton.sip.admission import Attempts
from mirliton.sip.digest import Challenger, Verdict, parse_answer
from mirliton.sip.links import read_link
from mirliton.sip.message import respond
from mirliton.sip.types import BRIDGE_HEADER, Admits, Bridge, CredentialSource, Device


@dataclass(frozen=True, slots=True)
class Refusal:
    """Send this; `reason` is for a counter."""

    response: Response
    reason: str


class Gatekeeper:
    """Checks digest answers (RFC 3261 section 22, RFC 8760) against a credential source.

    `admits` is asked for strangers' calls by a link, `attempts` a source; None: links open no door.
    """

    def __init__(
        self,
        source: CredentialSource,
        trusted: list[IPv4Network],
        nonce_lifetime: float,
        algorithms: Sequence[str],
        *,
        admits: Admits | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        self._source = source
        self._trusted = trusted
        self._challenger = Challenger(nonce_lifetime, algorithms=algorithms)
        self._admits = admits
        self._attempts = Attempts(30) if attempts is None else attempts

    def trusts(self, host: str) -> bool:
        """Whether calls from this address need no password."""
        try:
            address = IPv4Address(host)
        except AddressValueError:
            return False
        return any(address in network for network in self._trusted)

    def lets_in(self, request: Request, host: str) -> bool:
        """Whether a request needs no look-up: from a trusted address, without a password, and no bridge."""
        return request.headers.get("Authorization") is None and not _is_bridge(request) and self.trusts(host)

    async def check(
        self, request: Request, host: str, now: float, local_tag: str, *, retry_after: Mapping[str, str] | None = None
    ) -> Device | Bridge | Refusal | None:
        """The device or bridge behind a request, or the challenge to send it.

        None: let in without a name. That is a link that is good, or a trusted source that says nothing about our realm
        (a proxy may pass on what was meant for itself). `retry_after` goes into a refusal for too many attempts.
        """
        realm = await self._source.realm_for(request.uri.host)
        for value in request.headers.getlist("Authorization"):
            answer = parse_answer(value)
            if answer is None or answer.realm != realm:
                continue
            credential = await self._source.credential(realm, answer.username)
            verdict = self._challenger.check(answer, request.method, realm, credential, now)
            if verdict is Verdict.ACCEPTED and credential is not None:
                return credential.who
            reason = "stale nonce" if verdict is Verdict.STALE else "wrong password"
            return self._challenge(request, realm, now, local_tag, reason, stale=verdict is Verdict.STALE)
        if self._may_be_nameless(request, host):
            return None
        return await self._by_link(request, host, realm, now, local_tag, retry_after)

    def _may_be_nameless(self, request: Request, host: str) -> bool:
        return request.method != "REGISTER" and not _is_bridge(request) and self.trusts(host)

    async def _by_link(
        self,
        request: Request,
        host: str,
        realm: str,
        now: float,
        local_tag: str,
        retry_after: Mapping[str, str] | None,
    ) -> Refusal | None:
        link = read_link(request) if request.method == "INVITE" and not _is_bridge(request) else None
        if link is None or self._admits is None:
            return self._challenge(request, realm, now, local_tag, "no password")
        if not self._attempts.take(host, now):
            return Refusal(respond(request, 503, local_tag=local_tag, headers=retry_after), "too many links")
        if await self._admits(link):
            return None
        return self._challenge(request, realm, now, local_tag, "bad link")

    def _challenge(
        self, request: Request, realm: str, now: float, local_tag: str, reason: str, *, stale: bool = False
    ) -> Refusal:
        response = respond(request, 401, local_tag=local_tag)
        for challenge in self._challenger.challenges(realm, now, stale=stale):
            response.headers.add("WWW-Authenticate", challenge)
        return Refusal(response, reason)


def _is_bridge(request: Request) -> bool:
    return request.method == "INVITE" and request.headers.get(BRIDGE_HEADER) is not None
