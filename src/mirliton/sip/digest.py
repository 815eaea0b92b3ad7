"""Digest access authentication for SIP (RFC 7616, RFC 8760), both sides. Pure: the time is given.

Nonces are signed with their time of issue, so that a flood of challenges costs no memory; only nonces that were used
with a right password are remembered, with the counts seen, against replay.
"""

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from sipmessage import Request, Response

from mirliton.sip.grammar import parse_parameters, quoted
from mirliton.sip.types import Credential

ALGORITHMS = {"SHA-256": "sha256", "MD5": "md5"}
"""In order of preference (RFC 8760 section 2.4), with their names in `hashlib`."""

_WINDOW = 64
_MAX_COUNT = 2**32


class Verdict(Enum):
    """Of a digest answer."""

    ACCEPTED = auto()
    STALE = auto()  # right password, but the nonce is too old or its count was seen: ask again without bothering anyone
    WRONG = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """An Authorization value, taken apart."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str
    cnonce: str
    count: str  # nc, eight hex digits


@dataclass(slots=True)
class _Seen:
    issued: float
    highest: int
    window: int


def digest(algorithm: str, text: str) -> str:
    """The hex digest of text. Raises `KeyError` for an unknown algorithm."""
    return hashlib.new(ALGORITHMS[algorithm], text.encode(), usedforsecurity=False).hexdigest()


def ha1(algorithm: str, username: str, realm: str, password: str) -> str:
    """H(username:realm:password): what a credential source stores."""
    return digest(algorithm, f"{username}:{realm}:{password}")


def response_for(algorithm: str, secret: str, nonce: str, count: str, cnonce: str, method: str, uri: str) -> str:
    """The response value for qop=auth (RFC 7616 section 3.4.1); `secret` is HA1."""
    return digest(algorithm, f"{secret}:{nonce}:{count}:{cnonce}:auth:{digest(algorithm, f'{method}:{uri}')}")


def parse_answer(value: str) -> Answer | None:
    """Read an Authorization value; None when it is not a complete digest answer with qop=auth that we understand."""
    scheme, _, rest = value.strip().partition(" ")
    found = parse_parameters(rest, ",")
    given = {name: found.get(name) or "" for name in ("username", "realm", "nonce", "uri", "response", "cnonce", "nc")}
    algorithm = (found.get("algorithm") or "MD5").upper()
    if scheme.lower() != "digest" or algorithm not in ALGORITHMS or (found.get("qop") or "").lower() != "auth":
        return None
    if not all(given.values()) or len(given["nc"]) != 8 or not given["response"].isascii():
        return None
    return Answer(
        given["username"],
        given["realm"],
        given["nonce"],
        given["uri"],
        given["response"].lower(),
        algorithm,
        given["cnonce"],
        given["nc"],
    )


class Challenger:
    """The server side. `lifetime` is in seconds; at most `max_nonces` used nonces are remembered."""

    def __init__(
        self,
        lifetime: float,
        *,
        algorithms: Sequence[str] = tuple(ALGORITHMS),
        max_nonces: int = 20_000,
        secret: bytes | None = None,
    ) -> None:
        self._algorithms = algorithms
        self._lifetime = lifetime
        self._max = max_nonces
        self._secret = secret if secret is not None else secrets.token_bytes(32)
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._forgotten_until = float("-inf")

    def challenges(self, realm: str, now: float, *, stale: bool = False) -> list[str]:
        """WWW-Authenticate values, the better algorithm first."""
        nonce = self._nonce(now)
        again = ", stale=true" if stale else ""
        return [
            f'Digest realm={quoted(realm)}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{again}'
            for algorithm in self._algorithms
        ]

    def check(self, answer: Answer, method: str, realm: str, credential: Credential | None, now: float) -> Verdict:
        """Judge an answer to a challenge of ours for `realm`. Takes as long for an unknown user as for a known one."""
        known = credential.ha1.get(answer.algorithm) if credential is not None else None
        secret = known if known is not None else digest(answer.algorithm, answer.username)
        expected = response_for(answer.algorithm, secret, answer.nonce, answer.count, answer.cnonce, method, answer.uri)
        issued = self._issued(answer.nonce)
        right = hmac.compare_digest(expected, answer.response)
        if not right or known is None or answer.algorithm not in self._algorithms or answer.realm != realm:
            return Verdict.WRONG
        if issued is None or not now - self._lifetime <= issued <= now + 1:
            return Verdict.STALE
        return Verdict.ACCEPTED if self._fresh_count(answer, issued, now) else Verdict.STALE

    def _nonce(self, now: float) -> str:
        body = f"{now:.3f}.{secrets.token_hex(6)}".encode()
        return base64.urlsafe_b64encode(body + b"." + self._sign(body)).decode()

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, "sha256").hex()[:32].encode()

    def _issued(self, nonce: str) -> float | None:
        try:
            body, _, signature = base64.b64decode(nonce, altchars=b"-_", validate=True).rpartition(b".")
        except ValueError:
            return None
        if not hmac.compare_digest(self._sign(body), signature):
            return None
        return float(body.rpartition(b".")[0])

    def _fresh_count(self, answer: Answer, issued: float, now: float) -> bool:
        try:
            count = int(answer.count, 16)
        except ValueError:
            return False
        self._forget_old(now)
        seen = self._seen.get(answer.nonce)
        if seen is None:
            if issued <= self._forgotten_until:
                return False
            self._remember(answer.nonce, _Seen(issued, count, 1))
            return 0 < count < _MAX_COUNT
        return _advance(seen, count)

    def _remember(self, nonce: str, seen: _Seen) -> None:
        if len(self._seen) >= self._max:
            # Counts of a forgotten nonce are lost: nonces as old as it are refused as stale, never taken twice.
            _, oldest = self._seen.popitem(last=False)
            self._forgotten_until = max(self._forgotten_until, oldest.issued)
        self._seen[nonce] = seen

    def _forget_old(self, now: float) -> None:
        while self._seen:
            nonce, oldest = next(iter(self._seen.items()))
            if now - oldest.issued <= self._lifetime + 1:
                return
            del self._seen[nonce]

    @property
    def remembered(self) -> int:
        """Used nonces in memory."""
        return len(self._seen)


def _advance(seen: _Seen, count: int) -> bool:
    """Note a count; False when it was seen or is too far behind (UDP may reorder a few)."""
    if not 0 < count < _MAX_COUNT:
        return False
    if count > seen.highest:
        seen.window = ((seen.window << min(count - seen.highest, _WINDOW)) | 1) & (2**_WINDOW - 1)
        seen.highest = count
        return True
    bit = 1 << (seen.highest - count)
    if seen.highest - count >= _WINDOW or seen.window & bit:
        return False
    seen.window |= bit
    return True


def answer_challenges(challenges: list[str], method: str, uri: str, username: str, password: str) -> str | None:
    """The client side: an Authorization value for the first challenge we understand, or None.

    `challenges` are WWW-Authenticate or Proxy-Authenticate values in the order they came.
    """
    for challenge in challenges:
        scheme, _, rest = challenge.strip().partition(" ")
        found = parse_parameters(rest, ",")
        algorithm = (found.get("algorithm") or "MD5").upper()
        offered = found.get("qop")
        if scheme.lower() != "digest" or algorithm not in ALGORITHMS or not found.get("nonce"):
            continue
        if offered is None or "auth" in [option.strip().lower() for option in offered.split(",")]:
            return _authorization(found, algorithm, method, uri, username, password)
    return None


def put_answer(request: Request, response: Response, credentials: tuple[str, str]) -> bool:
    """Put the answer to a 401 or 407 on a request (RFC 3261 section 22); False when it asks for what we do not know."""
    asked, answered = "WWW-Authenticate", "Authorization"
    if response.code == 407:
        asked, answered = "Proxy-Authenticate", "Proxy-Authorization"
    value = answer_challenges(response.headers.getlist(asked), request.method, str(request.uri), *credentials)
    if value is None:
        return False
    request.headers.set(answered, value)
    return True


def asks_again(response: Response) -> bool:
    """Whether a 401 or 407 says that the password was right and only its nonce too old (RFC 7616 section 3.3)."""
    challenges = response.headers.getlist("Proxy-Authenticate" if response.code == 407 else "WWW-Authenticate")
    found = [parse_parameters(challenge.strip().partition(" ")[2], ",") for challenge in challenges]
    return any((parameters.get("stale") or "").lower() == "true" for parameters in found)


def _authorization(
    challenge: dict[str, str | None], algorithm: str, method: str, uri: str, username: str, password: str
) -> str:
    realm, nonce = challenge.get("realm") or "", challenge.get("nonce") or ""
    secret = ha1(algorithm, username, realm, password)
    fields = [f"username={quoted(username)}", f"realm={quoted(realm)}", f"nonce={quoted(nonce)}", f"uri={quoted(uri)}"]
    if challenge.get("qop") is None:  # RFC 2069: old servers know no qop
        response = digest(algorithm, f"{secret}:{nonce}:{digest(algorithm, f'{method}:{uri}')}")
    else:
        cnonce, count = secrets.token_hex(8), "00000001"
        response = response_for(algorithm, secret, nonce, count, cnonce, method, uri)
        fields += [f'cnonce="{cnonce}"', f"nc={count}", "qop=auth"]
    fields += [f'response="{response}"', f"algorithm={algorithm}"]
    if challenge.get("opaque") is not None:
        fields.append(f"opaque={quoted(challenge['opaque'] or '')}")
    return "Digest " + ", ".join(fields)
