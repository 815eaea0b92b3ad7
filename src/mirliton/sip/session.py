"""The INVITE usage of a dialog (RFC 3261 sections 13 to 15): what both directions share once they are connected.

Pure: the time is given, and every call returns what shall happen. Requests inside the dialog, repeated 2xx, re-INVITE
with glare, UPDATE (RFC 3311), session timers (RFC 4028) and INFO digits. `incoming` and `outgoing` add how a session
begins. A usage goes on for a while after `Ended` (until its BYE is answered); `Finished` says it can be forgotten.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from sipmessage import Request, Response

from mirliton.sip.deadlines import Timers
from mirliton.sip.dialog import Dialog
from mirliton.sip.info import read_digit
from mirliton.sip.message import cseq, respond, set_body, tokens
from mirliton.sip.outputs import (
    Acknowledge,
    Answered,
    Ask,
    Digit,
    Ended,
    Finished,
    Offered,
    Output,
    Refused,
    Reinvited,
    Reply,
)
from mirliton.sip.session_timer import (
    SessionTimer,
    TimerPolicy,
    agree_as_uac,
    agree_as_uas,
    put_in_request,
    put_in_response,
    too_brief,
)
from mirliton.sip.transaction import Timing

METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "REGISTER")
ALLOW = ", ".join(METHODS)
SUPPORTED = "timer"


Authorize = Callable[[Request, Response], bool]
"""Puts the answer to a 401/407 on a copy of the request; False when it cannot (no password, or tried before)."""


class Phase(Enum):
    """Of a session."""

    EARLY = auto()
    CONNECTED = auto()
    ENDED = auto()


@dataclass(slots=True)
class _Acceptance:
    """A 2xx of ours that wants its ACK (section 13.3.1.4)."""

    request: Request
    response: Response
    interval: float


@dataclass(frozen=True, slots=True)
class Policy:
    """What every session of an agent shares."""

    timing: Timing = field(default_factory=Timing)
    timer: TimerPolicy = field(default_factory=TimerPolicy)
    ring_seconds: float = 180.0  # an INVITE that nobody answers, and the like of timer C
    glare: Callable[[float, float], float] = random.uniform


class InviteUsage:
    """One session. `dialog` is None only before the calling side got its 2xx."""

    def __init__(self, dialog: Dialog | None, policy: Policy, *, owns_call_id: bool) -> None:
        self.phase = Phase.EARLY
        self.local_sdp: bytes | None = None
        self._dialog = dialog
        self._policy = policy
        self._owns_call_id = owns_call_id
        self._timers = Timers()
        self._acceptance: _Acceptance | None = None
        self._session_timer: SessionTimer | None = None
        self._they_update = False  # whether they take UPDATE
        self._reinvite: bytes | None = None  # our offer that is under way or waits for its turn after glare
        self._refreshing = False  # that offer only refreshes the session timer: nobody waits for its answer
        self._glares = 0
        self._acks: dict[int, Request] = {}
        self._bye_after_ack = False
        self._tried_authorization: frozenset[int] = frozenset()

    # -- what the owner reads ------------------------------------------------------------------------------------------

    @property
    def dialog(self) -> Dialog:
        """Of a usage that has one."""
        if self._dialog is None:
            raise RuntimeError("no dialog yet")
        return self._dialog

    @property
    def has_dialog(self) -> bool:
        """Whether `dialog` can be read."""
        return self._dialog is not None

    @property
    def next_deadline(self) -> float | None:
        """When `timer` wants to be called."""
        return self._timers.next_deadline

    @property
    def ended(self) -> bool:
        """Whether `Ended` was given out."""
        return self.phase is Phase.ENDED

    # -- ends ----------------------------------------------------------------------------------------------------------

    def hang_up(self, now: float, *, at_once: bool = False, reason: str = "hung up here") -> list[Output]:
        """End it from our side. The called side's BYE waits for the ACK (section 15) unless `at_once`."""
        if self.phase is Phase.ENDED:
            return self._bye(now) if at_once and self._bye_after_ack else []
        outputs = self._end(reason)
        if self._acceptance is not None and not at_once:
            self._bye_after_ack = True
            return outputs
        return [*outputs, *self._bye(now)]

    def _end(self, reason: str) -> list[Output]:
        if self.phase is Phase.ENDED:
            return []
        self.phase = Phase.ENDED
        self._timers.stop("session", "glare", "ring")
        self._reinvite = None
        return [Ended(reason)]

    def _bye(self, now: float) -> list[Output]:
        self._bye_after_ack = False
        self._stop_repeating()
        return [Ask(self.dialog.request("BYE"))]

    def _gone(self, reason: str) -> list[Output]:
        self._timers.stop_all()
        self._acceptance = None
        return [*self._end(reason), Finished()]

    # -- requests from the other side ----------------------------------------------------------------------------------

    def receive(self, request: Request, now: float) -> list[Output]:
        """A request inside the dialog. The owner has checked Require and the tags."""
        if request.method == "ACK":
            return self._acknowledged(request, now)
        if not self.dialog.accept_order(request):
            return [Reply(request, respond(request, 500, "CSeq out of order"))]
        match request.method:
            case "BYE":
                return [Reply(request, respond(request, 200)), *self._gone("hung up by the other side")]
            case "INVITE" | "UPDATE":
                return self._offered(request, now)
            case "INFO":
                return self._info(request)
            case "OPTIONS":
                return [Reply(request, capabilities(request))]
        return [Reply(request, respond(request, 405, headers={"Allow": ALLOW}))]

    def _info(self, request: Request) -> list[Output]:
        if self.phase is Phase.ENDED:
            return [Reply(request, respond(request, 481))]
        if not request.body:
            return [Reply(request, respond(request, 200))]
        digit = read_digit(request)
        if digit is None:
            accepted = {"Accept": "application/dtmf-relay, application/dtmf"}
            return [Reply(request, respond(request, 415, headers=accepted))]
        return [Reply(request, respond(request, 200)), Digit(digit)]

    def _offered(self, request: Request, now: float) -> list[Output]:
        refusal = self._refusal(request)
        if refusal is not None:
            return [Reply(request, refusal)]
        self._note_methods(request)
        self.dialog.refresh_target(request)
        if request.method == "UPDATE" and not request.body:
            return self.answer_offer(request, b"", now)
        return [Offered(request, request.body or None)]

    def _refusal(self, request: Request) -> Response | None:
        if self.phase is Phase.ENDED:
            return respond(request, 481)
        if too_brief(request, self._policy.timer):
            return respond(request, 422, headers={"Min-SE": str(self._policy.timer.minimum)})
        if request.method == "UPDATE" and not request.body:
            return None
        if self.phase is Phase.EARLY and self._acceptance is None:
            return respond(request, 500, headers={"Retry-After": str(round(self._policy.glare(0, 10)))})
        if self._invite_under_way or self._offer_unanswered:
            return respond(request, 491)
        return None

    @property
    def _invite_under_way(self) -> bool:
        return self._reinvite is not None and not self._timers.runs("glare")

    @property
    def _offer_unanswered(self) -> bool:
        return self._acceptance is not None and not self._acceptance.request.body

    def answer_offer(self, request: Request, sdp: bytes | None, now: float) -> list[Output]:
        """Our SDP for an `Offered`; None refuses with 488 and the old media go on."""
        if sdp is None:
            return [Reply(request, respond(request, 488))]
        if sdp:
            self.local_sdp = sdp
        response = self._success(request, sdp, now)
        if request.method == "INVITE":
            return self._accept(request, response, now)
        return [Reply(request, response)]

    def _success(self, request: Request, sdp: bytes, now: float) -> Response:
        headers = {"Contact": self.dialog.contact, "Allow": ALLOW, "Supported": SUPPORTED}
        response = respond(request, 200, local_tag=self.dialog.local_tag, headers=headers)
        self._run_session_timer(agree_as_uas(request, self._policy.timer), now)
        if self._session_timer is not None:
            put_in_response(response, request, self._session_timer)
        set_body(response, sdp)
        return response

    def _accept(self, request: Request, response: Response, now: float) -> list[Output]:
        timing = self._policy.timing
        self._acceptance = _Acceptance(request, response, timing.t1)
        self._timers.start("repeat", now + timing.t1)
        self._timers.start("unacknowledged", now + timing.give_up)
        return [Reply(request, response)]

    def _acknowledged(self, request: Request, now: float) -> list[Output]:
        acceptance = self._acceptance
        if acceptance is None or cseq(acceptance.request)[0] != cseq(request)[0]:
            return []
        self._stop_repeating()
        if self._bye_after_ack:
            return self._bye(now)
        if self.phase is Phase.ENDED:
            return []
        self.phase = Phase.CONNECTED
        if acceptance.request.body:
            return []
        if not request.body:
            return self.hang_up(now, reason="no SDP answer in the ACK")
        return [Answered(request.body)]

    def _stop_repeating(self) -> None:
        self._acceptance = None
        self._timers.stop("repeat", "unacknowledged")

    # -- requests of ours ----------------------------------------------------------------------------------------------

    def reinvite(self, sdp: bytes, now: float) -> list[Output]:
        """Offer new media; `Reinvited` or `Refused` follows (glare is waited out and tried again)."""
        if self.phase is not Phase.CONNECTED or self._reinvite is not None or self._acceptance is not None:
            return [Refused(491, "Request Pending")]
        self._glares, self._refreshing = 0, False
        return self._send_reinvite(sdp)

    def _send_reinvite(self, sdp: bytes) -> list[Output]:
        self._reinvite = sdp
        request = self._refresh_request("INVITE")
        set_body(request, sdp)
        return [Ask(request)]

    def _refresh_request(self, method: str) -> Request:
        request = self.dialog.request(method)
        request.headers.add("Allow", ALLOW)
        request.headers.add("Supported", SUPPORTED)
        put_in_request(request, self._policy.timer, self._session_timer)
        return request

    def receive_response(self, request: Request, response: Response, now: float, authorize: Authorize) -> list[Output]:
        """A response to an `Ask` of this usage."""
        sequence = cseq(request)[0]
        if response.code < 200:
            return []
        if response.code in (401, 407) and sequence not in self._tried_authorization:
            again = self.dialog.request(request.method)
            _copy_body_and_extras(request, again)
            if authorize(again, response):
                self._tried_authorization |= {cseq(again)[0]}
                return [Ask(again)]
        self._tried_authorization -= {sequence}
        if request.method == "BYE":
            return self._gone("hung up here")
        if response.code in (408, 481) and self.phase is not Phase.ENDED:
            return self._lost(response.code, now)
        if request.method == "INVITE":
            return self._reinvite_answered(request, response, now)
        return self._updated(response, now)

    def request_failed(self, request: Request, now: float) -> list[Output]:
        """Nobody answered an `Ask`, or it could not be sent."""
        if request.method == "BYE":
            return self._gone("hung up here")
        return self._lost(408, now)

    def _lost(self, code: int, now: float) -> list[Output]:
        waiting: list[Output] = [Refused(code, "the other side is gone")] if self._awaited else []
        if code == 481:
            return [*waiting, *self._gone("the other side knows no such call")]
        return [*waiting, *self.hang_up(now, at_once=True, reason="the other side does not answer")]

    @property
    def _awaited(self) -> bool:
        return self._reinvite is not None and not self._refreshing

    def _reinvite_answered(self, request: Request, response: Response, now: float) -> list[Output]:
        sequence = cseq(request)[0]
        if response.code < 300:
            return self._reinvite_accepted(sequence, request, response, now)
        if self._reinvite is None:
            return []
        if response.code == 491 and self._glares < 4:
            self._glares += 1
            # Section 14.1: the owner of the Call-ID waits longer, so that the two do not meet again.
            low, high = (2.1, 4.0) if self._owns_call_id else (0.0, 2.0)
            self._timers.start("glare", now + self._policy.glare(low, high))
            return []
        self._reinvite = None
        return [] if self._refreshing else [Refused(response.code, response.phrase)]

    def _reinvite_accepted(self, sequence: int, request: Request, response: Response, now: float) -> list[Output]:
        if sequence in self._acks:
            return [Acknowledge(self._acks[sequence])]
        self._acks = {sequence: self.dialog.request("ACK", sequence)}
        outputs: list[Output] = [Acknowledge(self._acks[sequence])]
        if self.phase is Phase.ENDED:
            return outputs
        self.dialog.refresh_target(response)
        self._note_methods(response)
        self._run_session_timer(agree_as_uac(response, self._policy.timer), now)
        self._reinvite = None
        if not response.body:
            return [*outputs, *self.hang_up(now, reason="no SDP answer to our offer")]
        self.local_sdp = request.body
        return [*outputs, Answered(response.body) if self._refreshing else Reinvited(response.body)]

    def _updated(self, response: Response, now: float) -> list[Output]:
        if response.code < 300:
            self.dialog.refresh_target(response)
            self._run_session_timer(agree_as_uac(response, self._policy.timer), now)
        elif response.code in (405, 501):
            self._they_update = False
            return self._refresh(now)
        return []

    # -- time ----------------------------------------------------------------------------------------------------------

    def timer(self, now: float) -> list[Output]:
        """Call at or after `next_deadline`."""
        outputs: list[Output] = []
        for name in self._timers.due(now):
            outputs += self._fired(name, now)
        return outputs

    def _fired(self, name: str, now: float) -> list[Output]:
        match name:
            case "repeat":
                return self._repeat(now)
            case "unacknowledged":
                self._stop_repeating()
                return [*self._end("no ACK came"), *self._bye(now)]
            case "glare":
                return self._send_reinvite(self._reinvite) if self._reinvite is not None else []
            case "session":
                return self._session_timer_fired(now)
        return []

    def _repeat(self, now: float) -> list[Output]:
        acceptance = self._acceptance
        if acceptance is None:
            return []
        acceptance.interval = min(2 * acceptance.interval, self._policy.timing.t2)
        self._timers.start("repeat", now + acceptance.interval)
        return [Reply(acceptance.request, acceptance.response)]

    def _run_session_timer(self, timer: SessionTimer | None, now: float) -> None:
        self._session_timer = timer
        self._timers.stop("session")
        if timer is not None and self.phase is not Phase.ENDED:
            self._timers.start("session", timer.wake_at(now))

    def _session_timer_fired(self, now: float) -> list[Output]:
        if self._session_timer is None:
            return []
        if not self._session_timer.we_refresh:
            return self.hang_up(now, at_once=True, reason="session timer expired")
        # If this refresh is refused, the next one comes after another quarter: half of what is left.
        self._timers.start("session", now + self._session_timer.interval / 4)
        return self._refresh(now)

    def _refresh(self, now: float) -> list[Output]:
        if self.phase is not Phase.CONNECTED:
            return []
        if self._they_update:
            return [Ask(self._refresh_request("UPDATE"))]
        if self._reinvite is not None or self._acceptance is not None or self.local_sdp is None:
            return []
        self._glares, self._refreshing = 0, True
        return self._send_reinvite(self.local_sdp)

    def _note_methods(self, message: Request | Response) -> None:
        if message.headers.get("Allow") is not None:
            self._they_update = "update" in tokens(message, "Allow")


def _copy_body_and_extras(source: Request, target: Request) -> None:
    for name in ("Allow", "Supported", "Session-Expires", "Min-SE", "Content-Type"):
        if (value := source.headers.get(name)) is not None:
            target.headers.set(name, value)
    target.body = source.body


def capabilities(request: Request, local_tag: str = "") -> Response:
    """The answer to OPTIONS (section 11.2)."""
    headers: Mapping[str, str] = {
        "Allow": ALLOW,
        "Accept": "application/sdp, application/dtmf-relay, application/dtmf",
        "Accept-Encoding": "identity",
        "Accept-Language": "en",
        "Supported": SUPPORTED,
    }
    return respond(request, 200, local_tag=local_tag, headers=headers)
