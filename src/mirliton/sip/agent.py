"""`SipAgent`: wire, sessions, door, calling and registering put together (RFC 3261 sections 8 to 17).

The shell of the SIP stack: reads what comes, sends each request to its part, and hands sessions to the layers above.
What comes from the network never raises here: it is answered with a SIP error or dropped, and counted.
"""

from collections.abc import Callable, Mapping, Sequence

from sipmessage import Request, Response

from mirliton.settings import SipSettings
from mirliton.sip.admission import Attempts
from mirliton.sip.authentication import Gatekeeper
from mirliton.sip.call import SipSession
from mirliton.sip.calling import Calling
from mirliton.sip.digest import ALGORITHMS
from mirliton.sip.door import Door
from mirliton.sip.grammar import Malformed
from mirliton.sip.incoming import IncomingUsage
from mirliton.sip.message import content_type, read_message, respond, stamp_via, to_tag, tokens
from mirliton.sip.peer import Peer, TransportName
from mirliton.sip.registrar import Registrar
from mirliton.sip.registrations import Registration, Registrations
from mirliton.sip.session import ALLOW, METHODS, SUPPORTED
from mirliton.sip.sessions import Sessions
from mirliton.sip.transaction import InviteClient, InviteServer, PlainClient, PlainServer, Timing
from mirliton.sip.types import Admits, CredentialSource, SessionHandler
from mirliton.sip.wire import Wire


class SipAgent:
    """A SIP user agent, both called and calling. `clock` is in seconds; the event loop's unless given.

    `digest_algorithms` are offered to strangers in this order; phones that read only the first one want MD5 alone.
    `admits` says whether a stranger's call by a public link may come in; None: links open no door.
    """

    def __init__(
        self,
        settings: SipSettings,
        handler: SessionHandler,
        credentials: CredentialSource,
        *,
        clock: Callable[[], float] | None = None,
        timing: Timing | None = None,
        digest_algorithms: Sequence[str] = tuple(ALGORITHMS),
        admits: Admits | None = None,
    ) -> None:
        self._settings = settings
        self._wire = Wire(settings, self, clock=clock, timing=timing)
        self._count = self._wire.count
        self._transactions = self._wire.transactions
        self._sessions = Sessions(self._wire)
        self.registrar = Registrar(
            max_bindings=settings.max_registrations,
            max_per_account=settings.max_registrations_per_account,
            default_expires=settings.register_expires_seconds,
            min_expires=settings.min_register_expires_seconds,
        )
        gate = Gatekeeper(
            credentials,
            settings.trusted,
            settings.nonce_lifetime_seconds,
            digest_algorithms,
            admits=admits,
            attempts=Attempts(settings.link_attempts_per_minute),
        )
        self._door = Door(self._wire, self._sessions, gate, self.registrar, handler)
        self._calling = Calling(self._wire, self._sessions)
        self._registrations = Registrations(self._wire, settings.max_registrations)

    # -- life ----------------------------------------------------------------------------------------------------------

    @property
    def listening(self) -> tuple[str, int]:
        """The bound address; the port is real when 0 was asked for."""
        return self._wire.transports.listening

    @property
    def idle(self) -> bool:
        """Whether no call and no registration is left."""
        return not self._sessions and not self._registrations

    def now(self) -> float:
        """Seconds of the agent's clock."""
        return self._wire.now()

    async def start(self) -> None:
        """Open the sockets. Raises `OSError` or `ValueError` (settings)."""
        await self._wire.start()

    async def stop(self) -> None:
        """End every call and registration, and close; takes less than 3 s."""
        self._wire.stopping = True
        self._sessions.end_all()
        self._registrations.leave_all()
        await self._wire.stop()
        self._registrations.forget_all()

    def statistics(self) -> dict[str, int]:
        """Counters since the start, and what there is now."""
        present = {
            "sessions": len(self._sessions),
            "dialogs": self._sessions.dialogs,
            "transactions": len(self._transactions),
            "open_connections": self._wire.transports.connection_count,
            "registrations": len(self.registrar),
            "own_registrations": len(self._registrations),
        }
        return dict(self._count) | present

    # -- calling and registering ---------------------------------------------------------------------------------------

    async def invite(
        self,
        uri: str,
        sdp: bytes,
        *,
        from_uri: str | None = None,
        display: str = "",
        headers: Mapping[str, str] | None = None,
        credentials: tuple[str, str] | None = None,
        transport: TransportName = "udp",
        timeout: float = 60.0,  # noqa: ASYNC109 - ends the call by CANCEL, not only the waiting
        on_progress: Callable[[int], None] | None = None,
        call_id: str | None = None,
        flow: Peer | None = None,
    ) -> SipSession:
        """Call somebody; returns when they answered (`answer_sdp` has their SDP).

        `call_id` None: a new one. `flow`: send it there, whatever host the URI names; for a registered phone the flow
        of its binding, which leads through its NAT (the URI is then the binding's contact).

        Raises `SessionRefused` (final refusal, 408 for no answer, 480 when the connection of `flow` is gone, 503 when
        full), `SessionEnded`, `ValueError` for an unusable URI, header or Call-ID. Cancelling the coroutine sends
        CANCEL.
        """
        session = await self._calling.invite(
            uri,
            sdp,
            from_uri=from_uri,
            display=display,
            headers=headers or {},
            credentials=credentials,
            transport=transport,
            on_progress=on_progress,
            call_id=call_id,
            flow=flow,
        )
        await self._calling.answered(session, timeout)
        return session

    async def register(
        self,
        aor: str,
        *,
        registrar: str | None = None,
        credentials: tuple[str, str] | None = None,
        expires: int = 3600,
        transport: TransportName = "udp",
    ) -> Registration:
        """Register at the registrar of `aor` (`sip:user@domain`) and stay registered; returns when that succeeded.

        `registrar` is a SIP URI to send to when the domain does not lead there. The contact is the user's name at our
        own address. Raises `SessionRefused` (final refusal, 408 for no answer, 503 when full) and `ValueError`.
        """
        return await self._registrations.register(aor, registrar, credentials, expires, transport)

    # -- from the network ----------------------------------------------------------------------------------------------

    def received(self, data: bytes, source: Peer) -> None:
        """A message came; called by the wire."""
        try:
            message = read_message(data, self._settings.max_message_bytes)
        except Malformed as malformed:
            self._wire.transports.garbage(malformed.reason)
            if source.transport == "tcp":
                self._wire.transports.close(source)
            return
        if isinstance(message, Response):
            self._count[f"received {message.code // 100}xx"] += 1
            if not self._transactions.receive(message, self.now()):
                self._count["stray responses"] += 1
        else:
            self._count[f"received {message.method if message.method in METHODS else 'other methods'}"] += 1
            stamp_via(message, source.host, source.port)
            self._request(message, source)
        self._wire.arm()

    def _request(self, request: Request, source: Peer) -> None:
        now = self.now()
        if self._transactions.absorb(request, now):
            return
        if request.method == "ACK":
            self._in_dialog(request, now)
        elif (refusal := self._door.no_room(request, source, now)) is not None:
            self._transactions.respond_stateless(request, refusal, source)
        else:
            self._transactions.open(request, source, now)
            self._route(request, source, now)

    def _route(self, request: Request, source: Peer, now: float) -> None:
        refusal = self._unsupported(request)
        if refusal is not None:
            self._wire.refuse(request, refusal)
        elif request.method == "CANCEL":
            self._cancel(request, now)
        elif to_tag(request):
            self._in_dialog(request, now)
        elif request.method == "INVITE":
            self._door.new_call(request, source)
        elif request.method == "OPTIONS":
            self._door.options(request, source)
        elif request.method == "REGISTER":
            self._door.register(request, source)
        else:
            self._wire.refuse(request, respond(request, 481, local_tag=self._wire.stateless_tag(request)))

    def _unsupported(self, request: Request) -> Response | None:
        tag = self._wire.stateless_tag(request)
        if request.method not in METHODS:
            return respond(request, 405, local_tag=tag, headers={"Allow": ALLOW})
        if request.uri.scheme not in ("sip", "sips", "tel"):
            return respond(request, 416, local_tag=tag)
        unknown = tokens(request, "Require") - {SUPPORTED}
        if unknown and request.method != "CANCEL":
            return respond(request, 420, local_tag=tag, headers={"Unsupported": ", ".join(sorted(unknown))})
        if request.body and request.method in ("INVITE", "UPDATE") and content_type(request) != "application/sdp":
            return respond(request, 415, local_tag=tag, headers={"Accept": "application/sdp"})
        return None

    def _in_dialog(self, request: Request, now: float) -> None:
        session = self._sessions.of(request)
        if session is not None:
            self._sessions.drive(session, session.usage.receive(request, now))
        elif request.method == "ACK":
            self._count["stray ACKs"] += 1
        else:
            self._wire.refuse(request, respond(request, 481))

    def _cancel(self, request: Request, now: float) -> None:
        invite = self._transactions.invite_of(request)
        if invite is None:
            self._wire.refuse(request, respond(request, 481, local_tag=self._wire.stateless_tag(request)))
            return
        self._wire.reply(request, respond(request, 200, local_tag=self._wire.stateless_tag(invite)))
        session = self._sessions.of_invite(invite)
        if not self._door.cancelled(invite) and session is not None and isinstance(session.usage, IncomingUsage):
            self._sessions.drive(session, session.usage.cancel())

    def disconnected(self, peer: Peer) -> None:
        """A TCP connection was closed; called by the wire."""
        if not self._wire.stopping:
            self._registrations.disconnected(peer)

    def woken(self) -> None:
        """The earliest deadline has come; called by the wire."""
        now = self.now()
        for machine in self._wire.deadlines.due(now):
            if isinstance(machine, InviteServer | PlainServer | InviteClient | PlainClient):
                self._transactions.timer(machine, now)
            else:
                self._sessions.timer(machine, now)
                self._registrations.timer(machine, now)
        self._wire.arm()
