"""The sessions of an agent: finds the one for a message, and carries out what their usages want."""

from ipaddress import IPv4Address

from sipmessage import Request, Response

from mirliton.sip.addresses import literal, resolve, transport_of
from mirliton.sip.call import SipSession
from mirliton.sip.deadlines import Timed
from mirliton.sip.dialog import DialogId, next_hop
from mirliton.sip.grammar import WireURI
from mirliton.sip.incoming import IncomingUsage
from mirliton.sip.message import call_id, from_tag, prepend_via, to_tag, to_wire
from mirliton.sip.outputs import Acknowledge, Answered, Ask, Cancel, Connected, Finished, Offered, Output, Reply
from mirliton.sip.peer import Peer, TransportName
from mirliton.sip.session import InviteUsage
from mirliton.sip.transaction import cancel_of
from mirliton.sip.wire import Wire


class Sessions:
    """All sessions, both directions (`sip.call.Driver`)."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._sessions: dict[InviteUsage, SipSession] = {}
        self._dialogs: dict[DialogId, SipSession] = {}
        self._by_invite: dict[Request, SipSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def dialogs(self) -> int:
        """How many have a dialog."""
        return len(self._dialogs)

    def now(self) -> float:
        """The agent's clock."""
        return self._wire.now()

    def add(self, session: SipSession) -> None:
        """A new one; `drive` it next."""
        self._sessions[session.usage] = session
        if isinstance(session.usage, IncomingUsage):
            self._dialogs[session.usage.dialog.id] = self._by_invite[session.usage.invite] = session

    def has_call_id(self, text: str) -> bool:
        """Whether a session that lives has this Call-ID."""
        return any(session.call_id == text for session in self._sessions.values())

    def of(self, request: Request) -> SipSession | None:
        """Whose dialog a request belongs to."""
        return self._dialogs.get((call_id(request), to_tag(request), from_tag(request)))

    def of_invite(self, invite: Request) -> SipSession | None:
        """The session that this INVITE of somebody else began."""
        return self._by_invite.get(invite)

    def end_all(self) -> None:
        """Hang up every call at once."""
        for session in list(self._sessions.values()):
            self.drive(session, session.usage.hang_up(self.now(), at_once=True, reason="server stops"))

    def timer(self, machine: Timed, now: float) -> None:
        """A usage came due."""
        session = self._sessions.get(machine) if isinstance(machine, InviteUsage) else None
        if session is not None:
            self.drive(session, session.usage.timer(now))

    def drive(self, session: SipSession, outputs: list[Output]) -> None:
        """Carry out what a usage wants, in order."""
        for output in outputs:
            self._carry_out(session, output)
        self._wire.deadlines.watch(session.usage)
        self._wire.arm()

    def _carry_out(self, session: SipSession, output: Output) -> None:
        usage = session.usage
        match output:
            case Reply(request, response):
                self._wire.transactions.respond(request, response, self.now())
            case Ask(request) | Acknowledge(request):
                self._send_request(session, request)
            case Cancel(invite):
                self._ask(session, cancel_of(invite), session.peer, report=False)
            case Connected():
                self._dialogs[usage.dialog.id] = session
                if not session.connected.done():
                    session.connected.set_result(None)
            case Offered(request, _):
                sdp = session.media_offered(output)
                self.drive(session, usage.answer_offer(request, sdp, self.now()))
            case Answered():
                if not session.media_answered(output):
                    self.drive(session, usage.hang_up(self.now(), reason="media cannot be agreed"))
            case Finished():
                self._forget(session)
            case _:
                session.report(output)

    def _forget(self, session: SipSession) -> None:
        usage = session.usage
        self._sessions.pop(usage, None)
        if isinstance(usage, IncomingUsage):
            self._by_invite.pop(usage.invite, None)
        if usage.has_dialog:
            self._dialogs.pop(usage.dialog.id, None)

    def _send_request(self, session: SipSession, request: Request) -> None:
        usage = session.usage
        if not usage.has_dialog:
            self._send_to(session, request, session.peer)
            return
        hop = next_hop(request)
        transport = transport_of(hop, "udp")
        if not usage.dialog.routes and self._answers_by_its_flow(session, hop):
            self._send_to(session, request, usage.dialog.flow)
        elif (host := literal(hop.host)) is not None:
            self._send_to(session, request, Peer(transport, host, hop.port or 5060))
        else:
            self._wire.spawn(self._send_resolved(session, request, transport, hop))

    def _answers_by_its_flow(self, session: SipSession, hop: WireURI) -> bool:
        """A phone behind a NAT is reached by the way it came, not by the private Contact that it gave."""
        flow = session.usage.dialog.flow
        if flow.transport == "tcp" or session.by_flow:
            return self._wire.transports.is_open(flow)
        host = literal(hop.host)
        return host is not None and host != flow.host and IPv4Address(host).is_private

    async def _send_resolved(
        self, session: SipSession, request: Request, transport: TransportName, hop: WireURI
    ) -> None:
        peer = await resolve(transport, hop)
        if peer is not None:
            self._send_to(session, request, peer)
        elif request.method != "ACK":
            self.drive(session, session.usage.request_failed(request, self.now()))

    def _send_to(self, session: SipSession, request: Request, peer: Peer) -> None:
        if request.method != "ACK":
            self._ask(session, request, peer)
            return
        if request.headers.get("Via") is None:
            prepend_via(request, self._wire.addresses.via(peer))
        else:
            self._wire.count["retransmissions"] += 1
        self._wire.count["sent ACK"] += 1
        self._wire.transports.send(to_wire(request), peer)

    def _ask(self, session: SipSession, request: Request, peer: Peer, *, report: bool = True) -> None:
        def on_response(response: Response) -> None:
            if report:
                outputs = session.usage.receive_response(request, response, self.now(), session.authorize)
                self.drive(session, outputs)

        def on_failure() -> None:
            if report:
                self.drive(session, session.usage.request_failed(request, self.now()))

        self._wire.ask(request, peer, on_response, on_failure)
