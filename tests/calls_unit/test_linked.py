"""Calls to `conference`, by a link and by name, on a fake engine in virtual time (semantics 1.1, 1.5.4, 2.3)."""

import asyncio
from typing import Any

import pytest

from mirliton.callflow import flow_runner
from mirliton.calls.inbound import InboundCalls
from mirliton.calls.linked import Linked
from mirliton.calls.rooms import Rooms
from mirliton.calls.transfers import Transfers
from mirliton.links import Invitation
from mirliton.sip.types import Link

from .fakes import FakeData, FakeEngine, FakeLeg, FakeNames, FakeSession, FakeSounds

pytestmark = pytest.mark.looptime

ID = "c" * 32
PIN = "conf-enter_conf_pin"
NUMBER = "conf-enter_conf_number"
QUIET = {"member-enter-sound": "joining", "enter-sound": "", "alone-sound": "", "moh-sound": ""}
CONFERENCE: dict[str, Any] = {
    "id": ID,
    "play_welcome": True,
    "member": {"pins": ["11"]},
    "moderator": {"pins": ["99"]},
    "conference_numbers": ["55"],
    "profile": QUIET,
}
KEYS: dict[str, Any] = {"controls": [{"digits": "1", "action": "transfer", "data": "3009"}]}


class KnownLinks:
    """`good` opens the conference until it is ended."""

    def __init__(self, pin: str = "11") -> None:
        self.pin = pin
        self.ended = False
        self.asked = 0

    async def verify(self, token: str, conference_id: str | None = None) -> Invitation | None:
        self.asked += 1
        good = token == "good" and conference_id in (None, ID) and not self.ended
        return Invitation("acc", ID, self.pin) if good else None


class House:
    """A server without sockets."""

    def __init__(self, links: KnownLinks | None = None, flows: dict[str, Any] | None = None, **keys: Any) -> None:
        data = FakeData({**CONFERENCE, **keys}, flows=flows)
        self.engine, names = FakeEngine(), FakeNames()
        self.rooms = Rooms(self.engine, FakeSounds(), node="node-1", max_rooms=10, names=names)
        runner = flow_runner(data, self.rooms, names)
        self.linked = Linked(links or KnownLinks(), data, self.rooms, names, Transfers(data, runner))
        self.calls = InboundCalls(
            self.engine, FakeSounds(), data, runner, media_address="127.0.0.1", arrivals=[self.linked]
        )
        self.tasks: list[asyncio.Task[None]] = []

    async def ring(
        self, user: str, link: Link | None = None, headers: dict[str, str] | None = None
    ) -> tuple[FakeSession, FakeLeg | None]:
        """Call in, and let the dialogue go as far as it does without time passing."""
        session = FakeSession(f"call-{len(self.tasks)}", user)
        session.link, session.headers = link, {f"x-conference-{name}": value for name, value in (headers or {}).items()}
        before = set(self.engine.legs)
        self.tasks.append(asyncio.get_running_loop().create_task(self.calls(session)))
        await asyncio.sleep(0.01)
        return session, next(iter(self.engine.legs - before), None)

    @property
    def roles(self) -> list[bool]:
        """Who is in the room; True is a moderator."""
        return [bool(one["conference_channel_vars"]["is_moderator"]) for one in self.rooms.participants("acc", ID)]


def heard(leg: FakeLeg | None) -> list[str]:
    assert leg is not None
    return leg.heard


@pytest.mark.parametrize(("user", "conference"), [("conference", None), (f"conference+{ID}", ID)])
async def test_a_good_link_leads_into_its_room_without_a_question(user: str, conference: str | None) -> None:
    house = House()
    session, leg = await house.ring(user, link=Link("good", conference))
    await asyncio.sleep(5)
    assert heard(leg) == ["conf-welcome", "joining"]
    assert house.roles == [False]
    assert house.linked.statistics.by_link == 1
    session.end()
    await asyncio.wait(house.tasks)
    assert not house.engine.legs


@pytest.mark.parametrize("link", [Link("bad", None), Link("", None), Link("good", "d" * 32)])
async def test_a_bad_link_is_forbidden_counted_and_costs_nothing(link: Link) -> None:
    house = House(flows={"conference": {"module": "conference", "data": {"id": ID}}})
    session, _ = await house.ring("conference", link=link, headers={"pin": "11"})
    assert [code for code, _ in session.rejections] == [403]
    assert house.linked.statistics.refused == 1
    assert not house.engine.legs
    assert house.roles == []


async def test_a_link_that_ends_between_door_and_room_is_forbidden() -> None:
    links = KnownLinks()
    house = House(links)
    assert await house.linked.admits(Link("good", None))
    assert not await house.linked.admits(Link("good", "d" * 32))
    links.ended = True
    session, _ = await house.ring("conference", link=Link("good", None))
    assert [code for code, _ in session.rejections] == [403]


async def test_a_header_does_not_make_more_of_a_link_than_it_is() -> None:
    house = House()
    await house.ring("conference", link=Link("good", None), headers={"pin": "99", "moderator": "true", "id": "d" * 32})
    await asyncio.sleep(5)
    assert house.roles == [False]


@pytest.mark.parametrize(("user", "headers"), [(f"conference+{ID}", {}), ("conference", {"id": ID})])
@pytest.mark.parametrize(("pin", "moderator"), [("11", False), ("99", True)])
async def test_a_caller_who_brings_a_right_pin_is_asked_for_nothing(
    user: str, headers: dict[str, str], pin: str, moderator: bool
) -> None:
    house = House()
    _, leg = await house.ring(user, headers={"pin": pin, **headers})
    await asyncio.sleep(5)
    assert PIN not in heard(leg)
    assert house.roles == [moderator]
    assert house.linked.statistics.by_name == 1


@pytest.mark.parametrize("headers", [{}, {"pin": "12"}, {"pin": ""}, {"moderator": "true"}])
async def test_without_a_right_pin_comes_the_usual_question(headers: dict[str, str]) -> None:
    house = House()
    _, leg = await house.ring(f"conference+{ID}", headers=headers)
    await asyncio.sleep(1.5)
    assert heard(leg)[-1] == PIN
    assert house.roles == []
    assert leg is not None
    for digit in "11#":
        assert leg.on_digit is not None
        leg.on_digit(digit)
    await asyncio.sleep(5)
    assert house.roles == [False]


async def test_without_a_conference_its_number_is_asked_for() -> None:
    house = House()
    _, leg = await house.ring("conference", headers={"pin": "11"})
    await asyncio.sleep(1.5)
    assert heard(leg)[-1] == NUMBER
    assert leg is not None
    for digit in "55#":
        assert leg.on_digit is not None
        leg.on_digit(digit)
    await asyncio.sleep(5)
    assert PIN not in heard(leg)
    assert house.roles == [False]


async def test_a_callflow_of_the_account_with_this_number_comes_first() -> None:
    house = House(flows={"conference": {"module": "response", "data": {"code": 486}}})
    session, _ = await house.ring("conference")
    assert [code for code, _ in session.rejections] == [486]
    _, leg = await house.ring(f"conference+{ID}", headers={"pin": "11"})
    assert heard(leg)[0] == "conf-welcome"


@pytest.mark.parametrize(
    "user", [f"conference+{'d' * 32}", "conference+", "conference+\0", "conferences", "CONFERENCE"]
)
async def test_names_that_lead_nowhere_are_unknown_numbers(user: str) -> None:
    house = House()
    session, _ = await house.ring(user)
    assert [code for code, _ in session.rejections] == [404]
    assert house.linked.statistics.by_name == 0
    assert len(house.rooms) == 0


async def test_another_domain_has_other_conferences() -> None:
    house = House()
    session = FakeSession("call", f"conference+{ID}")
    session.request_host = "elsewhere.example"
    await house.calls(session)
    assert [code for code, _ in session.rejections] == [404]


async def test_a_caller_by_link_who_is_transferred_goes_on_at_the_number() -> None:
    flows = {"3009": {"module": "play", "data": {"id": "there"}}}
    house = House(flows=flows, **KEYS)
    _, leg = await house.ring("conference", link=Link("good", None))
    await asyncio.sleep(5)
    assert leg is not None
    assert leg.on_digit is not None
    leg.on_digit("1")
    await asyncio.sleep(5)
    assert "there" in leg.heard
    assert house.roles == []


async def test_a_transfer_to_a_number_that_leads_nowhere_ends_the_call() -> None:
    house = House(**KEYS)
    session, leg = await house.ring("conference", link=Link("good", None))
    await asyncio.sleep(5)
    assert leg is not None
    assert leg.on_digit is not None
    leg.on_digit("1")
    await asyncio.wait(house.tasks)
    assert session.hang_ups == 1
    assert not house.engine.legs
