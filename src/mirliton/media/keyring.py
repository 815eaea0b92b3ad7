"""The keys of an engine's legs: libsrtp's sessions, which `srtp` finds by the addresses in the leg records.

Nothing else holds keys in the engine's process; what shared memory holds are addresses, of no use elsewhere. libsrtp
overwrites its keys when a session ends.
"""

from collections import deque
from dataclasses import dataclass
from importlib import import_module

from pylibsrtp import Policy, Session

from mirliton.media.srtp import REKEYED, RESUMES, begin_at, leave_out
from mirliton.media.tables import Tables
from mirliton.media.types import SrtpKeys

REPLAY_WINDOW = 256
"""Packets: four times what a jitter buffer holds. Those that are older are taken for replays."""

_BEFORE_NS = 2_000_000_000
"""For so long the keys before are still good, for what was sent before the other side learned of the change."""

_PROFILES = {
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}

_ffi = import_module("pylibsrtp._binding").ffi


@dataclass(slots=True)
class _Sessions:
    """Of one leg."""

    keys: SrtpKeys
    out: Session
    in_: Session
    before: Session | None = None
    before_until: int = 0


class Keyring:
    """All legs' sessions. A session lives as long as its address stands in a record."""

    def __init__(self, tables: Tables) -> None:
        self._t = tables
        self._sessions: dict[int, _Sessions] = {}
        self._fading: deque[tuple[int, int]] = deque()

    def agree(self, leg: int, keys: SrtpKeys | None, now: int) -> None:
        """From now on (ns) these are a leg's keys. Each direction whose keys stay the same goes on as it is."""
        held = self._sessions.get(leg)
        if keys is None:
            self.forget(leg)
        elif held is None:
            self._begin(leg, keys)
        elif keys != held.keys:
            self._change(leg, held, keys, now)

    def forget(self, leg: int) -> None:
        """Plain RTP, or nothing at all any more."""
        if self._sessions.pop(leg, None) is None:
            return
        record = self._t.legs[leg]
        record.srtp_out = record.srtp_in = record.srtp_before = 0
        record.srtp_finding = record.srtp_streams = record.srtp_roc = record.srtcp_sent = 0

    def expire(self, now: int) -> None:
        """Drop keys whose time is over."""
        while self._fading and self._fading[0][0] <= now:
            _, leg = self._fading.popleft()
            held = self._sessions.get(leg)
            if held is not None and held.before_until <= now:
                held.before, self._t.legs[leg].srtp_before = None, 0

    def _begin(self, leg: int, keys: SrtpKeys) -> None:
        record = self._t.legs[leg]
        self._sessions[leg] = _Sessions(keys, self._sender(leg, keys), self._receiver(leg, keys, RESUMES))
        record.srtp_out, record.srtp_in = address_of(self._sessions[leg].out), address_of(self._sessions[leg].in_)

    def _change(self, leg: int, held: _Sessions, keys: SrtpKeys, now: int) -> None:
        record, other = self._t.legs[leg], keys.profile != held.keys.profile
        sends = held.out
        if other or keys.key_out != held.keys.key_out:
            record.srtcp_sent = 0
            sends = self._sender(leg, keys)
        if other or keys.key_in != held.keys.key_in:
            receives = self._receiver(leg, keys, REKEYED)
            record.srtp_before, record.srtp_in = address_of(held.in_), address_of(receives)
            held.before, held.in_, held.before_until = held.in_, receives, now + _BEFORE_NS
            self._fading.append((held.before_until, leg))
        held.keys, held.out = keys, sends
        record.srtp_out = address_of(sends)

    def _sender(self, leg: int, keys: SrtpKeys) -> Session:
        """Goes on where the record's sequence stands."""
        record = self._t.legs[leg]
        session = _session(keys.profile, keys.key_out, int(record.ssrc))
        begin_at(address_of(session), int(record.ssrc), int(record.srtp_roc))
        leave_out(address_of(session), int(record.ssrc), int(record.srtcp_sent))
        return session

    def _receiver(self, leg: int, keys: SrtpKeys, finding: int) -> Session:
        """Any SSRC; the one that was heard before has a roll-over counter that is to be found."""
        record = self._t.legs[leg]
        session = _session(keys.profile, keys.key_in, None)
        record.srtp_finding = 0
        if record.srtp_streams:
            with_ssrc = _policy(keys.profile, keys.key_in, int(record.srtp_ssrc))
            session.add_stream(with_ssrc)
            _erase(with_ssrc)
            record.srtp_finding, record.srtp_streams = finding, 1
        return session


def _session(profile: str, key: bytes, ssrc: int | None) -> Session:
    policy = _policy(profile, key, ssrc)
    session = Session(policy)
    _erase(policy)
    return session


def _policy(profile: str, key: bytes, ssrc: int | None) -> Policy:
    kind = Policy.SSRC_ANY_INBOUND if ssrc is None else Policy.SSRC_SPECIFIC
    policy = Policy(key=key, ssrc_type=kind, ssrc_value=ssrc or 0, srtp_profile=_PROFILES[profile])
    policy.window_size = REPLAY_WINDOW
    return policy


def _erase(policy: Policy) -> None:
    """libsrtp has derived its session keys; the copy of the master key must not stay in memory."""
    if policy.key is not None:
        memoryview(policy.key)[:] = bytes(len(policy.key))


def address_of(session: Session) -> int:
    """Of libsrtp's own session, as long as this one is held."""
    return int(_ffi.cast("uintptr_t", session._srtp[0]))
