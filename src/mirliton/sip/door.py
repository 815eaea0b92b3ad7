"""The door of an agent: which new requests from the network come in, for whom, and what the others are told."""

import asyncio
import secrets
from collections.abc import Coroutine
from typing import Any

import structlog
from sipmessage import Request, Response

from mirliton.sip.admission import TokenBucket
from mirliton.sip.authentication import Gatekeeper, Refusal
from mirliton.sip.call import SipSession
from mirliton.sip.dialog import Dialog
from mirliton.sip.grammar import Malformed
from mirliton.sip.incoming import IncomingUsage
from mirliton.sip.message import respond, to_tag
from mirliton.sip.peer import Peer
from mirliton.sip.registrar import Registrar
from mirliton.sip.session import capabilities
from mirliton.sip.session_timer import too_brief
from mirliton.sip.sessions import Sessions
from mirliton.sip.types import Bridge, Device, SessionHandler
from mirliton.sip.wire import Wire

log = structlog.get_logger(__name__)

_CREDENTIAL_SECONDS = 10.0
_MAX_CHECKS = 64  # look-ups of credentials at a time: more would only wait for each other


class Door:
    """New calls, REGISTER and OPTIONS from others."""

    def __init__(
        self, wire: Wire, sessions: Sessions, gate: Gatekeeper, registrar: Registrar, handler: SessionHandler
    ) -> None:
        self._wire = wire
        self._sessions = sessions
        self._gate = gate
        self._registrar = registrar
        self._handler = handler
        self._invites = TokenBucket(wire.settings.max_invites_per_second)
        self._checking: dict[Request, asyncio.Task[None]] = {}

    def no_room(self, request: Request, source: Peer, now: float) -> Response | None:
        """Refusals that must not cost memory."""
        new_call = request.method == "INVITE" and not to_tag(request)
        known = request.method == "CANCEL" or self._sessions.of(request) is not None
        if self._wire.transactions.full(for_known_calls=known):
            reason = "transactions"
        elif new_call and (self._calls >= self._wire.settings.max_calls or self._wire.stopping):
            reason = "calls"
        elif new_call and not self._invites.take(now):
            reason = "rate"
        elif not known and len(self._checking) >= _MAX_CHECKS and self._looks_up(request, source):
            reason = "checks"
        else:
            return None
        self._wire.count[f"rejected: too many {reason}"] += 1
        return respond(request, 503, local_tag=self._wire.stateless_tag(request), headers=self._wire.retry_after)

    @property
    def _calls(self) -> int:
        return len(self._sessions) + len(self._checking)

    def _looks_up(self, request: Request, source: Peer) -> bool:
        """Whether a request needs the credential source, which may be a database."""
        if request.method == "REGISTER":
            return True
        return request.method in ("INVITE", "OPTIONS") and not self._gate.lets_in(request, source.host)

    def new_call(self, invite: Request, source: Peer) -> None:
        """An INVITE outside of dialogs."""
        tag = self._wire.stateless_tag(invite)
        timer = self._wire.policy.timer
        if self._wire.transactions.merged_elsewhere(invite):
            self._wire.refuse(invite, respond(invite, 482, local_tag=tag))
        elif too_brief(invite, timer):
            minimum = {"Min-SE": str(timer.minimum)}
            self._wire.refuse(invite, respond(invite, 422, local_tag=tag, headers=minimum))
        elif self._gate.lets_in(invite, source.host):
            self._begin(invite, source, None)
        else:
            self._check(invite, self._authenticate_call(invite, source))

    def options(self, request: Request, source: Peer) -> None:
        """OPTIONS outside of dialogs."""
        if self._gate.lets_in(request, source.host):
            self._wire.reply(request, capabilities(request, self._wire.stateless_tag(request)))
        else:
            self._check(request, self._tell_capabilities(request, source))

    def register(self, request: Request, source: Peer) -> None:
        """A REGISTER."""
        self._check(request, self._register(request, source))

    def cancelled(self, invite: Request) -> bool:
        """Whether an INVITE that is cancelled was still being checked; it has its refusal then."""
        checking = self._checking.pop(invite, None)
        if checking is None:
            return False
        checking.cancel()
        self._wire.reply(invite, respond(invite, 487, local_tag=self._wire.stateless_tag(invite)))
        return True

    def _check(self, request: Request, work: Coroutine[Any, Any, None]) -> None:
        self._checking[request] = task = self._wire.spawn(work)
        task.add_done_callback(lambda _: self._checking.pop(request, None))

    async def _authenticate_call(self, invite: Request, source: Peer) -> None:
        allowed, who = await self._access(invite, source)
        self._checking.pop(invite, None)  # from here on it is a session: too late to be cancelled as a mere check
        if allowed:
            self._begin(invite, source, who)

    async def _access(self, request: Request, source: Peer) -> tuple[bool, Device | Bridge | None]:
        """Whether a request may go on, and for whom; a refusal has been sent."""
        wire, tag = self._wire, self._wire.stateless_tag(request)
        try:
            async with asyncio.timeout(_CREDENTIAL_SECONDS):
                who = await self._gate.check(request, source.host, wire.now(), tag, retry_after=wire.retry_after)
        except TimeoutError:
            wire.refuse(request, respond(request, 503, local_tag=tag, headers=wire.retry_after))
            return False, None
        except Exception:
            log.exception("credentials cannot be read")
            wire.refuse(request, respond(request, 500, local_tag=tag))
            return False, None
        if isinstance(who, Refusal):
            wire.count[f"rejected: {who.reason}"] += 1
            wire.reply(request, who.response)
            return False, None
        return True, who

    def _begin(self, invite: Request, source: Peer, who: Device | Bridge | None) -> None:
        wire = self._wire
        try:
            dialog = Dialog.from_invite(invite, secrets.token_hex(8), wire.addresses.contact(source), source)
        except Malformed as malformed:
            wire.refuse(invite, respond(invite, 400, malformed.reason, local_tag=wire.stateless_tag(invite)))
            return
        session = SipSession(self._sessions, IncomingUsage(invite, dialog, wire.policy, wire.now()), source, who)
        self._sessions.add(session)
        self._sessions.drive(session, [])
        wire.spawn(self._handle(session))

    async def _handle(self, session: SipSession) -> None:
        try:
            await self._handler(session)
        except Exception:
            log.exception("session handler failed", call_id=session.call_id)
            self._sessions.drive(session, session.usage.hang_up(self._wire.now(), reason="server error"))

    async def _tell_capabilities(self, request: Request, source: Peer) -> None:
        allowed, _ = await self._access(request, source)
        if allowed:
            self._wire.reply(request, capabilities(request, self._wire.stateless_tag(request)))

    async def _register(self, request: Request, source: Peer) -> None:
        allowed, who = await self._access(request, source)
        tag = self._wire.stateless_tag(request)
        if isinstance(who, Device):
            response = self._registrar.register(request, who, source, self._wire.now(), tag)
            self._wire.count[f"registrations: {response.code}"] += 1
            self._wire.reply(request, response)
        elif allowed:  # a bridge is no phone
            self._wire.refuse(request, respond(request, 403, local_tag=tag))
