"""Two agents call each other over real loopback sockets."""

import asyncio

import pytest

from mirliton.sip.peer import TransportName
from mirliton.sip.types import Session, SessionEnded, SessionRefused

from .conftest import ANSWER, OFFER, StartAgent, uri_of


@pytest.mark.parametrize("transport", ["udp", "tcp"])
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
