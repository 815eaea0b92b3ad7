"""The token in a link: a JWT (RFC 7519) signed with HS256. Pure: the secret and the time are given.

It names account and conference, and holds a keyed digest of the PIN in place of the PIN: who reads a link does not
learn the PIN, and a link whose PIN was changed opens nothing.
"""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jwt
import msgspec

SCOPE = "crossbar:conference_join"
"""What the token is good for, as Kazoo writes it: joining, and nothing else of the API."""

MAX_TOKEN_CHARACTERS = 2048
_ALGORITHM = "HS256"
_OWN_CHECKS = {f"verify_{claim}": False for claim in ("exp", "iat", "nbf", "aud", "iss", "sub", "jti")}


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a good link opens: this conference, with this PIN."""

    account_id: str
    conference_id: str
    pin: str


class Claims(msgspec.Struct, frozen=True):
    """What a token says. `exp`, `iat` in UNIX seconds; `pin` is the digest; `generation`: see `links.Links.revoke`."""

    account_id: str
    conference_id: str
    scope: str
    exp: int
    iat: int
    jti: str
    generation: int
    pin: str

    def public(self) -> dict[str, Any]:
        """The claims that a client has use for."""
        return {name: getattr(self, name) for name in ("account_id", "conference_id", "scope", "exp", "iat", "jti")}


class LinkTokens:
    """Makes and reads tokens with one secret of 32 bytes or more."""

    def __init__(self, secret: bytes) -> None:
        # Two keys, so that a digest of a chosen PIN can never be a signature.
        self._signing = hmac.digest(secret, b"mirliton link signature", "sha256")
        self._digesting = hmac.digest(secret, b"mirliton link pin", "sha256")

    def issue(self, invitation: Invitation, generation: int, now: float, lifetime: int) -> tuple[str, Claims]:
        """A new token that works for `lifetime` seconds."""
        issued, jti = int(now), secrets.token_hex(16)
        claims = Claims(
            account_id=invitation.account_id,
            conference_id=invitation.conference_id,
            scope=SCOPE,
            exp=issued + lifetime,
            iat=issued,
            jti=jti,
            generation=generation,
            pin=self._digest(invitation.account_id, invitation.conference_id, jti, invitation.pin),
        )
        return jwt.encode(msgspec.to_builtins(claims), self._signing, _ALGORITHM), claims

    def read(self, token: str, now: float) -> Claims | None:
        """What a token of ours says while it lives; None for any other text."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            return None
        try:
            found = jwt.decode(token, self._signing, [_ALGORITHM], options=_OWN_CHECKS)  # type: ignore[arg-type]
            claims = msgspec.convert(found, Claims)
        except (jwt.PyJWTError, ValueError, RecursionError, msgspec.ValidationError):  # strangers write tokens, too
            return None
        return claims if claims.scope == SCOPE and now < claims.exp else None

    def pin_of(self, claims: Claims, pins: Iterable[str]) -> str | None:
        """Which of these PINs the token was made with. All are compared, each in constant time."""
        where = (claims.account_id, claims.conference_id, claims.jti)
        fitting = [pin for pin in pins if hmac.compare_digest(self._digest(*where, pin), claims.pin)]
        return fitting[0] if fitting else None

    def _digest(self, account_id: str, conference_id: str, jti: str, pin: str) -> str:
        text = "\0".join((account_id, conference_id, jti, pin)).encode(errors="surrogatepass")
        return hmac.digest(self._digesting, text, "sha256").hex()
