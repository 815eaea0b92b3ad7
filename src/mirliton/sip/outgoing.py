"""How a session begins on the calling side: INVITE, passwords, 422, CANCEL and its race with the 200."""

import secrets
from collections.abc import Mapping

from sipmessage import Headers, Request, Response

from mirliton.sip.dialog import Dialog
from mirliton.sip.digest import asks_again
from mirliton.sip.grammar import Malformed, WireURI, is_call_id, parse_uri, quoted
from mirliton.sip.message import cseq, number, set_body, set_header, to_tag
from mirliton.sip.outputs import Acknowledge, Ask, Cancel, Connected, Output, Progress, Refused
from mirliton.sip.peer import Peer
from mirliton.sip.session import ALLOW, SUPPORTED, Authorize, InviteUsage, Phase, Policy
from mirliton.sip.session_timer import agree_as_uac, put_in_request


class OutgoingUsage(InviteUsage):
    """A session that we begin. `invite` has no Via; `contact` is our own Contact value."""

    def __init__(self, invite: Request, contact: str, flow: Peer, policy: Policy) -> None:
        super().__init__(None, policy, owns_call_id=True)
        self.invite = invite
        self.local_sdp = invite.body
        self.answer_sdp: bytes | None = None
        self._contact = contact
        self._flow = flow
        self._cancelled = False
        self._provisional = False
        self._final = False
        self._answered: set[int] = set()  # 401 and 407: which of them the INVITE has an answer to
        invite.headers.set("Contact", contact)
        invite.headers.set("Allow", ALLOW)
        invite.headers.set("Supported", SUPPORTED)
        put_in_request(invite, policy.timer, None)

    def start(self, now: float) -> list[Output]:
        """Send the INVITE."""
        return [Ask(self.invite)]

    def hang_up(self, now: float, *, at_once: bool = False, reason: str = "hung up here") -> list[Output]:
        """CANCEL before the answer, BYE after it."""
        if self.phase is not Phase.EARLY:
            return super().hang_up(now, at_once=at_once, reason=reason) if self._dialog is not None else []
        self._cancelled = True
        self._timers.start("cancelled", now + 2 * self._policy.timing.give_up)
        # Section 9.1: a CANCEL must not overtake its INVITE, so it waits for a provisional response.
        cancel: list[Output] = [Cancel(self.invite)] if self._provisional else []
        return [*self._end(reason), *cancel]

    def receive_response(self, request: Request, response: Response, now: float, authorize: Authorize) -> list[Output]:
        """A response to the INVITE or to a later request of ours."""
        if self._is_initial(request):
            return self._first_answered(response, now, authorize)
        if self._of_another_fork(request):
            return []
        return super().receive_response(request, response, now, authorize)

    def request_failed(self, request: Request, now: float) -> list[Output]:
        """Nobody answered, or the request could not be sent."""
        if self._is_initial(request) and not self._final:
            return [Refused(408, "Request Timeout"), *self._gone("nobody answered")]
        if self._of_another_fork(request) or self._dialog is None:
            return []
        return super().request_failed(request, now)

    def _is_initial(self, request: Request) -> bool:
        return request.method == "INVITE" and cseq(request)[0] == cseq(self.invite)[0] and not to_tag(request)

    def _of_another_fork(self, request: Request) -> bool:
        return self._dialog is not None and to_tag(request) != self._dialog.remote_tag

    def _fired(self, name: str, now: float) -> list[Output]:
        if name == "cancelled":
            return self._gone("cancelled") if self._dialog is None else []
        return super()._fired(name, now)

    def _first_answered(self, response: Response, now: float, authorize: Authorize) -> list[Output]:
        if response.code < 200:
            return self._provisional_came(response, now)
        if response.code < 300:
            return self._success_came(response, now)
        self._final = True
        if self._cancelled:
            return self._gone("cancelled")
        again = self._second_try(response, authorize)
        if again is not None:
            self.invite, self._final, self._provisional = again, False, False
            return [Ask(again)]
        return [Refused(response.code, response.phrase), *self._gone(f"refused: {response.code} {response.phrase}")]

    def _provisional_came(self, response: Response, now: float) -> list[Output]:
        first, self._provisional = not self._provisional, True
        if self._cancelled:
            return [Cancel(self.invite)] if first else []
        return [Progress(response.code)]

    def _second_try(self, response: Response, authorize: Authorize) -> Request | None:
        sequence = cseq(self.invite)[0]
        if sequence > 4:
            return None
        again = _copy(self.invite, sequence + 1)
        if response.code in (401, 407):
            return again if self._knows_answer(again, response, authorize) else None
        minimum = number(response, "Min-SE")
        if response.code == 422 and minimum is not None and minimum <= 86_400:
            again.headers.set("Min-SE", str(minimum))
            again.headers.set("Session-Expires", str(max(minimum, self._policy.timer.interval)))
            return again
        return None

    def _knows_answer(self, again: Request, response: Response, authorize: Authorize) -> bool:
        if response.code in self._answered and not asks_again(response):
            return False  # the password is wrong: another try would only look like guessing
        self._answered.add(response.code)
        return authorize(again, response)

    def _success_came(self, response: Response, now: float) -> list[Output]:
        if self._dialog is not None:
            return self._another_success(response)
        self._final = True
        self._dialog = Dialog.from_response(self.invite, response, self._contact, self._flow)
        ack = self._acknowledge(response)
        if self._cancelled:
            return [Connected(), ack, Ask(self._dialog.request("BYE"))]
        self.phase = Phase.CONNECTED
        self.answer_sdp = response.body
        self._note_methods(response)
        self._run_session_timer(agree_as_uac(response, self._policy.timer), now)
        if not response.body:
            return [Connected(), ack, *self.hang_up(now, reason="no SDP answer in the 200")]
        return [Connected(), ack]

    def _acknowledge(self, response: Response) -> Acknowledge:
        sequence = cseq(response)[0]
        ack = self._acks[sequence] = self.dialog.request("ACK", sequence)
        for name in ("Authorization", "Proxy-Authorization"):  # section 22.1: an ACK cannot be challenged
            if (value := self.invite.headers.get(name)) is not None:
                ack.headers.set(name, value)
        return Acknowledge(ack)

    def _another_success(self, response: Response) -> list[Output]:
        sequence = cseq(response)[0]
        if to_tag(response) == self.dialog.remote_tag:
            ack = self._acks.get(sequence)
            return [Acknowledge(ack if ack is not None else self.dialog.request("ACK", sequence))]
        # A forked INVITE was answered twice: the first one keeps the call, the others are hung up (section 13.2.2.4).
        other = Dialog.from_response(self.invite, response, self._contact, self._flow)
        return [Acknowledge(other.request("ACK", sequence)), Ask(other.request("BYE"))]


def callable_uri(text: str) -> WireURI:
    """A URI that can be called. Raises `ValueError`."""
    try:
        target = parse_uri(text)
    except Malformed as malformed:
        raise ValueError(f"{text!r} is no SIP address ({malformed.reason}): write sip:USER@HOST[:PORT]") from malformed
    if target.scheme != "sip":
        raise ValueError(f"{text!r}: only sip: can be called")
    return target


def new_invite(
    target: WireURI, sdp: bytes, caller: str, display: str, headers: Mapping[str, str], call_id: str | None = None
) -> Request:
    """An INVITE outside of dialogs, without Via and Contact; `call_id` None: a new one.

    Raises `ValueError` for unsafe headers, an unusable caller or what is no Call-ID.
    """
    if call_id is not None and not is_call_id(call_id):
        raise ValueError(f"{call_id!r}: not a Call-ID")
    invite = Request("INVITE", target)
    set_header(invite, "Max-Forwards", "70")
    name = f"{quoted(display)} " if display else ""
    set_header(invite, "From", f"{name}<{callable_uri(caller)}>;tag={secrets.token_hex(8)}")
    set_header(invite, "To", f"<{target}>")
    set_header(invite, "Call-ID", call_id or secrets.token_hex(16))
    set_header(invite, "CSeq", "1 INVITE")
    set_header(invite, "User-Agent", "Mirliton")
    for header, value in headers.items():
        set_header(invite, header, value)
    set_body(invite, sdp)
    return invite


def _copy(invite: Request, sequence: int) -> Request:
    again = Request("INVITE", invite.uri)
    again.headers = Headers()
    for name in invite.headers.keys():  # noqa: SIM118 - `Headers` is no mapping
        if name.lower() not in ("via", "cseq", "authorization", "proxy-authorization"):
            again.headers.setlist(name, list(invite.headers.getlist(name)))
    again.headers.set("CSeq", f"{sequence} INVITE")
    set_body(again, invite.body)
    return again
