"""Sessions in pure time: lost messages, CANCEL races, glare, late offers and session timers."""

from typing import Any, TypeVar

import pytest
from sipmessage import Request, Response

from mirliton.sip.dialog import Dialog
from mirliton.sip.incoming import IncomingUsage
from mirliton.sip.message import cseq
from mirliton.sip.outgoing import OutgoingUsage
from mirliton.sip.outputs import (
    Acknowledge,
    Answered,
    Ask,
    Cancel,
    Connected,
    Digit,
    Ended,
    Finished,
    Offered,
    Output,
    Progress,
    Refused,
    Reinvited,
    Reply,
)
from mirliton.sip.peer import Peer
from mirliton.sip.session import InviteUsage, Policy

from .conftest import ANSWER, OFFER
from .messages import answer_to, invite, request

POLICY = Policy(glare=lambda low, high: (low + high) / 2)
FLOW = Peer("udp", "192.0.2.1", 5060)
T = TypeVar("T")


def incoming(asked: Request | None = None, now: float = 0.0) -> IncomingUsage:
    asked = asked or invite()
    return IncomingUsage(asked, Dialog.from_invite(asked, "callee", "<sip:me@127.0.0.1>", FLOW), POLICY, now)


def connected(asked: Request | None = None) -> IncomingUsage:
    """Answered at 0 and acknowledged."""
    usage = incoming(asked)
    usage.answer(ANSWER, 0)
    usage.receive(request("ACK", to_tag="callee"), 0)
    return usage


def outgoing() -> OutgoingUsage:
    asked = invite(call="ours")
    asked.headers.remove("Via")
    usage = OutgoingUsage(asked, "<sip:me@127.0.0.1>", FLOW, POLICY)
    usage.start(0)
    return usage


def called(**fields: Any) -> OutgoingUsage:
    """Our call, answered at 0."""
    usage = outgoing()
    respond_to(usage, usage.invite, 200, body=ANSWER, **fields)
    return usage


def never(asked: Request, response: Response) -> bool:
    return False


def respond_to(usage: InviteUsage, asked: Request, code: int, now: float = 0.0, **fields: Any) -> list[Output]:
    return usage.receive_response(asked, answer_to(asked, code, **fields), now, never)


def run(usage: InviteUsage, until: float) -> list[tuple[float, Output]]:
    happened: list[tuple[float, Output]] = []
    while (at := usage.next_deadline) is not None and at <= until:
        happened += [(round(at, 3), output) for output in usage.timer(at)]
    return happened


def only(outputs: list[Output], kind: type[T]) -> T:
    found = [output for output in outputs if isinstance(output, kind)]
    assert len(found) == 1, outputs
    return found[0]


def codes(outputs: list[Output]) -> list[int]:
    return [output.response.code for output in outputs if isinstance(output, Reply)]


def asked_methods(outputs: list[Output]) -> list[str]:
    return [output.request.method for output in outputs if isinstance(output, Ask)]


# -- the called side ---------------------------------------------------------------------------------------------------


def test_a_lost_200_comes_again_until_the_ack() -> None:
    usage = incoming()
    assert codes(usage.answer(ANSWER, 0)) == [200]
    assert [at for at, _ in run(usage, 12)] == [0.5, 1.5, 3.5, 7.5, 11.5]
    assert usage.receive(request("ACK", to_tag="callee"), 12) == []
    assert run(usage, 600) == []


def test_without_any_ack_the_call_ends_with_bye_after_32_seconds() -> None:
    usage = incoming()
    usage.answer(ANSWER, 0)
    happened = run(usage, 40)
    last = [output for at, output in happened if at == 32]
    assert only(last, Ended).reason == "no ACK came"
    assert asked_methods(last) == ["BYE"]
    assert respond_to(usage, only(last, Ask).request, 200, 33) == [Finished()]


def test_answering_twice_answers_once() -> None:
    usage = incoming()
    usage.answer(ANSWER, 0)
    assert usage.answer(ANSWER, 0.1) == usage.ring() == usage.reject(486, None, None) == []


def test_an_ack_of_another_request_acknowledges_nothing() -> None:
    usage = incoming()
    usage.answer(ANSWER, 0)
    usage.receive(request("ACK", to_tag="callee", cseq=7), 0.1)
    assert [at for at, _ in run(usage, 1)] == [0.5]


def test_a_cancel_before_the_answer_gives_487() -> None:
    usage = incoming()
    outputs = usage.cancel()
    assert codes(outputs) == [487]
    assert only(outputs, Ended).reason == "cancelled by the other side"
    assert usage.answer(ANSWER, 1) == []


def test_a_cancel_after_the_answer_comes_too_late() -> None:
    usage = incoming()
    usage.answer(ANSWER, 0)
    assert usage.cancel() == []
    assert not usage.ended


def test_hanging_up_before_the_ack_waits_for_it() -> None:
    usage = incoming()
    usage.answer(ANSWER, 0)
    assert [type(output) for output in usage.hang_up(0.1)] == [Ended]
    assert codes([output for _, output in run(usage, 1)]) == [200]
    assert asked_methods(usage.receive(request("ACK", to_tag="callee"), 1)) == ["BYE"]


def test_hanging_up_at_once_does_not_wait() -> None:
    usage = incoming()
    usage.answer(ANSWER, 0)
    usage.hang_up(0.1)
    assert asked_methods(usage.hang_up(0.2, at_once=True)) == ["BYE"]
    assert usage.hang_up(0.3, at_once=True) == []


def test_a_bye_before_the_ack_ends_the_call_and_the_repeating() -> None:
    usage = incoming()
    usage.answer(ANSWER, 0)
    outputs = usage.receive(request("BYE", to_tag="callee", cseq=2), 0.1)
    assert codes(outputs) == [200]
    assert [type(output) for output in outputs] == [Reply, Ended, Finished]
    assert run(usage, 100) == []


def test_byes_that_cross_are_both_answered() -> None:
    usage = connected()
    bye = only(usage.hang_up(1), Ask).request
    outputs = usage.receive(request("BYE", to_tag="callee", cseq=2), 1.1)
    assert codes(outputs) == [200]
    assert not [output for output in outputs if isinstance(output, Ended)]
    assert bye.headers["To"].endswith("tag=caller")


def test_nobody_answers_for_three_minutes() -> None:
    outputs = [output for at, output in run(incoming(), 500) if at == 180]
    assert codes(outputs) == [480]
    assert only(outputs, Ended).reason == "nobody answered"


def test_hanging_up_an_unanswered_call_refuses_it() -> None:
    assert codes(incoming().hang_up(1)) == [480]


def test_our_offer_in_the_200_is_answered_in_the_ack() -> None:
    usage = incoming(request("INVITE"))
    usage.answer(OFFER, 0)
    assert usage.receive(request("ACK", to_tag="callee", body=ANSWER), 1) == [Answered(ANSWER)]


def test_an_ack_that_owes_us_the_answer_ends_the_call() -> None:
    usage = incoming(request("INVITE"))
    usage.answer(OFFER, 0)
    outputs = usage.receive(request("ACK", to_tag="callee"), 1)
    assert only(outputs, Ended).reason == "no SDP answer in the ACK"
    assert asked_methods(outputs) == ["BYE"]


# -- inside the call ---------------------------------------------------------------------------------------------------


def reinvite(cseq: int = 2, **fields: Any) -> Request:
    return invite(**({"to_tag": "callee", "cseq": cseq, "branch": f"z9hG4bKre{cseq}"} | fields))


def test_a_reinvite_changes_the_media_and_the_other_sides_address() -> None:
    usage = connected()
    change = reinvite()
    change.headers.set("Contact", "<sip:alice@192.0.2.77>")
    assert usage.receive(change, 1) == [Offered(change, OFFER)]
    assert codes(usage.answer_offer(change, ANSWER, 1)) == [200]
    assert [at for at, _ in run(usage, 2)] == [1.5]
    usage.receive(request("ACK", to_tag="callee", cseq=2), 2)
    assert str(only(usage.hang_up(3), Ask).request.uri) == "sip:alice@192.0.2.77"


def test_refused_media_leave_the_call_as_it_was() -> None:
    usage = connected()
    change = reinvite()
    usage.receive(change, 1)
    assert codes(usage.answer_offer(change, None, 1)) == [488]
    assert not usage.ended


def test_a_reinvite_before_the_answer_is_told_to_come_later() -> None:
    usage = incoming()
    outputs = usage.receive(reinvite(), 0.1)
    assert codes(outputs) == [500]
    assert "Retry-After" in only(outputs, Reply).response.headers.keys()  # noqa: SIM118


def test_a_reinvite_meets_ours_and_gets_491() -> None:
    usage = connected()
    usage.reinvite(OFFER, 1)
    assert codes(usage.receive(reinvite(), 1.1)) == [491]


def test_a_reinvite_while_our_late_offer_is_open_gets_491() -> None:
    usage = incoming(request("INVITE"))
    usage.answer(OFFER, 0)
    assert codes(usage.receive(reinvite(), 0.1)) == [491]


@pytest.mark.parametrize(("ours", "wait"), [(True, 3.05), (False, 1.0)])
def test_our_reinvite_that_got_491_comes_again_later(ours: bool, wait: float) -> None:
    usage: InviteUsage = called() if ours else connected()
    first = only(usage.reinvite(OFFER, 1), Ask).request
    assert respond_to(usage, first, 491, 1) == []
    ((at, output),) = run(usage, 6)
    assert at == 1 + wait
    again = only([output], Ask).request
    assert cseq(again)[0] == cseq(first)[0] + 1
    outputs = respond_to(usage, again, 200, 7, body=ANSWER)
    assert only(outputs, Acknowledge).request.method == "ACK"
    assert Reinvited(ANSWER) in outputs


def test_while_waiting_after_glare_the_other_sides_reinvite_is_taken() -> None:
    usage = called()
    first = only(usage.reinvite(OFFER, 1), Ask).request
    respond_to(usage, first, 491, 1)
    change = request("INVITE", call="ours", to_tag="caller", from_tag="callee", body=OFFER)
    assert usage.receive(change, 1.5) == [Offered(change, OFFER)]


def test_our_reinvite_is_answered() -> None:
    usage = connected()
    ask = only(usage.reinvite(ANSWER, 1), Ask).request
    assert respond_to(usage, ask, 200, 1, body=ANSWER)[1:] == [Reinvited(ANSWER)]
    assert [type(output) for output in respond_to(usage, ask, 200, 2, body=ANSWER)] == [Acknowledge]


def test_a_refused_reinvite_keeps_the_call() -> None:
    usage = connected()
    ask = only(usage.reinvite(OFFER, 1), Ask).request
    assert respond_to(usage, ask, 488, 1) == [Refused(488, "Not Acceptable Here")]
    assert not usage.ended


def test_481_to_a_request_of_ours_ends_the_call_without_bye() -> None:
    usage = connected()
    ask = only(usage.reinvite(OFFER, 1), Ask).request
    outputs = respond_to(usage, ask, 481, 1)
    assert [type(output) for output in outputs] == [Refused, Ended, Finished]


def test_no_answer_to_a_request_of_ours_ends_the_call_with_bye() -> None:
    usage = connected()
    ask = only(usage.reinvite(OFFER, 1), Ask).request
    outputs = usage.request_failed(ask, 33)
    assert asked_methods(outputs) == ["BYE"]
    assert only(outputs, Ended).reason == "the other side does not answer"


def test_an_old_or_equal_cseq_is_refused_and_changes_nothing() -> None:
    usage = connected(invite(cseq=5))
    for number in (4, 5):
        assert codes(usage.receive(request("BYE", to_tag="callee", cseq=number), 1)) == [500]
    assert not usage.ended


@pytest.mark.parametrize(
    ("media_type", "body", "digit"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5"),
        ("application/dtmf-relay", b"signal = * \r\n", "*"),
        ("application/dtmf-relay", b"Duration=100\r\nSignal=11\r\n", "#"),
        ("application/dtmf", b"7", "7"),
        ("application/dtmf", b"d\r\n", "D"),
    ],
)
def test_digits_come_by_info(media_type: str, body: bytes, digit: str) -> None:
    info = request("INFO", to_tag="callee", cseq=2, body=body, headers=(f"Content-Type: {media_type}",))
    outputs = connected().receive(info, 1)
    assert codes(outputs) == [200]
    assert outputs[1:] == [Digit(digit)]


@pytest.mark.parametrize(
    ("media_type", "body"),
    [("application/dtmf-relay", b"Signal=99"), ("application/dtmf", b""), ("application/dtmf", b"\xff"), ("x/y", b"1")],
)
def test_other_info_presses_nothing(media_type: str, body: bytes) -> None:
    info = request("INFO", to_tag="callee", cseq=2, body=body, headers=(f"Content-Type: {media_type}",))
    assert codes(connected().receive(info, 1)) == ([415] if body else [200])


def test_an_unknown_method_inside_the_call_gets_405() -> None:
    outputs = connected().receive(request("REFER", to_tag="callee", cseq=2), 1)
    assert codes(outputs) == [405]
    assert "INVITE" in only(outputs, Reply).response.headers["Allow"]


# -- session timers ----------------------------------------------------------------------------------------------------

TIMED = ("Supported: timer", "Session-Expires: 600", "Allow: INVITE, UPDATE")


def test_a_caller_that_can_refresh_must_and_its_silence_ends_the_call() -> None:
    usage = incoming(invite(headers=TIMED))
    response = only(usage.answer(ANSWER, 0), Reply).response
    assert response.headers["Session-Expires"] == "600;refresher=uac"
    assert response.headers["Require"] == "timer"
    usage.receive(request("ACK", to_tag="callee"), 0)
    happened = run(usage, 1000)
    outputs = [output for _, output in happened]
    assert {at for at, _ in happened} == {568}
    assert only(outputs, Ended).reason == "session timer expired"
    assert asked_methods(outputs) == ["BYE"]


def test_a_refresh_of_the_caller_keeps_the_call() -> None:
    usage = connected(invite(headers=TIMED))
    update = request("UPDATE", to_tag="callee", cseq=2, headers=TIMED)
    response = only(usage.receive(update, 300), Reply).response
    assert (response.code, response.headers["Session-Expires"]) == (200, "600;refresher=uac")
    assert run(usage, 867) == []
    assert run(usage, 868)


def test_for_a_caller_without_session_timers_we_refresh() -> None:
    usage = connected()
    ((at, output),) = run(usage, 900)
    assert at == 900
    ask = only([output], Ask).request
    assert (ask.method, ask.body) == ("INVITE", ANSWER)
    assert respond_to(usage, ask, 200, 900, body=OFFER)[1:] == [Answered(OFFER)]
    assert not usage.ended


def test_we_refresh_with_update_when_the_other_side_knows_it() -> None:
    usage = connected(invite(headers=("Supported: timer", "Session-Expires: 600;refresher=uas", "Allow: UPDATE")))
    ((at, output),) = run(usage, 300)
    ask = only([output], Ask).request
    assert (at, ask.method, ask.body) == (300, "UPDATE", b"")
    assert ask.headers["Session-Expires"] == "600;refresher=uac"
    respond_to(usage, ask, 200, 301, headers={"Session-Expires": "600;refresher=uac"})
    assert [at for at, _ in run(usage, 601)] == [601]


def test_a_too_short_refresh_inside_the_call_gets_422() -> None:
    update = request("UPDATE", to_tag="callee", cseq=2, headers=("Session-Expires: 30",))
    outputs = connected().receive(update, 1)
    assert codes(outputs) == [422]
    assert only(outputs, Reply).response.headers["Min-SE"] == "90"


def test_the_called_side_may_leave_the_refreshing_to_us() -> None:
    usage = called(headers={"Session-Expires": "200;refresher=uac", "Allow": "INVITE, UPDATE"})
    ((at, output),) = run(usage, 100)
    assert (at, only([output], Ask).request.method) == (100, "UPDATE")


def test_the_called_side_that_refreshes_may_not_fall_silent() -> None:
    usage = called(headers={"Session-Expires": "90;refresher=uas"})
    assert run(usage, 60)[0] == (60, Ended("session timer expired"))


# -- the calling side --------------------------------------------------------------------------------------------------


def test_a_call_is_answered_and_each_copy_of_the_200_acknowledged() -> None:
    usage = outgoing()
    assert respond_to(usage, usage.invite, 180) == [Progress(180)]
    outputs = respond_to(usage, usage.invite, 200, 1, body=ANSWER)
    assert [type(output) for output in outputs] == [Connected, Acknowledge]
    assert usage.answer_sdp == ANSWER
    ack = only(outputs, Acknowledge).request
    assert (str(ack.uri), ack.headers["CSeq"]) == ("sip:bob@192.0.2.9:5070", "1 ACK")
    assert only(respond_to(usage, usage.invite, 200, 2, body=ANSWER), Acknowledge).request is ack


def test_a_200_that_crosses_our_cancel_is_acknowledged_and_hung_up() -> None:
    usage = outgoing()
    respond_to(usage, usage.invite, 180)
    assert [type(output) for output in usage.hang_up(1)] == [Ended, Cancel]
    outputs = respond_to(usage, usage.invite, 200, 1, body=ANSWER)
    assert [type(output) for output in outputs] == [Connected, Acknowledge, Ask]
    assert respond_to(usage, only(outputs, Ask).request, 200, 2) == [Finished()]


def test_a_cancel_waits_for_a_provisional_response() -> None:
    usage = outgoing()
    assert [type(output) for output in usage.hang_up(1)] == [Ended]
    assert respond_to(usage, usage.invite, 100, 2) == [Cancel(usage.invite)]
    assert respond_to(usage, usage.invite, 180, 3) == []
    assert respond_to(usage, usage.invite, 487, 4) == [Finished()]


def test_a_cancelled_call_without_any_final_response_is_forgotten() -> None:
    usage = outgoing()
    usage.hang_up(1)
    assert run(usage, 65) == [(65, Finished())]


def test_a_refusal_ends_the_call() -> None:
    usage = outgoing()
    outputs = respond_to(usage, usage.invite, 486)
    assert [type(output) for output in outputs] == [Refused, Ended, Finished]


def test_a_422_is_tried_again_with_the_longer_interval() -> None:
    usage = outgoing()
    ask = only(respond_to(usage, usage.invite, 422, headers={"Min-SE": "7200"}), Ask).request
    assert (ask.headers["CSeq"], ask.headers["Min-SE"]) == ("2 INVITE", "7200")
    assert ask.headers["Session-Expires"] == "7200"
    assert ask.body == OFFER
    assert Connected() in respond_to(usage, ask, 200, body=ANSWER)


def test_a_second_fork_that_answers_is_hung_up_and_the_first_one_stays() -> None:
    usage = called()
    outputs = respond_to(usage, usage.invite, 200, 1, tag="other", body=ANSWER)
    bye = only(outputs, Ask).request
    assert bye.method == "BYE" and bye.headers["To"].endswith("tag=other")
    assert respond_to(usage, bye, 200, 2) == []
    assert not usage.ended


def test_routes_are_followed_and_a_strict_router_gets_itself_first() -> None:
    loose = connected(invite(headers=("Record-Route: <sip:192.0.2.50;lr>, <sip:192.0.2.51;lr>",)))
    bye = only(loose.hang_up(1), Ask).request
    assert str(bye.uri) == "sip:alice@192.0.2.1:5060"
    assert bye.headers.getlist("Route") == ["<sip:192.0.2.50;lr>", "<sip:192.0.2.51;lr>"]
    strict = connected(invite(headers=("Record-Route: <sip:192.0.2.50>",)))
    bye = only(strict.hang_up(1), Ask).request
    assert str(bye.uri) == "sip:192.0.2.50"
    assert bye.headers.getlist("Route") == ["<sip:alice@192.0.2.1:5060>"]
