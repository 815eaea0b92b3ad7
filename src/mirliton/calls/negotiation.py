"""One call's offers and answers (RFC 3264): which SDP we said last, under which version, and what was agreed."""

import secrets

from mirliton.media.types import MediaAgreement
from mirliton.sip.sdp import AudioAgreement, NotAcceptable, answer_offer, make_offer, read_answer

__all__ = ["Negotiation", "NotAcceptable"]


class Negotiation:
    """Our side of a call's media. The version in `o=` rises only when what we say changes (RFC 3264 section 8)."""

    def __init__(self, local_address: str, local_port: int, signalling_address: str) -> None:
        self._local = local_address, local_port
        self._signalling_address = signalling_address
        self._session_id = secrets.randbelow(2**62)
        self._version = 0
        self._said = b""
        self._offered: bytes | None = None

    def answer(self, offer: bytes) -> tuple[bytes, MediaAgreement]:
        """Our answer to an offer, and what it agrees to. Raises `NotAcceptable` and changes nothing."""
        sdp, agreement = answer_offer(offer, *self._local, self._session_id, self._version)
        if self._said and sdp != self._said:
            self._version += 1
            sdp, agreement = answer_offer(offer, *self._local, self._session_id, self._version)
        self._said = sdp
        return sdp, self._for_media(agreement)

    def offer(self) -> bytes:
        """Our offer, to be answered with `accept`."""
        sdp = make_offer(*self._local, self._session_id, self._version)
        if self._said and sdp != self._said:
            self._version += 1
            sdp = make_offer(*self._local, self._session_id, self._version)
        self._said = self._offered = sdp
        return sdp

    def accept(self, answer: bytes) -> MediaAgreement:
        """What the answer to our offer agrees to. Raises `NotAcceptable`, also when nothing was offered."""
        offered, self._offered = self._offered, None
        if offered is None:
            raise NotAcceptable("an answer without an offer")
        return self._for_media(read_answer(offered, answer))

    def _for_media(self, agreement: AudioAgreement) -> MediaAgreement:
        return MediaAgreement(
            remote_address=agreement.remote_address,
            remote_port=agreement.remote_port,
            signalling_address=self._signalling_address,
            codec=agreement.codec,
            payload_type=agreement.payload_type,
            event_payload_type=agreement.event_payload_type,
            ptime=agreement.ptime,
            send=agreement.send,
            receive=agreement.receive,
        )
