"""`SipSession`: one session as the layers above hold it (`sip.types.Session`), over its pure usage."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog
from sipmessage import Request, Response

from mirliton.sip.digest import put_answer
from mirliton.sip.incoming import IncomingUsage
from mirliton.sip.links import read_link
from mirliton.sip.message import call_id, from_address, to_address
from mirliton.sip.outgoing import OutgoingUsage
from mirliton.sip.outputs import Answered, Digit, Ended, Offered, Output, Progress, Refused, Reinvited
from mirliton.sip.peer import Peer
from mirliton.sip.types import Bridge, Device, Link, SessionEnded, SessionRefused

log = structlog.get_logger(__name__)


class Driver(Protocol):
    """What a session needs of its agent."""

    def now(self) -> float:
        """The agent's clock."""

    def drive(self, session: "SipSession", outputs: list[Output]) -> None:
        """Carry out what a usage wants."""


class SipSession:
    """See `sip.types.Session`. `peer` is where the signalling comes from (inbound) or goes to.

    `by_flow`: only `peer` leads to the other side, its Contact does not.
    """

    def __init__(
        self,
        driver: Driver,
        usage: IncomingUsage | OutgoingUsage,
        peer: Peer,
        who: Device | Bridge | None = None,
        credentials: tuple[str, str] | None = None,
        *,
        by_flow: bool = False,
    ) -> None:
        invite = usage.invite
        caller = from_address(invite)
        self.usage = usage
        self.peer = peer
        self.by_flow = by_flow
        self.call_id = call_id(invite)
        self.inbound = isinstance(usage, IncomingUsage)
        self.request_user = invite.uri.user or ""
        self.request_host = invite.uri.host
        self.from_number = caller.uri.user or ""
        self.from_name = caller.name
        self.to_number = to_address(invite).uri.user or ""
        self.remote_address = peer.address
        self.device = who if isinstance(who, Device) else None
        self.bridge = who if isinstance(who, Bridge) else None
        self.link: Link | None = read_link(invite) if self.inbound else None
        self.headers: Mapping[str, str] = _first_values(invite)
        self.offer = invite.body or None
        self.on_media_change: Callable[[bytes | None], bytes | None] | None = None
        self.on_media_answer: Callable[[bytes], bool] | None = None
        self.on_digit: Callable[[str], None] | None = None
        self.on_progress: Callable[[int], None] | None = None
        self._on_ended: Callable[[str], None] | None = None
        self._ended: str | None = None
        self._reported = False
        self._driver = driver
        self._credentials = credentials
        self._reinviting: asyncio.Future[bytes] | None = None
        self.connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def answer_sdp(self) -> bytes | None:
        """The SDP of the 200 that answered our INVITE; None for an inbound session."""
        return self.usage.answer_sdp if isinstance(self.usage, OutgoingUsage) else None

    @property
    def ended(self) -> str | None:
        """Why it ended; None while it lives."""
        return self._ended

    @property
    def on_ended(self) -> Callable[[str], None] | None:
        """Called exactly once, also when it is set after the end."""
        return self._on_ended

    @on_ended.setter
    def on_ended(self, callback: Callable[[str], None] | None) -> None:
        self._on_ended = callback
        if self._ended is not None and not self._reported and callback is not None:
            asyncio.get_running_loop().call_soon(self._report_end)

    # -- what the layers above ask -------------------------------------------------------------------------------------

    async def ring(self) -> None:
        """Send 180."""
        self._driver.drive(self, self._incoming().ring())

    async def answer(self, sdp: bytes) -> None:
        """Send the 200. Raises `SessionEnded`."""
        if self._ended is not None:
            raise SessionEnded(self._ended)
        self._driver.drive(self, self._incoming().answer(sdp, self._driver.now()))

    def reject(self, code: int, reason: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        """Refuse; harmless afterwards. Raises `ValueError` for a code below 300 or unsafe header text."""
        self._driver.drive(self, self._incoming().reject(code, reason, headers))

    async def reinvite(self, sdp: bytes) -> bytes:
        """Offer new media; returns the answer. Raises `SessionEnded` or `SessionRefused`."""
        if self._ended is not None:
            raise SessionEnded(self._ended)
        if self._reinviting is not None:
            raise SessionRefused(491, "Request Pending")
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._reinviting = future
        self._driver.drive(self, self.usage.reinvite(sdp, self._driver.now()))
        try:
            return await future
        finally:
            self._reinviting = None

    async def hang_up(self) -> None:
        """BYE, CANCEL or a refusal, as the state demands. Never raises."""
        self._driver.drive(self, self.usage.hang_up(self._driver.now()))

    def _incoming(self) -> IncomingUsage:
        if not isinstance(self.usage, IncomingUsage):
            raise TypeError("an outgoing session has nothing to answer")
        return self.usage

    # -- what the agent tells ------------------------------------------------------------------------------------------

    def authorize(self, request: Request, response: Response) -> bool:
        """Put the answer to a 401 or 407 on a request; False without a password."""
        return self._credentials is not None and put_answer(request, response, self._credentials)

    def report(self, output: Output) -> None:
        """An output that is news for the layers above. A callback that raises is our own bug: logged, call goes on."""
        try:
            self._report(output)
        except Exception:
            log.exception("session callback failed", call_id=self.call_id)

    def _report(self, output: Output) -> None:
        match output:
            case Progress(code) if self.on_progress is not None:
                self.on_progress(code)
            case Digit(digit) if self.on_digit is not None and self._ended is None:
                self.on_digit(digit)
            case Reinvited(sdp) if self._reinviting is not None and not self._reinviting.done():
                self._reinviting.set_result(sdp)
            case Refused(code, reason):
                self._refused(SessionRefused(code, reason))
            case Ended(reason):
                self._end(reason)

    def _refused(self, error: SessionRefused) -> None:
        for future in (self._reinviting, None if self.inbound else self.connected):
            if future is not None and not future.done():
                future.set_exception(error)

    def _end(self, reason: str) -> None:
        self._ended = reason
        for future in (self._reinviting, None if self.inbound else self.connected):
            if future is not None and not future.done():
                future.set_exception(SessionEnded(reason))
        self._report_end()

    def _report_end(self) -> None:
        if self._on_ended is not None and self._ended is not None and not self._reported:
            self._reported = True
            self._on_ended(self._ended)

    def media_answered(self, output: Answered) -> bool:
        """Hand up an answer; False when the call cannot go on with it."""
        if self.on_media_answer is None or self._ended is not None:
            return True
        try:
            return self.on_media_answer(output.sdp)
        except Exception:
            log.exception("session callback failed", call_id=self.call_id)
            return False

    def media_offered(self, output: Offered) -> bytes | None:
        """Our SDP for an offer; None refuses it."""
        if self.on_media_change is None:
            return None
        try:
            return self.on_media_change(output.sdp)
        except Exception:
            log.exception("session callback failed", call_id=self.call_id)
            return None


def _first_values(invite: Request) -> dict[str, str]:
    return {name.lower(): invite.headers[name] for name in invite.headers.keys()}  # noqa: SIM118 - no mapping
