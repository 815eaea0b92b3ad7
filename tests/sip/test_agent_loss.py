"""Two whole agents over a network that loses packets, in virtual time: calls come about, and nothing is left behind."""

import asyncio
import random
from collections.abc import Callable

import pytest

from mirliton.settings import SipSettings
from mirliton.sip.agent import SipAgent
from mirliton.sip.peer import Peer
from mirliton.sip.transport import Transports
from mirliton.sip.types import Session, SessionEnded, SessionRefused

from .conftest import ANSWER, OFFER, Credentials, uri_of

Lose = Callable[[bytes], bool]


class Network:
    """Delivers datagrams between agents after 20 ms, without sockets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lose: Lose) -> None:
        self._agents: dict[int, Transports] = {}
        self._lose = lose

        async def start(transports: Transports, host: str, port: int) -> None:
            transports.listening = host, 5060 + len(self._agents)
            self._agents[transports.listening[1]] = transports

        def send(transports: Transports, data: bytes, peer: Peer) -> None:
            source = Peer("udp", *transports.listening)
            if not self._lose(data):
                asyncio.get_running_loop().call_later(0.02, self._agents[peer.port].receive, data, source)

        monkeypatch.setattr(Transports, "start", start)
        monkeypatch.setattr(Transports, "send", send)


async def pair(monkeypatch: pytest.MonkeyPatch, lose: Lose) -> tuple[SipAgent, SipAgent, list[str]]:
    """A phone, a server that answers, and the reasons why its calls ended."""
    reasons: list[str] = []

    async def handler(session: Session) -> None:
        session.on_ended = reasons.append
        session.on_media_change = lambda sdp: ANSWER
        await session.answer(ANSWER)

    Network(monkeypatch, lose)
    agents = [SipAgent(SipSettings(listen="127.0.0.1:0"), handler, Credentials()) for _ in range(2)]
    for agent in agents:
        await agent.start()
    return agents[0], agents[1], reasons


def lose_first(start: bytes, times: int) -> Lose:
    """Lose the first copies of one kind of message."""
    left = [times]

    def lose(data: bytes) -> bool:
        if not data.startswith(start) or left[0] == 0:
            return False
        left[0] -= 1
        return True

    return lose


@pytest.mark.looptime
@pytest.mark.parametrize("start", [b"INVITE", b"SIP/2.0 200", b"ACK", b"BYE"])
async def test_each_kind_of_message_may_be_lost(monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    phone, server, reasons = await pair(monkeypatch, lose_first(start, 3))
    session = await phone.invite(uri_of(server), OFFER)
    await asyncio.sleep(20)
    assert server.statistics()["sessions"] == 1
    await session.hang_up()
    await asyncio.sleep(20)
    assert reasons == ["hung up by the other side"]
    assert server.statistics()["sessions"] == phone.statistics()["sessions"] == 0
    assert phone.statistics()["retransmissions"] + server.statistics()["retransmissions"] >= 3


@pytest.mark.looptime
async def test_without_any_ack_the_server_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    phone, server, reasons = await pair(monkeypatch, lose_first(b"ACK", 1000))
    session = await phone.invite(uri_of(server), OFFER)
    await asyncio.sleep(40)
    assert reasons == ["no ACK came"]
    assert session.ended == "hung up by the other side"


@pytest.mark.looptime
async def test_a_session_is_refreshed_and_a_dead_peer_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    cut = asyncio.Event()
    phone, server, reasons = await pair(monkeypatch, lambda data: cut.is_set())
    session = await phone.invite(uri_of(server), OFFER)
    told: list[str] = []
    session.on_ended = told.append
    await asyncio.sleep(4000)
    assert phone.statistics()["sent UPDATE"] == 4
    assert told == reasons == []
    cut.set()
    await asyncio.sleep(2000)
    assert told == ["the other side does not answer"]
    assert reasons == ["session timer expired"]
    await asyncio.sleep(100)
    for agent in (phone, server):
        assert [agent.statistics()[name] for name in ("sessions", "dialogs", "transactions")] == [0, 0, 0]


@pytest.mark.looptime
@pytest.mark.parametrize("seed", range(20))
async def test_whatever_is_lost_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    chance = random.Random(seed)
    phone, server, _ = await pair(monkeypatch, lambda data: chance.random() < 0.4)
    for _ in range(3):
        try:
            session = await phone.invite(uri_of(server), OFFER, timeout=chance.choice((1, 60)))
            await session.reinvite(OFFER)
            await session.hang_up()
        except (SessionRefused, SessionEnded):
            continue
    await asyncio.sleep(3000)
    for agent in (phone, server):
        assert [agent.statistics()[name] for name in ("sessions", "dialogs", "transactions")] == [0, 0, 0]
