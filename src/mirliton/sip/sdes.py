"""Keys for SRTP in SDP: `a=crypto` (RFC 4568; AES-GCM: RFC 7714 section 14). Pure.

Keys that stand here are as secret as the SIP messages that carry them: use TLS.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

SUITES = {
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
}
"""What we speak, best first, and how many bytes key and salt of each have. GCM first: one pass, and a longer tag."""

Policy = Literal["off", "optional", "required"]
"""Whether sound may be, or has to be, encrypted."""

PLAIN, SECURE = "RTP/AVP", "RTP/SAVP"
MOST_LINES = 32
_LONGEST_LIFE = 2**48  # packets, RFC 3711 section 9.2
_CRYPTO = re.compile(r"([1-9][0-9]{0,8}) ([A-Za-z0-9_]{1,64}) (inline:[!-~]{1,200})((?: [!-~]{1,64}){0,16})")
_INLINE = re.compile(r"inline:([A-Za-z0-9+/]{1,128}={0,2})(?:\|(2\^)?([0-9]{1,15}))?")
_HARMLESS = re.compile(r"WSH=[0-9]{2,5}|-[A-Za-z0-9_=.-]{1,63}")
"""A wish for the replay window, and extensions that may be ignored."""


@dataclass(frozen=True, slots=True)
class Crypto:
    """One usable `a=crypto` line. `key`: of whoever writes it, with its salt."""

    tag: int
    suite: str
    key: bytes = field(repr=False)

    def line(self) -> str:
        """As it stands in SDP."""
        return f"a=crypto:{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


@dataclass(frozen=True, slots=True)
class Secured:
    """What both sides encrypt with, and the protocol of the m= line where they said so (RTP/AVP: best effort)."""

    theirs: Crypto
    ours: Crypto
    protocol: str


@dataclass(frozen=True, slots=True)
class Protection:
    """Whether encrypted sound is agreed to. `answering`: our line for theirs."""

    policy: Policy = "off"
    answering: Callable[[Crypto], Crypto] = lambda theirs: new_crypto(theirs.tag, theirs.suite)

    def allows(self, protocol: str, lines: Iterable[str]) -> bool:
        """Whether there can be sound over this protocol with these `a=crypto`."""
        if protocol == PLAIN:
            return self.policy != "required" or best(lines) is not None
        return protocol == SECURE and self.policy != "off" and best(lines) is not None

    def answer(self, protocol: str, lines: Iterable[str]) -> Secured | None:
        """What we agree to of an offer that is allowed; None: plain RTP."""
        theirs = best(lines) if self.policy != "off" else None
        return Secured(theirs, self.answering(theirs), protocol) if theirs is not None else None

    def refusal(self, protocol: str) -> str:
        """Why an audio line that only lacks this was not allowed."""
        if protocol == SECURE:
            return "encrypted sound (SRTP) is switched off" if self.policy == "off" else "no usable a=crypto line"
        return "sound must be encrypted: offer RTP/SAVP with a=crypto"


def new_crypto(tag: int, suite: str) -> Crypto:
    """With a key that nobody has seen."""
    return Crypto(tag, suite, secrets.token_bytes(SUITES[suite]))


def read_crypto(value: str) -> Crypto | None:
    """The value of one attribute; None for what is malformed, unknown to us, or asks for what we do not do.

    Refused are several keys and key identifiers (MKI), keys derived again and again (KDR), sound or RTCP that is sent
    unencrypted or unauthenticated, and FEC. A lifetime is the sender's own business: it takes new keys in time.
    """
    found = _CRYPTO.fullmatch(value)
    if found is None or found[2] not in SUITES:
        return None
    inline = _INLINE.fullmatch(found[3])
    if inline is None or not all(_HARMLESS.fullmatch(parameter) for parameter in found[4].split()):
        return None
    if inline[3] and not _is_lifetime(int(inline[3]), is_power=inline[2] is not None):
        return None
    key = _decoded(inline[1])
    return Crypto(int(found[1]), found[2], key) if len(key) == SUITES[found[2]] else None


def _is_lifetime(number: int, *, is_power: bool) -> bool:
    return 0 < number <= 48 if is_power else 0 < number <= _LONGEST_LIFE


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except binascii.Error:
        return b""


def best(values: Iterable[str]) -> Crypto | None:
    """What we take of an offer: the suite that we like best, of the first lines."""
    usable = [crypto for value in list(values)[:MOST_LINES] if (crypto := read_crypto(value)) is not None]
    return min(usable, key=lambda crypto: list(SUITES).index(crypto.suite), default=None)


def chosen(offered: Iterable[str], answered: Iterable[str], protocol: str) -> Secured | None:
    """By an answer to an offer of ours: exactly one line, its tag and suite one of those offered; else None."""
    lines = list(answered)
    theirs = read_crypto(lines[0]) if len(lines) == 1 else None
    if theirs is None:
        return None
    ours = [crypto for value in offered if (crypto := read_crypto(value)) is not None]
    one = next((one for one in ours if (one.tag, one.suite) == (theirs.tag, theirs.suite)), None)
    return Secured(theirs, one, protocol) if one is not None else None
