"""The calling side of an agent: INVITEs of our own."""

import asyncio
from collections.abc import Callable, Mapping

from mirliton.sip.addresses import resolve, transport_of
from mirliton.sip.call import SipSession
from mirliton.sip.grammar import WireURI
from mirliton.sip.outgoing import OutgoingUsage, callable_uri, new_invite
from mirliton.sip.peer import Peer, TransportName
from mirliton.sip.sessions import Sessions
from mirliton.sip.types import SessionRefused
from mirliton.sip.wire import Wire


class Calling:
    """Makes calls; see `SipAgent.invite`."""

    def __init__(self, wire: Wire, sessions: Sessions) -> None:
        self._wire = wire
        self._sessions = sessions

    async def invite(
        self,
        uri: str,
        sdp: bytes,
        *,
        from_uri: str | None,
        display: str,
        headers: Mapping[str, str],
        credentials: tuple[str, str] | None,
        transport: TransportName,
        on_progress: Callable[[int], None] | None,
        call_id: str | None,
        flow: Peer | None,
    ) -> SipSession:
        """Begin a call; it is answered when `connected` is done."""
        target = callable_uri(uri)
        peer = await self._peer(target, transport, flow)
        caller = from_uri or f"sip:mirliton@{self._wire.addresses.host(peer)}"
        invite = new_invite(target, sdp, caller, display, headers, call_id)
        if call_id is not None and self._sessions.has_call_id(call_id):
            raise ValueError(f"{call_id!r}: another call has this Call-ID")
        if self._full:
            raise SessionRefused(503, "too many calls")
        usage = OutgoingUsage(invite, self._wire.addresses.contact(peer), peer, self._wire.policy)
        session = SipSession(self._sessions, usage, peer, credentials=credentials, by_flow=flow is not None)
        session.on_progress = on_progress
        self._sessions.add(session)
        self._sessions.drive(session, usage.start(self._wire.now()))
        return session

    @property
    def _full(self) -> bool:
        wire = self._wire
        return len(self._sessions) >= wire.settings.max_calls or wire.transactions.full() or wire.stopping

    async def _peer(self, target: WireURI, transport: TransportName, flow: Peer | None) -> Peer:
        if flow is not None:
            if not self._wire.transports.is_open(flow):
                raise SessionRefused(480, "the phone's connection is gone")
            return flow
        peer = await resolve(transport_of(target, transport), target)
        if peer is None:
            raise SessionRefused(503, f"{target.host}: no such host")
        return peer

    async def answered(self, session: SipSession, seconds: float) -> None:
        """Wait for the answer. Raises `SessionRefused` or `SessionEnded`; sends CANCEL when nobody waits any more."""
        try:
            async with asyncio.timeout(seconds):
                await session.connected
        except TimeoutError:
            self._give_up(session, "nobody answered")
            raise SessionRefused(408, "nobody answered") from None
        except asyncio.CancelledError:
            self._give_up(session, "hung up here")
            raise

    def _give_up(self, session: SipSession, reason: str) -> None:
        self._sessions.drive(session, session.usage.hang_up(self._wire.now(), reason=reason))
