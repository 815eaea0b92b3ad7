"""The transaction machines in pure time: every timer of RFC 3261 section 17 and RFC 6026."""

from sipmessage import Request, Response

from mirliton.sip.message import cseq, read_message, respond
from mirliton.sip.transaction import (
    Deliver,
    InviteClient,
    InviteServer,
    Output,
    PlainClient,
    PlainServer,
    State,
    TimedOut,
    Timing,
    Transaction,
    Transmit,
    cancel_of,
    server_key,
)

from .messages import invite, request

TIMING = Timing()


def sent(outputs: list[Output]) -> list[str]:
    """The first lines of what goes out."""
    return [output.data.split(b"\r\n")[0].decode() for output in outputs if isinstance(output, Transmit)]


def run(machine: Transaction, until: float) -> list[tuple[float, Output]]:
    """Let time pass; what happened when."""
    happened: list[tuple[float, Output]] = []
    while (at := machine.next_deadline) is not None and at <= until:
        happened += [(at, output) for output in machine.timer(at)]
    return happened


def times_of(happened: list[tuple[float, Output]], kind: type) -> list[float]:
    return [round(at, 3) for at, output in happened if isinstance(output, kind)]


def response_to(asked: Request, code: int) -> Response:
    return respond(asked, code, local_tag="callee")


def test_an_invite_over_udp_is_repeated_with_doubling_gaps_and_given_up_after_32_seconds() -> None:
    machine = InviteClient(invite(), reliable=False, timing=TIMING)
    assert sent(machine.start(0)) == ["INVITE sip:1000@127.0.0.1 SIP/2.0"]
    happened = run(machine, 100)
    assert times_of(happened, Transmit) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert times_of(happened, TimedOut) == [32]
    assert machine.finished


def test_an_invite_over_tcp_is_not_repeated() -> None:
    machine = InviteClient(invite(), reliable=True, timing=TIMING)
    machine.start(0)
    assert [type(output) for _, output in run(machine, 100)] == [TimedOut]


def test_a_provisional_response_stops_the_repeating() -> None:
    machine = InviteClient(invite(), reliable=False, timing=TIMING)
    machine.start(0)
    assert [type(output) for output in machine.receive(response_to(machine.request, 180), 0.1)] == [Deliver]
    assert run(machine, 200) == []


def test_an_invite_that_only_rings_is_given_up_at_last() -> None:
    machine = InviteClient(invite(), reliable=False, timing=TIMING)
    machine.start(0)
    machine.receive(response_to(machine.request, 180), 1)
    assert times_of(run(machine, 1000), TimedOut) == [301]


def test_a_refusal_is_acknowledged_each_time_but_told_once() -> None:
    machine = InviteClient(invite(), reliable=False, timing=TIMING)
    machine.start(0)
    refusal = response_to(machine.request, 486)
    first = machine.receive(refusal, 1)
    assert [type(output) for output in first] == [Transmit, Deliver]
    ack = read_message(first[0].data if isinstance(first[0], Transmit) else b"")
    assert isinstance(ack, Request)
    assert (ack.method, cseq(ack), ack.headers["To"]) == ("ACK", (1, "ACK"), refusal.headers["To"])
    assert ack.headers["Via"] == machine.request.headers["Via"]
    assert [type(output) for output in machine.receive(refusal, 2)] == [Transmit]
    run(machine, 33)
    assert machine.finished


def test_every_copy_of_a_200_reaches_the_session() -> None:
    machine = InviteClient(invite(), reliable=False, timing=TIMING)
    machine.start(0)
    for at in (1, 2, 3):
        assert [type(output) for output in machine.receive(response_to(machine.request, 200), at)] == [Deliver]
    run(machine, 33)
    assert machine.finished


def test_another_request_over_udp_is_repeated_up_to_every_four_seconds() -> None:
    machine = PlainClient(request("BYE"), reliable=False, timing=TIMING)
    machine.start(0)
    happened = run(machine, 100)
    assert times_of(happened, Transmit) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert times_of(happened, TimedOut) == [32]


def test_a_final_response_ends_the_repeating_and_copies_are_absorbed() -> None:
    machine = PlainClient(request("BYE"), reliable=False, timing=TIMING)
    machine.start(0)
    assert [type(output) for output in machine.receive(response_to(machine.request, 200), 1)] == [Deliver]
    assert machine.receive(response_to(machine.request, 200), 2) == []
    assert run(machine, 5.9) == [] and not machine.finished
    run(machine, 6)
    assert machine.finished


def test_a_called_side_that_says_nothing_sends_100_after_200_milliseconds() -> None:
    machine = InviteServer(invite(), False, 0, TIMING)
    happened = run(machine, 10)
    assert times_of(happened, Transmit) == [0.2]
    assert sent([output for _, output in happened]) == ["SIP/2.0 100 Trying"]


def test_a_repeated_invite_gets_the_last_response_again() -> None:
    machine = InviteServer(invite(), False, 0, TIMING)
    assert machine.receive(invite(), 0.1) == []
    machine.send(response_to(machine.request, 180), 0.1)
    assert sent(machine.receive(invite(), 0.5)) == ["SIP/2.0 180 Ringing"]


def test_a_refusal_is_repeated_until_its_ack() -> None:
    machine = InviteServer(invite(), False, 0, TIMING)
    machine.send(response_to(machine.request, 486), 0)
    assert times_of(run(machine, 8), Transmit) == [0.5, 1.5, 3.5, 7.5]
    assert machine.receive(request("ACK"), 8) == []
    assert run(machine, 12.9) == [] and machine.state is State.CONFIRMED
    run(machine, 13)
    assert machine.finished


def test_a_refusal_without_ack_is_given_up() -> None:
    machine = InviteServer(invite(), False, 0, TIMING)
    machine.send(response_to(machine.request, 486), 0)
    assert times_of(run(machine, 100), TimedOut) == [32]
    assert machine.finished


def test_an_accepted_invite_absorbs_copies_and_passes_the_sessions_repeats() -> None:
    machine = InviteServer(invite(), False, 0, TIMING)
    accepted = response_to(machine.request, 200)
    machine.send(accepted, 0)
    assert machine.receive(invite(), 1) == []
    assert machine.send(accepted, 1) == [Transmit(bytes(accepted), repeat=True)]
    assert machine.send(response_to(machine.request, 486), 2) == []
    assert [type(output) for output in machine.receive(request("ACK"), 3)] == [Deliver]
    run(machine, 32)
    assert machine.finished


def test_a_repeated_request_gets_its_final_response_again_for_32_seconds() -> None:
    machine = PlainServer(request("OPTIONS"), False, 0, TIMING)
    assert machine.receive(machine.request, 0.1) == []
    machine.send(response_to(machine.request, 200), 1)
    assert sent(machine.receive(machine.request, 20)) == ["SIP/2.0 200 OK"]
    run(machine, 33)
    assert machine.finished


def test_over_tcp_a_finished_request_is_forgotten_at_once() -> None:
    machine = PlainServer(request("OPTIONS"), True, 0, TIMING)
    machine.send(response_to(machine.request, 200), 1)
    assert machine.finished


def test_a_request_that_is_never_answered_does_not_stay_for_ever() -> None:
    machine = PlainServer(request("REGISTER"), False, 0, TIMING)
    run(machine, 64)
    assert machine.finished


def test_retransmissions_match_by_branch_and_old_elements_by_their_headers() -> None:
    assert server_key(invite()) == server_key(request("ACK")) != server_key(request("CANCEL"))
    assert server_key(invite(branch="z9hG4bK2")) != server_key(invite())
    assert server_key(invite(branch="1")) == server_key(request("ACK", branch="1", to_tag="callee"))
    assert server_key(invite(branch="1", cseq=2)) != server_key(invite(branch="1"))
    assert server_key(invite(via="SIP/2.0/UDP 192.0.2.2:5060")) != server_key(invite())


def test_a_cancel_repeats_what_names_its_invite() -> None:
    asked = invite(headers=("Route: <sip:192.0.2.7;lr>",))
    cancel = cancel_of(asked)
    assert cancel.headers["CSeq"] == "1 CANCEL"
    for name in ("Via", "From", "To", "Call-ID", "Route"):
        assert cancel.headers[name] == asked.headers[name]
