"""One call to one address: a media leg, an INVITE with our offer, and the answer to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mirliton.calls.call import AnsweredSession, Call
from mirliton.calls.dialling.finding import Contact, Trust
from mirliton.calls.dialling.ports import SipCalls
from mirliton.calls.dialling.ringing import Unreached
from mirliton.calls.dialling.statistics import DialStatistics
from mirliton.calls.dialling.ways import Way, Ways
from mirliton.calls.negotiation import Negotiation, NotAcceptable, Repertoire
from mirliton.calls.ports import SoundLibrary
from mirliton.calls.sound_queue import SoundStatistics
from mirliton.conference.ports import CallerInfo
from mirliton.media.types import Leg, MediaEngine, MediaFull
from mirliton.sip.types import SessionEnded, SessionRefused

_MAX_REASON = 160
_REASONS = {408: "no answer", 480: "not available", 486: "busy", 600: "busy", 603: "declined"}


@dataclass(frozen=True, slots=True)
class Placement:
    """`info`: who is called, with the call's id. `display` and `from_uri`: who calls. `headers`: of the INVITE."""

    info: CallerInfo
    display: str
    from_uri: str
    ring_seconds: float
    headers: Mapping[str, str] = field(default_factory=dict)


class Line:
    """Places calls."""

    def __init__(
        self,
        sip: SipCalls,
        engine: MediaEngine,
        sounds: SoundLibrary,
        statistics: DialStatistics,
        *,
        media_address: str,
        ways: Ways,
        settle_seconds: float,
        sound_statistics: SoundStatistics,
        repertoire: Repertoire | None = None,
        trunk_repertoire: Repertoire | None = None,
    ) -> None:
        """`media_address`: the IP address that those who are called shall send RTP to.

        `trunk_repertoire`: the codecs of the trunk and of linked rooms, as `repertoire` unless given.
        """
        self._sip, self._engine, self._sounds = sip, engine, sounds
        self._statistics = statistics
        self._media_address = media_address
        self._ways = ways
        self._settle_seconds = settle_seconds
        self._sound_statistics = sound_statistics
        self._repertoire = repertoire or Repertoire()
        self._trunk_repertoire = trunk_repertoire or self._repertoire

    async def place(self, contact: Contact, placement: Placement) -> Call:
        """Let it ring; the call once it is answered and media are agreed. Raises `Unreached`, with nothing left."""
        way = await self._ways.to(contact)
        try:
            leg = self._engine.open_leg(placement.info.call_id)
        except MediaFull as full:
            self._statistics.media_full += 1
            raise Unreached("the server has no room for another call: try again later") from full
        try:
            return await self._ring(contact, way, leg, placement)
        except BaseException:
            leg.close()
            raise

    async def _ring(self, contact: Contact, way: Way, leg: Leg, placement: Placement) -> Call:
        by_trunk = contact.bridge or contact.trust is Trust.TRUNK
        repertoire = self._trunk_repertoire if by_trunk else self._repertoire
        negotiation = Negotiation(self._media_address, leg.local_port, way.host, repertoire, encrypt=contact.srtp)
        session = await self._invite(contact, way, negotiation.offer(), placement)
        try:
            return Call.answered(
                session,
                leg,
                placement.info,
                negotiation,
                local_address=self._media_address,
                sounds=self._sounds,
                sound_statistics=self._sound_statistics,
                settle_seconds=self._settle_seconds,
            )
        except NotAcceptable as refusal:
            self._statistics.not_acceptable += 1
            await session.hang_up()
            raise Unreached("answered, but without media that both sides speak") from refusal

    async def _invite(self, contact: Contact, way: Way, sdp: bytes, placement: Placement) -> AnsweredSession:
        try:
            return await self._sip.invite(
                way.uri,
                sdp,
                from_uri=placement.from_uri,
                display=placement.display,
                headers=placement.headers,
                credentials=contact.credentials,
                timeout=placement.ring_seconds,
                call_id=placement.info.call_id,
                flow=way.flow,
            )
        except SessionRefused as refused:
            raise Unreached(_why(refused)) from refused
        except SessionEnded as ended:
            raise Unreached(f"ended: {ended.reason}"[:_MAX_REASON]) from ended
        except ValueError as unusable:
            raise Unreached(f"cannot be called: {unusable}"[:_MAX_REASON]) from unusable


def _why(refused: SessionRefused) -> str:
    return _REASONS.get(refused.code) or f"refused: {refused.code} {refused.reason}"[:_MAX_REASON].rstrip()
