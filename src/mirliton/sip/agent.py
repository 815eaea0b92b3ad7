"""`SipAgent`: sockets, transactions, dialogs and limits put together (RFC 3261 sections 8 to 17).

The shell of the SIP stack: reads the clock, arms one timer for all machines, and hands sessions to the layers above.
What comes from the network never raises here: it is answered with a SIP error or dropped, and counted.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Any

import structlog
from sipmessage import Request, Response

from mirliton.settings import SipSettings, split_address
from mirliton.sip.addresses import OurAddresses, literal, resolve, transport_of
from mirliton.sip.admission import TokenBucket
from mirliton.sip.alarm import Alarm
from mirliton.sip.authentication import Gatekeeper, Refusal
from mirliton.sip.call import SipSession
from mirliton.sip.deadlines import Deadlines
from mirliton.sip.dialog import Dialog, DialogId, next_hop
from mirliton.sip.digest import ALGORITHMS
from mirliton.sip.grammar import Malformed, WireURI
from mirliton.sip.incoming import IncomingUsage
from mirliton.sip.message import (
    branch,
    call_id,
    content_type,
    from_tag,
    prepend_via,
    read_message,
    respond,
    stamp_via,
    to_tag,
    to_wire,
    tokens,
)
from mirliton.sip.outgoing import OutgoingUsage, callable_uri, new_invite
from mirliton.sip.outputs import Acknowledge, Answered, Ask, Cancel, Connected, Finished, Offered, Output, Reply
from mirliton.sip.peer import Peer, TransportName
from mirliton.sip.registrar import Registrar
from mirliton.sip.session import ALLOW, METHODS, SUPPORTED, InviteUsage, Policy, capabilities
from mirliton.sip.session_timer import TimerPolicy, too_brief
from mirliton.sip.transaction import (
    InviteClient,
    InviteServer,
    PlainClient,
    PlainServer,
    Timing,
    cancel_of,
)
from mirliton.sip.transactions import Transactions
from mirliton.sip.transport import Transports
from mirliton.sip.types import CredentialSource, Device, SessionHandler, SessionRefused

log = structlog.get_logger(__name__)

_STOP_SECONDS = 2.5
_CREDENTIAL_SECONDS = 10.0
_MAX_CHECKS = 64  # look-ups of credentials at a time: more would only wait for each other


class SipAgent:
    """A SIP user agent, both called and calling. `clock` is in seconds; the event loop's unless given.

    `digest_algorithms` are offered to strangers in this order; phones that read only the first one want MD5 alone.
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
    ) -> None:
        self._settings = settings
        self._handler = handler
        self._clock = clock
        self._count: Counter[str] = Counter()
        self._deadlines = Deadlines()
        self._policy = Policy(
            timing=timing or Timing(),
            timer=TimerPolicy(settings.session_expires_seconds, settings.min_session_expires_seconds),
        )
        self._transports = Transports(
            self._received,
            self._unreachable,
            self._count,
            max_connections=settings.max_connections,
            max_message_bytes=settings.max_message_bytes,
        )
        self._transactions = Transactions(
            self._policy.timing, settings.max_transactions, self._transports.send, self._deadlines, self._count
        )
        self._addresses = OurAddresses(self._transports, settings.public_address)
        self._gate = Gatekeeper(credentials, settings.trusted, settings.nonce_lifetime_seconds, digest_algorithms)
        self.registrar = Registrar(
            max_bindings=settings.max_registrations,
            default_expires=settings.register_expires_seconds,
            min_expires=settings.min_register_expires_seconds,
        )
        self._invites = TokenBucket(settings.max_invites_per_second)
        self._dialogs: dict[DialogId, SipSession] = {}
        self._sessions: dict[InviteUsage, SipSession] = {}
        self._by_invite: dict[Request, SipSession] = {}
        self._checking: dict[Request, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._alarm = Alarm(self.now, self._woken)
        self._tag_secret = secrets.token_bytes(16)
        self._stopping = False
        self._quiet = asyncio.Event()

    # -- life ----------------------------------------------------------------------------------------------------------

    @property
    def listening(self) -> tuple[str, int]:
        """The bound address; the port is real when 0 was asked for."""
        return self._transports.listening

    def now(self) -> float:
        """Seconds of the agent's clock."""
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()

    async def start(self) -> None:
        """Open the sockets. Raises `OSError` or `ValueError` (settings)."""
        await self._transports.start(*split_address(self._settings.listen))

    async def stop(self) -> None:
        """End every call and close; takes less than 3 s."""
        self._stopping = True
        for session in list(self._sessions.values()):
            self.drive(session, session.usage.hang_up(self.now(), at_once=True, reason="server stops"))
        self._arm()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await self._quiet.wait()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=0.4)
        self._alarm.stop()
        await self._transports.stop()

    def statistics(self) -> dict[str, int]:
        """Counters since the start, and what there is now."""
        present = {
            "sessions": len(self._sessions),
            "dialogs": len(self._dialogs),
            "transactions": len(self._transactions),
            "open_connections": self._transports.connection_count,
            "registrations": len(self.registrar),
        }
        return dict(self._count) | present

    # -- calling -------------------------------------------------------------------------------------------------------

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
        target = callable_uri(uri)
        peer = flow or await resolve(transport_of(target, transport), target)
        if peer is None:
            raise SessionRefused(503, f"{target.host}: no such host")
        if flow is not None and not self._transports.is_open(flow):
            raise SessionRefused(480, "the phone's connection is gone")
        caller = from_uri or f"sip:mirliton@{self._addresses.host(peer)}"
        invite = new_invite(target, sdp, caller, display, headers or {}, call_id)
        if call_id is not None and any(session.call_id == call_id for session in self._sessions.values()):
            raise ValueError(f"{call_id!r}: another call has this Call-ID")
        if len(self._sessions) >= self._settings.max_calls or self._transactions.full() or self._stopping:
            raise SessionRefused(503, "too many calls")
        usage = OutgoingUsage(invite, self._addresses.contact(peer), peer, self._policy)
        session = SipSession(self, usage, peer, credentials=credentials, by_flow=flow is not None)
        session.on_progress = on_progress
        self._sessions[usage] = session
        self.drive(session, usage.start(self.now()))
        try:
            async with asyncio.timeout(timeout):
                await session.connected
        except TimeoutError:
            self.drive(session, usage.hang_up(self.now(), reason="nobody answered"))
            raise SessionRefused(408, "nobody answered") from None
        except asyncio.CancelledError:
            self.drive(session, usage.hang_up(self.now()))
            raise
        return session

    # -- from the network ----------------------------------------------------------------------------------------------

    def _received(self, data: bytes, source: Peer) -> None:
        try:
            message = read_message(data, self._settings.max_message_bytes)
        except Malformed as malformed:
            self._transports.garbage(malformed.reason)
            if source.transport == "tcp":
                self._transports.close(source)
            return
        if isinstance(message, Response):
            self._count[f"received {message.code // 100}xx"] += 1
            if not self._transactions.receive(message, self.now()):
                self._count["stray responses"] += 1
        else:
            self._count[f"received {message.method if message.method in METHODS else 'other methods'}"] += 1
            stamp_via(message, source.host, source.port)
            self._request(message, source)
        self._arm()

    def _request(self, request: Request, source: Peer) -> None:
        now = self.now()
        if self._transactions.absorb(request, now):
            return
        if request.method == "ACK":
            self._in_dialog(request, now)
        elif (refusal := self._no_room(request, source, now)) is not None:
            self._transactions.respond_stateless(request, refusal, source)
        else:
            self._transactions.open(request, source, now)
            self._route(request, source, now)

    def _no_room(self, request: Request, source: Peer, now: float) -> Response | None:
        """Refusals that must not cost memory."""
        new_call = request.method == "INVITE" and not to_tag(request)
        known = request.method == "CANCEL" or self._session_of(request) is not None
        if self._transactions.full(for_known_calls=known):
            reason = "transactions"
        elif new_call and (len(self._sessions) + len(self._checking) >= self._settings.max_calls or self._stopping):
            reason = "calls"
        elif new_call and not self._invites.take(now):
            reason = "rate"
        elif not known and len(self._checking) >= _MAX_CHECKS and self._looks_up(request, source):
            reason = "checks"
        else:
            return None
        self._count[f"rejected: too many {reason}"] += 1
        headers = {"Retry-After": str(self._settings.retry_after_seconds)}
        return respond(request, 503, local_tag=self._stateless_tag(request), headers=headers)

    def _looks_up(self, request: Request, source: Peer) -> bool:
        """Whether a request needs the credential source, which may be a database."""
        if request.method == "REGISTER":
            return True
        return request.method in ("INVITE", "OPTIONS") and not self._gate.lets_in(request, source.host)

    def _stateless_tag(self, request: Request) -> str:
        # The same request must get the same tag again, without our remembering it (section 8.2.7).
        return hmac.new(self._tag_secret, branch(request).encode(), hashlib.sha256).hexdigest()[:16]

    def _route(self, request: Request, source: Peer, now: float) -> None:
        refusal = self._unsupported(request)
        if refusal is not None:
            self._refuse(request, refusal)
        elif request.method == "CANCEL":
            self._cancel(request, now)
        elif to_tag(request):
            self._in_dialog(request, now)
        elif request.method == "INVITE":
            self._new_call(request, source, now)
        elif request.method == "OPTIONS" and self._gate.lets_in(request, source.host):
            self._reply(request, capabilities(request, self._stateless_tag(request)))
        elif request.method == "OPTIONS":
            self._check(request, self._tell_capabilities(request, trusted=self._gate.trusts(source.host)))
        elif request.method == "REGISTER":
            self._check(request, self._register(request, source))
        else:
            self._refuse(request, respond(request, 481, local_tag=self._stateless_tag(request)))

    def _unsupported(self, request: Request) -> Response | None:
        tag = self._stateless_tag(request)
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

    def _session_of(self, request: Request) -> SipSession | None:
        return self._dialogs.get((call_id(request), to_tag(request), from_tag(request)))

    def _in_dialog(self, request: Request, now: float) -> None:
        session = self._session_of(request)
        if session is not None:
            self.drive(session, session.usage.receive(request, now))
        elif request.method == "ACK":
            self._count["stray ACKs"] += 1
        else:
            self._refuse(request, respond(request, 481))

    def _cancel(self, request: Request, now: float) -> None:
        invite = self._transactions.invite_of(request)
        if invite is None:
            self._refuse(request, respond(request, 481, local_tag=self._stateless_tag(request)))
            return
        self._reply(request, respond(request, 200, local_tag=self._stateless_tag(invite)))
        session, checking = self._by_invite.get(invite), self._checking.pop(invite, None)
        if checking is not None:
            checking.cancel()
            self._reply(invite, respond(invite, 487, local_tag=self._stateless_tag(invite)))
        elif session is not None and isinstance(session.usage, IncomingUsage):
            self.drive(session, session.usage.cancel())

    def _reply(self, request: Request, response: Response) -> None:
        self._transactions.respond(request, response, self.now())
        self._arm()

    def _refuse(self, request: Request, response: Response) -> None:
        self._count[f"rejected: {response.code}"] += 1
        self._reply(request, response)

    # -- new calls -----------------------------------------------------------------------------------------------------

    def _new_call(self, invite: Request, source: Peer, now: float) -> None:
        tag = self._stateless_tag(invite)
        if self._transactions.merged_elsewhere(invite):
            self._refuse(invite, respond(invite, 482, local_tag=tag))
        elif too_brief(invite, self._policy.timer):
            minimum = {"Min-SE": str(self._policy.timer.minimum)}
            self._refuse(invite, respond(invite, 422, local_tag=tag, headers=minimum))
        elif self._gate.lets_in(invite, source.host):
            self._begin(invite, source, None)
        else:
            self._check(invite, self._authenticate_call(invite, source))

    def _check(self, request: Request, work: Coroutine[Any, Any, None]) -> None:
        self._checking[request] = task = self._spawn(work)
        task.add_done_callback(lambda _: self._checking.pop(request, None))

    async def _authenticate_call(self, invite: Request, source: Peer) -> None:
        allowed, device = await self._access(invite, trusted=self._gate.trusts(source.host))
        self._checking.pop(invite, None)  # from here on it is a session: too late to be cancelled as a mere check
        if allowed:
            self._begin(invite, source, device)

    async def _access(self, request: Request, *, trusted: bool) -> tuple[bool, Device | None]:
        """Whether a request may go on, and for which device; a refusal has been sent."""
        tag = self._stateless_tag(request)
        try:
            async with asyncio.timeout(_CREDENTIAL_SECONDS):
                who = await self._gate.check(request, self.now(), tag, trusted=trusted)
        except TimeoutError:
            headers = {"Retry-After": str(self._settings.retry_after_seconds)}
            self._refuse(request, respond(request, 503, local_tag=tag, headers=headers))
            return False, None
        except Exception:
            log.exception("credentials cannot be read")
            self._refuse(request, respond(request, 500, local_tag=tag))
            return False, None
        if isinstance(who, Refusal):
            self._count[f"rejected: {who.reason}"] += 1
            self._reply(request, who.response)
            return False, None
        return True, who

    def _begin(self, invite: Request, source: Peer, device: Device | None) -> None:
        try:
            dialog = Dialog.from_invite(invite, secrets.token_hex(8), self._addresses.contact(source), source)
        except Malformed as malformed:
            self._refuse(invite, respond(invite, 400, malformed.reason, local_tag=self._stateless_tag(invite)))
            return
        usage = IncomingUsage(invite, dialog, self._policy, self.now())
        session = SipSession(self, usage, source, device)
        self._sessions[usage] = self._dialogs[dialog.id] = self._by_invite[invite] = session
        self.drive(session, [])
        self._spawn(self._handle(session))

    async def _handle(self, session: SipSession) -> None:
        try:
            await self._handler(session)
        except Exception:
            log.exception("session handler failed", call_id=session.call_id)
            self.drive(session, session.usage.hang_up(self.now(), reason="server error"))

    async def _tell_capabilities(self, request: Request, *, trusted: bool) -> None:
        allowed, _ = await self._access(request, trusted=trusted)
        if allowed:
            self._reply(request, capabilities(request, self._stateless_tag(request)))

    async def _register(self, request: Request, source: Peer) -> None:
        _, device = await self._access(request, trusted=False)
        if device is not None:
            response = self.registrar.register(request, device, source, self.now(), self._stateless_tag(request))
            self._count[f"registrations: {response.code}"] += 1
            self._reply(request, response)

    # -- what usages want ----------------------------------------------------------------------------------------------

    def drive(self, session: SipSession, outputs: list[Output]) -> None:
        """Carry out what a usage wants, in order."""
        for output in outputs:
            self._carry_out(session, output)
        self._deadlines.watch(session.usage)
        self._arm()

    def _carry_out(self, session: SipSession, output: Output) -> None:
        usage = session.usage
        match output:
            case Reply(request, response):
                self._transactions.respond(request, response, self.now())
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
            self._spawn(self._send_resolved(session, request, transport, hop))

    def _answers_by_its_flow(self, session: SipSession, hop: WireURI) -> bool:
        """A phone behind a NAT is reached by the way it came, not by the private Contact that it gave."""
        flow = session.usage.dialog.flow
        if flow.transport == "tcp" or session.by_flow:
            return self._transports.is_open(flow)
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
            prepend_via(request, self._addresses.via(peer))
        else:
            self._count["retransmissions"] += 1
        self._count["sent ACK"] += 1
        self._transports.send(to_wire(request), peer)

    def _ask(self, session: SipSession, request: Request, peer: Peer, *, report: bool = True) -> None:
        if request.method != "CANCEL":
            prepend_via(request, self._addresses.via(peer))

        def on_response(response: Response) -> None:
            if report:
                outputs = session.usage.receive_response(request, response, self.now(), session.authorize)
                self.drive(session, outputs)

        def on_failure() -> None:
            if report:
                self.drive(session, session.usage.request_failed(request, self.now()))

        self._transactions.ask(request, peer, on_response, on_failure, self.now())

    # -- tasks ---------------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        if self._stopping and not self._sessions and not self._transactions.waiting:
            self._quiet.set()
        self._alarm.set(self._deadlines.next)

    def _woken(self) -> None:
        now = self.now()
        for machine in self._deadlines.due(now):
            if isinstance(machine, InviteUsage):
                session = self._sessions.get(machine)
                if session is not None:
                    self.drive(session, machine.timer(now))
            elif isinstance(machine, InviteServer | PlainServer | InviteClient | PlainClient):
                self._transactions.timer(machine, now)
        self._arm()

    def _unreachable(self, peer: Peer) -> None:
        self._transactions.unreachable(peer)
        self._arm()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
