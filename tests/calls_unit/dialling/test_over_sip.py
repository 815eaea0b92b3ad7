"""Calls over real SIP on the loopback: the server's agent, other agents that are called, and the store's documents."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mirliton.calls.dialling.budget import StoredBudgets
from mirliton.calls.dialling.dialler import Dialler
from mirliton.calls.dialling.stored import StoredCallees
from mirliton.calls.rooms import Rooms
from mirliton.calls.stored import StoredCallData
from mirliton.settings import DialSettings
from mirliton.sip.agent import SipAgent
from mirliton.sip.sdp import answer_offer
from mirliton.sip.types import Session
from mirliton.store import Document, Store, bootstrap
from tests.sip.conftest import StartAgent, start_agent, until, uri_of

from ..fakes import FakeEngine, FakeSounds

__all__ = ["start_agent"]  # a fixture of the SIP tests, for this module too

ROOM = {"alone-sound": "", "moh-sound": "", "enter-sound": "", "exit-sound": ""}


class Callee:
    """Answers, or only rings; notes who called and how it ended."""

    def __init__(self, *, answers: bool = True) -> None:
        self.sessions: list[Session] = []
        self.endings: list[str] = []
        self._answers = answers

    async def __call__(self, session: Session) -> None:
        self.sessions.append(session)
        session.on_ended = self.endings.append
        await session.ring()
        if self._answers:
            assert session.offer is not None
            await session.answer(answer_offer(session.offer, "127.0.0.1", 40_000, 1, 1)[0])


class Bridge:
    """What a test needs."""

    def __init__(self, agent: SipAgent, store: Store, account: Document, **dial: Any) -> None:
        self.store, self.account, self.agent = store, account, agent
        self.engine = FakeEngine()
        self.rooms = Rooms(self.engine, FakeSounds())
        settings = DialSettings(**dial)
        budgets = StoredBudgets(store.documents, calls_per_day=settings.calls_per_day, minutes_per_day=10)
        self.dialler = Dialler(
            agent,
            self.engine,
            FakeSounds(),
            self.rooms,
            StoredCallData(store),
            StoredCallees(store),
            budgets,
            settings,
            media_address="127.0.0.1",
        )

    async def dial(self, *endpoints: Any, **request: Any) -> list[dict[str, Any]]:
        request = {"endpoints": list(endpoints), "profile": ROOM, **request}
        return await self.dialler.dial(self.account.id, "party", request)


@pytest.fixture
async def bridge(start_agent: StartAgent, tmp_path: Path) -> AsyncIterator[Bridge]:
    store = Store(None, tmp_path)
    await store.open()
    made = Bridge(await start_agent(), store, await bootstrap(store, tmp_path))
    yield made
    await made.dialler.close()
    await made.rooms.close()
    assert not made.engine.legs
    await store.close()


async def test_a_room_of_another_server_is_called_with_a_password_and_hung_up_at_the_end(
    bridge: Bridge, start_agent: StartAgent
) -> None:
    callee = Callee()
    other = await start_agent(callee, trusted=[])
    sip = {"route": uri_of(other, "3000"), "username": "alice", "password": "secret"}
    (response,) = await bridge.dial(
        {"sip": sip, "bridge": True}, caller_id_name="Sales", caller_id_number="100", outbound_call_id="xyz-abc@here"
    )
    assert response["status"] == "success", response
    (session,) = callee.sessions
    assert (session.call_id, session.from_name, session.from_number) == ("xyz-abc@here", "Sales", "100")
    assert (session.request_user, session.device.username if session.device else "") == ("3000", "alice")
    (member,) = bridge.rooms.participants(bridge.account.id, "party")
    assert (member["call_id"], member["caller_id_number"]) == ("xyz-abc@here", "3000")
    (leg,) = bridge.engine.legs
    assert (leg.agreements[0].remote_address, leg.agreements[0].remote_port) == ("127.0.0.1", 40_000)
    await bridge.dialler.close()
    await until(lambda: len(callee.endings) == 1)
    assert bridge.rooms.participants(bridge.account.id, "party") == []


async def test_a_wrong_password_is_a_refusal(bridge: Bridge, start_agent: StartAgent) -> None:
    other = await start_agent(Callee(), trusted=[])
    sip = {"route": uri_of(other), "username": "alice", "password": "wrong"}
    (response,) = await bridge.dial({"sip": sip})
    assert response["status"] == "error"
    assert "wrong" not in str(response)


async def test_of_a_users_phones_one_answers_and_the_others_are_cancelled(
    bridge: Bridge, start_agent: StartAgent
) -> None:
    deaf, quick = Callee(answers=False), Callee()
    documents, account_id = bridge.store.documents, bridge.account.id
    user = await documents.create(account_id, "user", {"username": "anna"})
    for callee in (deaf, quick):
        route = uri_of(await start_agent(callee))
        await documents.create(account_id, "device", {"name": "x", "owner_id": user.id, "sip": {"route": route}})
    (response,) = await bridge.dial(user.id)
    assert response["status"] == "success", response
    await until(lambda: len(deaf.endings) == 1)
    assert len(quick.sessions) == 1
    assert quick.endings == []


async def test_who_hangs_up_is_out_of_the_room(bridge: Bridge, start_agent: StartAgent) -> None:
    callee = Callee()
    await bridge.dial(uri_of(await start_agent(callee)))
    await callee.sessions[0].hang_up()
    await until(lambda: not bridge.rooms.participants(bridge.account.id, "party"))
    await until(lambda: bridge.dialler.statistics.active == 0)


async def test_what_still_rings_when_the_server_stops_is_cancelled(bridge: Bridge, start_agent: StartAgent) -> None:
    callee = Callee(answers=False)
    asking = asyncio.ensure_future(bridge.dial(uri_of(await start_agent(callee))))
    await until(lambda: bool(callee.sessions))
    await bridge.dialler.close()
    assert (await asking)[0]["status"] == "error"
    await until(lambda: len(callee.endings) == 1)


async def test_an_extension_is_what_a_callflow_of_the_account_says(bridge: Bridge, start_agent: StartAgent) -> None:
    callee = Callee()
    documents, account_id = bridge.store.documents, bridge.account.id
    route = uri_of(await start_agent(callee))
    device = await documents.create(account_id, "device", {"name": "desk", "sip": {"route": route}})
    flow = {"module": "device", "data": {"id": device.id}}
    await documents.create(account_id, "callflow", {"numbers": ["100"], "flow": flow})
    await documents.create(account_id, "callflow", {"patterns": ["2.."], "numbers": [], "flow": flow})
    by_number, by_pattern = await bridge.dial("100", "200")
    assert (by_number["status"], by_number["endpoint_id"]) == ("success", device.id)
    assert by_pattern["status"] == "error"
    assert len(callee.sessions) == 1
