"""Two agents call each other over real loopback sockets."""

import asyncio

import pytest
import uvloop

from mirliton.settings import SipSettings
from mirliton.sip.agent import SipAgent
from mirliton.sip.peer import TransportName
from mirliton.sip.types import Session, SessionEnded, SessionRefused

from .conftest import ANSWER, OFFER, Credentials, StartAgent, answering, uri_of

TRANSPORTS: tuple[TransportName, ...] = ("udp", "tcp")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_call_is_answered_and_hung_up_by_the_caller(start_agent: StartAgent, transport: TransportName) -> None:
    heard: list[Session] = []
    ended = asyncio.Event()

    async def handler(session: Session) -> None:
        heard.append(session)
        session.on_ended = lambda reason: ended.set()
        await session.ring()
        await session.answer(ANSWER)

    server = await start_agent(handler)
    phone = await start_agent()
    codes: list[int] = []
    session = await phone.invite(
        uri_of(server, "4242"), OFFER, display='A "B"', transport=transport, on_progress=codes.append
    )
    assert session.answer_sdp == ANSWER
    assert codes == [180]
    assert (heard[0].request_user, heard[0].offer, heard[0].from_name) == ("4242", OFFER, 'A "B"')
    assert heard[0].remote_address[0] == "127.0.0.1"
    await session.hang_up()
    await asyncio.wait_for(ended.wait(), 5)
    await phone.stop()
    assert server.statistics()["sessions"] == server.statistics()["dialogs"] == 0
    assert phone.statistics()["sessions"] == 0
    assert server.statistics()["retransmissions"] == 0


async def test_the_called_side_hangs_up(start_agent: StartAgent) -> None:
    async def handler(session: Session) -> None:
        await session.answer(ANSWER)
        await session.hang_up()

    server = await start_agent(handler)
    phone = await start_agent()
    session = await phone.invite(uri_of(server), OFFER)
    reasons: asyncio.Queue[str] = asyncio.Queue()
    session.on_ended = reasons.put_nowait
    assert await asyncio.wait_for(reasons.get(), 5) == "hung up by the other side"
    assert reasons.empty()


async def test_a_refusal_reaches_the_caller(start_agent: StartAgent) -> None:
    async def handler(session: Session) -> None:
        session.reject(486)

    server = await start_agent(handler)
    phone = await start_agent()
    with pytest.raises(SessionRefused) as refused:
        await phone.invite(uri_of(server), OFFER)
    assert (refused.value.code, refused.value.reason) == (486, "Busy Here")


async def test_cancelling_the_call_coroutine_cancels_the_invite(start_agent: StartAgent) -> None:
    ringing, reasons = asyncio.Event(), asyncio.Queue[str]()

    async def handler(session: Session) -> None:
        session.on_ended = reasons.put_nowait
        await session.ring()
        ringing.set()
        reason = await asyncio.wait_for(reasons.get(), 5)
        with pytest.raises(SessionEnded):
            await session.answer(ANSWER)
        reasons.put_nowait(reason)

    server = await start_agent(handler)
    phone = await start_agent()
    call = asyncio.create_task(phone.invite(uri_of(server), OFFER))
    await asyncio.wait_for(ringing.wait(), 5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await phone.stop()
    assert await asyncio.wait_for(reasons.get(), 5) == "cancelled by the other side"


async def test_a_stranger_needs_the_password_of_a_device(start_agent: StartAgent) -> None:
    devices: list[str] = []

    async def handler(session: Session) -> None:
        devices.append(session.device.username if session.device else "nobody")
        await session.answer(ANSWER)

    server = await start_agent(handler, trusted=[])
    phone = await start_agent()
    with pytest.raises(SessionRefused) as refused:
        await phone.invite(uri_of(server), OFFER, credentials=("alice", "wrong"))
    assert refused.value.code == 401
    assert server.statistics()["received INVITE"] == 2
    await phone.invite(uri_of(server), OFFER, credentials=("alice", "secret"))
    assert devices == ["alice"]


async def test_stopping_hangs_up_every_call(start_agent: StartAgent) -> None:
    server = await start_agent()
    phone = await start_agent()
    ended = asyncio.Event()
    session = await phone.invite(uri_of(server), OFFER)
    session.on_ended = lambda reason: ended.set()
    await server.stop()
    assert ended.is_set()


async def test_both_sides_change_their_media(start_agent: StartAgent) -> None:
    changes: list[bytes | None] = []
    heard: list[Session] = []

    async def handler(session: Session) -> None:
        heard.append(session)

        def change(sdp: bytes | None) -> bytes | None:
            changes.append(sdp)
            return ANSWER if sdp != b"v=0\r\n" else None

        session.on_media_change = change
        await session.answer(ANSWER)

    server, phone = await start_agent(handler), await start_agent()
    session = await phone.invite(uri_of(server), OFFER)
    assert await session.reinvite(OFFER) == ANSWER
    with pytest.raises(SessionRefused) as refused:
        await session.reinvite(b"v=0\r\n")
    assert refused.value.code == 488
    session.on_media_change = lambda sdp: OFFER
    assert await heard[0].reinvite(ANSWER) == OFFER
    assert changes == [OFFER, b"v=0\r\n"]
    await session.hang_up()
    with pytest.raises(SessionEnded):
        await session.reinvite(OFFER)


@pytest.mark.parametrize("bad", ["", "1000", "tel:+31", "sips:a@b", "sip:a b@c"])
async def test_what_cannot_be_called_is_said_at_once(start_agent: StartAgent, bad: str) -> None:
    phone = await start_agent()
    with pytest.raises(ValueError, match=r"URI|called"):
        await phone.invite(bad, OFFER)
    with pytest.raises(ValueError, match="not a safe header"):
        await phone.invite("sip:a@127.0.0.1", OFFER, headers={"X-A": "b\r\nVia: c"})


def test_calls_work_on_uvloop_too() -> None:
    async def both_transports() -> None:
        agents = [SipAgent(SipSettings(listen="127.0.0.1:0"), answering, Credentials()) for _ in range(2)]
        for agent in agents:
            await agent.start()
        for transport in TRANSPORTS:
            session = await agents[0].invite(uri_of(agents[1]), OFFER, transport=transport)
            assert session.answer_sdp == ANSWER
        for agent in agents:
            await agent.stop()
        assert [agent.statistics()["sessions"] for agent in agents] == [0, 0]

    uvloop.run(both_transports())
