"""One call's offers and answers (RFC 3264): which SDP we said last, under which version, and what was agreed."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from mirliton.media.types import MediaAgreement, SrtpKeys
from mirliton.sip.formats import CODECS, EVENT, PLAYBACK_RATE, clock_of
from mirliton.sip.sdes import PLAIN, SECURE, SUITES, Crypto, Policy, Protection, Secured, new_crypto
from mirliton.sip.sdp import AudioAgreement, NotAcceptable, answer_offer, make_offer, read_answer

__all__ = ["Negotiation", "NotAcceptable", "Repertoire"]


@dataclass(frozen=True, slots=True)
class Repertoire:
    """What calls may be spoken in. `codecs`: names of `sip.formats`, in the order of our offers.

    `playback_rate`: Hz; no room is mixed at more, so that nobody need send it. `srtp`: whether sound may be, or has to
    be, encrypted.
    """

    codecs: tuple[str, ...] = CODECS
    playback_rate: int = PLAYBACK_RATE
    srtp: Policy = "optional"


class Negotiation:
    """Our side of a call's media. The version in `o=` rises only when what we say changes (RFC 3264 section 8)."""

    def __init__(
        self,
        local_address: str,
        local_port: int,
        signalling_address: str,
        repertoire: Repertoire | None = None,
        *,
        encrypt: bool = False,
    ) -> None:
        """`encrypt`: offer encrypted sound, unless the repertoire has none. Where it must be, it is offered anyway."""
        self._local = local_address, local_port
        self._signalling_address = signalling_address
        self._repertoire = repertoire or Repertoire()
        self._session_id = secrets.randbelow(2**62)
        self._version = 0
        self._said = b""
        self._offered: bytes | None = None
        self._numbers: dict[tuple[str, int], int] = {}
        self._secured: Secured | None = None
        self._protection = Protection(self._repertoire.srtp, self._our_crypto)
        policy = self._repertoire.srtp
        self._encrypts = policy == "required" or (policy == "optional" and encrypt)
        self._proposed = [new_crypto(tag, suite) for tag, suite in enumerate(SUITES, 1)] if self._encrypts else []

    def answer(self, offer: bytes) -> tuple[bytes, MediaAgreement]:
        """Our answer to an offer, and what it agrees to. Raises `NotAcceptable` and changes nothing."""
        sdp, agreement = self._answer(offer)
        if self._said and sdp != self._said:
            self._version += 1
            sdp, agreement = self._answer(offer)
        self._said = sdp
        return sdp, self._for_media(agreement)

    def offer(self) -> bytes:
        """Our offer, to be answered with `accept`."""
        sdp = self._offer()
        if self._said and sdp != self._said:
            self._version += 1
            sdp = self._offer()
        self._said = self._offered = sdp
        return sdp

    def accept(self, answer: bytes) -> MediaAgreement:
        """What the answer to our offer agrees to. Raises `NotAcceptable`, also when nothing was offered."""
        offered, self._offered = self._offered, None
        if offered is None:
            raise NotAcceptable("an answer without an offer")
        agreement = read_answer(offered, answer)
        if agreement.secured is None and self._repertoire.srtp == "required":
            raise NotAcceptable("the answer leaves the sound unencrypted")
        return self._for_media(agreement)

    def _answer(self, offer: bytes) -> tuple[bytes, AudioAgreement]:
        ours = self._repertoire
        return answer_offer(
            offer,
            *self._local,
            self._session_id,
            self._version,
            codecs=ours.codecs,
            playback_rate=ours.playback_rate,
            protection=self._protection,
        )

    def _offer(self) -> bytes:
        ours = self._repertoire
        return make_offer(
            *self._local,
            self._session_id,
            self._version,
            codecs=ours.codecs,
            playback_rate=ours.playback_rate,
            said=self._numbers,
            protocol=self._secured.protocol if self._secured else SECURE if self._encrypts else PLAIN,
            crypto=self._crypto(),
        )

    def _crypto(self) -> Sequence[Crypto]:
        """What we offer to encrypt with: what was agreed, or all that we can."""
        return [self._secured.ours] if self._secured else self._proposed

    def _our_crypto(self, theirs: Crypto) -> Crypto:
        """Our answer to their line. Who says the same key again hears the same of us; a new one has a new one back."""
        before = self._secured
        if before is not None and (before.theirs.suite, before.theirs.key) == (theirs.suite, theirs.key):
            return replace(before.ours, tag=theirs.tag)
        return new_crypto(theirs.tag, theirs.suite)

    def _for_media(self, agreement: AudioAgreement) -> MediaAgreement:
        self._numbers[agreement.codec, clock_of(agreement.codec, agreement.rate)] = agreement.payload_type
        if agreement.event_payload_type is not None:
            self._numbers[EVENT, agreement.event_clock] = agreement.event_payload_type
        secured = self._secured = agreement.secured
        keys = SrtpKeys(secured.ours.suite, secured.theirs.key, secured.ours.key) if secured else None
        agreed = {one.name: getattr(agreement, one.name) for one in fields(agreement) if one.name != "secured"}
        return MediaAgreement(signalling_address=self._signalling_address, srtp=keys, **agreed)
