"""The phone's encrypted sound: SRTP (RFC 3711) with keys in SDP (RFC 4568), by the classes of pylibsrtp.

Written apart from the server's own, so that a mistake there is not repeated here.
"""

import base64
import binascii
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pylibsrtp import Error, Policy, Session

SUITES = {
    "AES_CM_128_HMAC_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
    "AES_CM_128_HMAC_SHA1_32": (Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 30),
    "AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
    "AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
}
"""pylibsrtp's number of each, and how many bytes key and salt have."""


@dataclass(frozen=True, slots=True)
class Key:
    """What one side sends with."""

    tag: int
    suite: str
    secret: bytes = field(repr=False)

    @property
    def line(self) -> str:
        """As it stands in SDP."""
        return f"a=crypto:{self.tag} {self.suite} inline:{base64.b64encode(self.secret).decode()}"


def new_keys(suites: Iterable[str] = tuple(SUITES)) -> tuple[Key, ...]:
    """One of each kind, never seen before. Raises `KeyError` for an unknown suite."""
    return tuple(Key(tag, suite, secrets.token_bytes(SUITES[suite][1])) for tag, suite in enumerate(suites, 1))


def agreed_keys(attributes: Iterable[str], ours: Iterable[Key]) -> tuple[Key, Key] | None:
    """Our key, with their tag, and theirs: the first of their lines whose suite we have."""
    by_suite = {key.suite: key for key in ours}
    for line in attributes:
        theirs = _read(line)
        if theirs is not None and theirs.suite in by_suite:
            return replace(by_suite[theirs.suite], tag=theirs.tag), theirs
    return None


def _read(line: str) -> Key | None:
    parts = line.removeprefix("a=crypto:").split()
    if not line.startswith("a=crypto:") or len(parts) < 3 or not parts[0].isdecimal() or parts[1] not in SUITES:
        return None
    try:
        secret = base64.b64decode(parts[2].removeprefix("inline:").partition("|")[0], validate=True)
    except binascii.Error:
        return None
    return Key(int(parts[0]), parts[1], secret) if len(secret) == SUITES[parts[1]][1] else None


class Cipher:
    """One call's two directions. `refused`: packets that were not encrypted with their key, or came twice."""

    def __init__(self, ours: Key, theirs: Key) -> None:
        self.ours, self.theirs = ours, theirs
        self.refused = 0
        self._out = Session(Policy(ours.secret, Policy.SSRC_ANY_OUTBOUND, 0, SUITES[ours.suite][0]))
        self._in = Session(Policy(theirs.secret, Policy.SSRC_ANY_INBOUND, 0, SUITES[theirs.suite][0]))

    def seal(self, packet: bytes) -> bytes:
        """RTP to SRTP."""
        return self._out.protect(packet)

    def open(self, data: bytes) -> bytes | None:
        """SRTP to RTP; None for what is not authentic."""
        try:
            return self._in.unprotect(data)
        except (Error, ValueError):  # ValueError: too long for any packet
            self.refused += 1
            return None
