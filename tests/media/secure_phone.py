"""A caller whose packets are encrypted by pylibsrtp's own classes."""

import os
from typing import Any

from pylibsrtp import Error, Policy, Session

from mirliton.media.types import SRTP_KEY_BYTES, SrtpKeys
from tests.media.bench import FakeCaller

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}


def new_keys(profile: str = "AES_CM_128_HMAC_SHA1_80") -> SrtpKeys:
    """Random keys as the engine is given them."""
    size = SRTP_KEY_BYTES[profile]
    return SrtpKeys(profile, os.urandom(size), os.urandom(size))


class SecureCaller(FakeCaller):
    """`keys` are the engine's: what it receives with, this caller sends with."""

    def __init__(self, keys: SrtpKeys, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.unreadable = 0
        self.sealed: list[bytes] = []
        self.change(keys)

    def change(self, keys: SrtpKeys, *, send: bool = True, receive: bool = True) -> None:
        """Fresh sessions: their roll-over counters are zero."""
        profile = PROFILES[keys.profile]
        if send:
            self.sender = Session(Policy(keys.key_in, Policy.SSRC_ANY_OUTBOUND, 0, profile))
        if receive:
            self.receiver = Session(Policy(keys.key_out, Policy.SSRC_ANY_INBOUND, 0, profile))

    def next_packet(self, payload: bytes | None = None) -> bytes:
        return self.sender.protect(super().next_packet(payload))

    def collect(self) -> None:
        before = len(self.packets)
        super().collect()
        came, self.packets[before:] = self.packets[before:], []
        for data in came:
            self.sealed.append(data)
            if 200 <= data[1] <= 207:
                continue  # RTCP
            try:
                self.packets.append(self.receiver.unprotect(data))
            except Error:
                self.unreadable += 1
