"""A registration of ours: passwords, intervals, refreshes, and its end. Pure, and against our own registrar."""

import asyncio

import pytest
from sipmessage import Request, Response

from mirliton.sip import registering
from mirliton.sip.digest import put_answer
from mirliton.sip.grammar import parse_uri
from mirliton.sip.message import cseq
from mirliton.sip.outputs import Ask, Finished, Refused, Registered
from mirliton.sip.registering import Output, Phase, Registering
from mirliton.sip.types import Session, SessionRefused

from .conftest import ANSWER, OFFER, StartAgent, until
from .messages import answer_to
from .raw import Datagrams

CHALLENGE = 'Digest realm="mirliton.local", nonce="n", algorithm=MD5, qop="auth"'
STALE = f"{CHALLENGE}, stale=true"


def machine(expires: int = 3600, *, known: bool = True) -> Registering:
    def authorize(request: Request, response: Response) -> bool:
        return known and put_answer(request, response, ("alice", "secret"))

    return Registering(
        parse_uri("sip:mirliton.local"), "sip:alice@mirliton.local", "<sip:alice@192.0.2.1:5062>", expires, authorize
    )


def asked(outputs: list[Output]) -> Request:
    (output,) = outputs
    assert isinstance(output, Ask)
    return output.request


def answer(usage: Registering, request: Request, code: int, now: float = 0.0, **headers: str) -> list[Output]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return usage.receive_response(request, answer_to(request, code, headers=fields), now)


def registered(now: float = 0.0, granted: str = "3600") -> Registering:
    usage = machine()
    assert answer(usage, asked(usage.start()), 200, now, Expires=granted) == [Registered(int(granted))]
    return usage


def test_a_contact_is_registered_and_refreshed_before_it_expires() -> None:
    usage = registered(granted="100")
    assert usage.next_deadline == 75
    assert usage.timer(74) == []
    request = asked(usage.timer(75))
    assert request.headers["Contact"] == "<sip:alice@192.0.2.1:5062>"
    assert cseq(request) == (2, "REGISTER")
    assert answer(usage, request, 200, 75.1, Expires="100") == [Registered(100)]
    assert usage.next_deadline == pytest.approx(150.1)


def test_what_counts_is_what_the_registrar_says_of_our_own_contact() -> None:
    usage = machine()
    response = answer_to(asked(usage.start()), 200, headers={"Expires": "7200"})
    response.headers.setlist("Contact", ["<sip:bob@192.0.2.9>;expires=9", "<sip:alice@192.0.2.1:5062>;expires=120"])
    request = Request("REGISTER", parse_uri("sip:mirliton.local"))
    request.headers.set("CSeq", "1 REGISTER")
    assert usage.receive_response(request, response, 0) == [Registered(120)]


@pytest.mark.parametrize(
    ("code", "asks", "answers"),
    [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
)
def test_a_challenge_is_answered_once_and_again_only_when_its_nonce_was_stale(
    code: int, asks: str, answers: str
) -> None:
    usage = machine()
    second = asked(answer(usage, asked(usage.start()), code, 0.0, **{asks: CHALLENGE}))
    assert 'username="alice"' in second.headers[answers]
    third = asked(answer(usage, second, code, 0.0, **{asks: STALE}))
    refused, finished = answer(usage, third, code, 0.0, **{asks: CHALLENGE})
    assert isinstance(refused, Refused)
    assert (refused.code, finished, usage.phase) == (code, Finished(), Phase.ENDED)


def test_a_registrar_that_finds_every_nonce_stale_is_given_up() -> None:
    usage = machine()
    outputs, requests = usage.start(), 0
    while isinstance(outputs[0], Ask):
        requests += 1
        outputs = answer(usage, outputs[0].request, 401, WWW_Authenticate=STALE)
    assert outputs == [Refused(401, "Unauthorized"), Finished()]
    assert requests == 4


def test_without_a_password_a_challenge_is_a_refusal() -> None:
    usage = machine(known=False)
    assert answer(usage, asked(usage.start()), 401, WWW_Authenticate=CHALLENGE)[0] == Refused(401, "Unauthorized")


def test_a_longer_interval_is_taken_when_the_registrar_wants_it() -> None:
    usage = machine(expires=10)
    second = asked(answer(usage, asked(usage.start()), 423, Min_Expires="60"))
    assert second.headers["Expires"] == "60"
    assert answer(usage, second, 423, Min_Expires="60") == [Refused(423, "Interval Too Brief"), Finished()]


@pytest.mark.parametrize("minimum", ["", "x", "0", "99999999"])
def test_a_423_that_makes_no_sense_is_a_refusal(minimum: str) -> None:
    usage = machine()
    assert answer(usage, asked(usage.start()), 423, Min_Expires=minimum)[0] == Refused(423, "Interval Too Brief")


def test_a_refresh_that_fails_is_tried_again_with_growing_pauses() -> None:
    usage, now, pauses = registered(), 2700.0, []
    request = asked(usage.timer(now))
    for _ in range(9):
        assert usage.request_failed(request, now) == [Refused(408, "the registrar does not answer")]
        assert usage.next_deadline is not None
        pauses.append(usage.next_deadline - now)
        now = usage.next_deadline
        request = asked(usage.timer(now))
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert answer(usage, request, 503, now, Retry_After="7")[0] == Refused(503, "Service Unavailable")
    now = usage.next_deadline or 0
    assert answer(usage, asked(usage.timer(now)), 200, now, Expires="3600") == [Registered(3600)]


@pytest.mark.parametrize("code", [403, 404, 603])
def test_a_refresh_that_is_refused_ends_the_registration(code: int) -> None:
    usage = registered()
    outputs = answer(usage, asked(usage.timer(2700)), code, 2700)
    assert isinstance(outputs[0], Refused)
    assert outputs[1:] == [Finished()]
    assert usage.next_deadline is None
    assert usage.leave() == []


def test_a_lost_connection_is_made_again_soon_but_not_in_a_tight_loop() -> None:
    usage, now = registered(), 100.0
    pauses = []
    for _ in range(3):
        assert usage.flow_lost(now) == []
        assert usage.next_deadline is not None
        pauses.append(usage.next_deadline - now)
        now = usage.next_deadline
    assert pauses == [5, 10, 20]
    assert answer(usage, asked(usage.timer(now)), 200, now, Expires="3600") == [Registered(3600)]
    assert usage.next_deadline == now + 2700
    usage.leave()
    assert usage.flow_lost(now) == []
    assert usage.next_deadline is None


def test_leaving_takes_the_contact_back_with_a_password_if_need_be() -> None:
    usage = registered()
    first = asked(usage.leave())
    assert first.headers["Expires"] == "0"
    second = asked(answer(usage, first, 401, WWW_Authenticate=CHALLENGE))
    assert second.headers["Expires"] == "0"
    assert answer(usage, second, 200) == [Finished()]
    assert usage.leave() == []


def test_leaving_does_not_wait_for_a_registrar_that_is_gone() -> None:
    usage = registered()
    assert usage.request_failed(asked(usage.leave()), 40) == [Finished()]


def test_an_answer_to_an_older_request_changes_nothing() -> None:
    usage = machine()
    first = asked(usage.start())
    last = asked(usage.leave())
    assert answer(usage, first, 200, Expires="3600") == []
    assert usage.request_failed(first, 1) == []
    assert answer(usage, last, 200) == [Finished()]


async def test_a_phone_registers_is_called_and_leaves(start_agent: StartAgent) -> None:
    heard: list[str] = []

    async def handler(session: Session) -> None:
        heard.append(session.request_user)
        await session.answer(ANSWER)

    server, phone = await start_agent(), await start_agent(handler)
    host, port = server.listening
    registration = await phone.register(
        "sip:alice@mirliton.local", registrar=f"sip:{host}:{port}", credentials=("alice", "secret")
    )
    (binding,) = server.registrar.lookup("account", "device", server.now())
    assert registration.expires == 3600
    session = await server.invite(binding.uri, OFFER, flow=binding.flow)
    assert heard == ["alice"]
    await session.hang_up()
    await registration.close()
    assert registration.ended
    assert server.registrar.lookup("account", "device", server.now()) == []
    assert phone.statistics()["own_registrations"] == 0


async def test_stopping_the_agent_takes_its_contacts_back(start_agent: StartAgent) -> None:
    server, phone = await start_agent(), await start_agent()
    registration = await phone.register(
        f"sip:alice@127.0.0.1:{server.listening[1]}", credentials=("alice", "secret"), transport="tcp"
    )
    assert len(server.registrar) == 1
    await phone.stop()
    assert len(server.registrar) == 0
    await asyncio.wait_for(registration.close(), 1)


async def test_a_registration_over_tcp_is_called_through_its_connection(start_agent: StartAgent) -> None:
    server, phone = await start_agent(), await start_agent()
    uri = f"sip:alice@127.0.0.1:{server.listening[1]}"
    await phone.register(uri, credentials=("alice", "secret"), transport="tcp")
    (binding,) = server.registrar.lookup("account", "device", server.now())
    assert binding.flow.transport == "tcp"
    session = await server.invite(binding.uri, OFFER, flow=binding.flow)
    await session.hang_up()
    await until(lambda: not server.statistics()["sessions"])
    assert server.statistics()["open_connections"] == 1


async def test_a_registration_whose_connection_broke_is_made_anew(
    start_agent: StartAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering, "_FIRST_PAUSE", 0.05)
    server, phone = await start_agent(), await start_agent()
    uri = f"sip:alice@127.0.0.1:{server.listening[1]}"
    await phone.register(uri, credentials=("alice", "secret"), transport="tcp")
    (before,) = server.registrar.lookup("account", "device", server.now())
    server._wire.transports.close(before.flow)
    await until(lambda: server.registrar.lookup("account", "device", server.now())[0].flow != before.flow)
    (binding,) = server.registrar.lookup("account", "device", server.now())
    session = await server.invite(binding.uri, OFFER, flow=binding.flow)
    await session.hang_up()


@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("bob", "secret")])
async def test_a_wrong_password_does_not_register(start_agent: StartAgent, user: str, password: str) -> None:
    server, phone = await start_agent(), await start_agent()
    with pytest.raises(SessionRefused) as refused:
        await phone.register(f"sip:alice@127.0.0.1:{server.listening[1]}", credentials=(user, password))
    assert refused.value.code == 401
    assert server.statistics()["received REGISTER"] == 2
    assert phone.statistics()["own_registrations"] == len(server.registrar) == 0


async def test_giving_up_before_the_registrar_answers_takes_the_contact_back(start_agent: StartAgent) -> None:
    phone = await start_agent()
    with Datagrams(phone.listening[1]) as silent:
        waiting = asyncio.create_task(phone.register(f"sip:alice@127.0.0.1:{silent.port}"))
        first = await silent.receive()
        waiting.cancel()
        while (last := await silent.receive()).headers["CSeq"] == first.headers["CSeq"]:
            pass
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert last.headers["Expires"] == "0"


@pytest.mark.parametrize("aor", ["", "alice", "sip:mirliton.local", "tel:1", "sip:a b@c"])
async def test_what_cannot_be_registered_is_said_at_once(start_agent: StartAgent, aor: str) -> None:
    phone = await start_agent()
    with pytest.raises(ValueError, match=r"URI|called|user name"):
        await phone.register(aor)
    with pytest.raises(ValueError, match="seconds"):
        await phone.register("sip:alice@127.0.0.1", expires=0)
