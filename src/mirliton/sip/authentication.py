"""Who may ask for what: trusted networks without a password, all others as a device by digest (design section 2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from sipmessage import Request, Response

from mirliton.sip.digest import Challenger, Verdict, parse_answer
from mirliton.sip.message import respond
from mirliton.sip.types import CredentialSource, Device


@dataclass(frozen=True, slots=True)
class Refusal:
    """Send this; `reason` is for a counter."""

    response: Response
    reason: str


class Gatekeeper:
    """Checks digest answers (RFC 3261 section 22, RFC 8760) against a credential source."""

    def __init__(
        self, source: CredentialSource, trusted: list[IPv4Network], nonce_lifetime: float, algorithms: Sequence[str]
    ) -> None:
        self._source = source
        self._trusted = trusted
        self._challenger = Challenger(nonce_lifetime, algorithms=algorithms)

    def trusts(self, host: str) -> bool:
        """Whether calls from this address need no password."""
        try:
            address = IPv4Address(host)
        except AddressValueError:
            return False
        return any(address in network for network in self._trusted)

    def lets_in(self, request: Request, host: str) -> bool:
        """Whether a request needs no look-up: from a trusted address, and without a password."""
        return request.headers.get("Authorization") is None and self.trusts(host)

    async def check(self, request: Request, now: float, local_tag: str, *, trusted: bool) -> Device | Refusal | None:
        """The device behind a request, or the challenge to send it.

        None: a trusted source that says nothing about our realm (a proxy may pass on what was meant for itself).
        """
        realm = await self._source.realm_for(request.uri.host)
        for value in request.headers.getlist("Authorization"):
            answer = parse_answer(value)
            if answer is None or answer.realm != realm:
                continue
            credential = await self._source.credential(realm, answer.username)
            verdict = self._challenger.check(answer, request.method, realm, credential, now)
            if verdict is Verdict.ACCEPTED and credential is not None:
                return credential.device
            reason = "stale nonce" if verdict is Verdict.STALE else "wrong password"
            return self._challenge(request, realm, now, local_tag, reason, stale=verdict is Verdict.STALE)
        return None if trusted else self._challenge(request, realm, now, local_tag, "no password")

    def _challenge(
        self, request: Request, realm: str, now: float, local_tag: str, reason: str, *, stale: bool = False
    ) -> Refusal:
        response = respond(request, 401, local_tag=local_tag)
        for challenge in self._challenger.challenges(realm, now, stale=stale):
            response.headers.add("WWW-Authenticate", challenge)
        return Refusal(response, reason)
