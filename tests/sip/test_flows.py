"""A registered phone behind a NAT is called by the way its REGISTER came, and calls may bring their own Call-ID."""

import asyncio
from collections.abc import Callable

import pytest
from sipmessage import Request

from mirliton.sip.agent import SipAgent
from mirliton.sip.digest import answer_challenges
from mirliton.sip.grammar import is_call_id
from mirliton.sip.message import respond, set_body, to_wire
from mirliton.sip.registrar import Binding
from mirliton.sip.types import SessionRefused

from .conftest import ANSWER, OFFER, StartAgent, until, uri_of
from .raw import Datagrams, Stream

INSIDE = "sip:desk@10.255.255.1:5062"
"""What a phone behind a NAT takes for its own address: nothing can be sent there."""

Hidden = Datagrams | Stream


async def register(phone: Hidden, server: SipAgent) -> Binding:
    fields: dict[str, object] = {"uri": "sip:mirliton.local", "contact": INSIDE}
    challenged = await phone.ask("REGISTER", **fields)
    offered = challenged.headers.getlist("WWW-Authenticate")
    value = answer_challenges(offered, "REGISTER", "sip:mirliton.local", "alice", "secret")
    assert (await phone.ask("REGISTER", cseq=2, headers=(f"Authorization: {value}",), **fields)).code == 200
    (binding,) = server.registrar.lookup("account", "device", server.now())
    return binding


async def pick_up(phone: Hidden) -> tuple[Request, list[str]]:
    """Answer a call as a phone that knows only its inside address; the INVITE, and what followed until the BYE."""
    invite = await phone.receive()
    assert isinstance(invite, Request)
    accepted = respond(invite, 200, local_tag="hidden", headers={"Contact": f"<{INSIDE}>"})
    set_body(accepted, ANSWER)
    await phone.send(to_wire(accepted))
    followed: list[str] = []
    while not followed or followed[-1] != "BYE":
        request = await phone.receive()
        assert isinstance(request, Request)
        followed.append(request.method)
        if request.method != "ACK":
            await phone.send(to_wire(respond(request, 200)))
    return invite, followed


@pytest.mark.parametrize("kind", [Datagrams, Stream])
async def test_a_phone_behind_a_nat_is_called_by_its_flow(
    start_agent: StartAgent, kind: Callable[[int], Hidden]
) -> None:
    server = await start_agent()
    with kind(server.listening[1]) as phone:
        binding = await register(phone, server)
        assert binding.uri == INSIDE
        answering = asyncio.create_task(pick_up(phone))
        session = await server.invite(binding.uri, OFFER, call_id="leg-1@here", flow=binding.flow)
        await session.hang_up()
        invite, followed = await asyncio.wait_for(answering, 5)
    assert (str(invite.uri), invite.headers["Call-ID"], session.answer_sdp) == (INSIDE, "leg-1@here", ANSWER)
    assert session.call_id == "leg-1@here"
    assert followed == ["ACK", "BYE"]


async def test_a_phone_whose_connection_is_gone_is_not_there(start_agent: StartAgent) -> None:
    server = await start_agent()
    with Stream(server.listening[1]) as phone:
        binding = await register(phone, server)
    await until(lambda: not server.statistics()["open_connections"])
    with pytest.raises(SessionRefused) as refused:
        await server.invite(binding.uri, OFFER, flow=binding.flow)
    assert refused.value.code == 480
    assert server.statistics()["sessions"] == 0


async def test_a_call_id_is_used_once_at_a_time(start_agent: StartAgent) -> None:
    server, phone = await start_agent(), await start_agent()
    session = await phone.invite(uri_of(server), OFFER, call_id="mine")
    with pytest.raises(ValueError, match="another call"):
        await phone.invite(uri_of(server), OFFER, call_id="mine")
    assert phone.statistics()["sessions"] == 1
    await session.hang_up()
    await until(lambda: not phone.statistics()["sessions"])
    assert (await phone.invite(uri_of(server), OFFER, call_id="mine")).call_id == "mine"


@pytest.mark.parametrize("bad", ["", "a b", "a@b@c", "a\r\nVia: x", "a" * 300, "naïve", "a;b"])
async def test_what_is_no_call_id_is_refused(start_agent: StartAgent, bad: str) -> None:
    phone = await start_agent()
    with pytest.raises(ValueError, match="not a Call-ID"):
        await phone.invite("sip:a@127.0.0.1:9", OFFER, call_id=bad)


def test_call_ids_follow_the_grammar() -> None:
    assert all(is_call_id(text) for text in ("a", "f81d4fae-7dec@foo.bar.com", r"""<a>"\/[x]?{y}(z):.!%*_+`'~-"""))


async def test_the_first_to_answer_wins_and_the_others_are_cancelled(start_agent: StartAgent) -> None:
    server = await start_agent()
    with Datagrams(server.listening[1]) as never, Datagrams(server.listening[1]) as soon:
        calls = [asyncio.create_task(server.invite(f"sip:x@127.0.0.1:{phone.port}", OFFER)) for phone in (never, soon)]
        ringing = await never.receive()
        assert isinstance(ringing, Request)
        await never.send(to_wire(respond(ringing, 180, local_tag="never")))
        answering = asyncio.create_task(pick_up(soon))
        session = await calls[1]
        calls[0].cancel()
        cancel = await never.receive()
        assert isinstance(cancel, Request)
        assert cancel.method == "CANCEL"
        await never.send(to_wire(respond(cancel, 200)))
        await never.send(to_wire(respond(ringing, 487, local_tag="never")))
        acknowledged = await never.receive()
        with pytest.raises(asyncio.CancelledError):
            await calls[0]
        await session.hang_up()
        await asyncio.wait_for(answering, 5)
    assert isinstance(acknowledged, Request)
    assert acknowledged.method == "ACK"
    assert server.statistics()["sessions"] == 0
