"""Flows: semantics 1.2, and the actions around a conference."""

from typing import Any

import pytest

from mirliton.callflow import standard_actions
from mirliton.callflow.flow import Visit
from mirliton.callflow.walker import FlowWalker
from mirliton.calls.ports import Route
from mirliton.conference.directory import Directory
from mirliton.conference.entry import Admission
from mirliton.conference.ports import CallerInfo, HungUp, NameNotKept, Recorded, Sound
from mirliton.conference.profile import Configuration


class FakeCall:
    """Notes what is done to it."""

    def __init__(self) -> None:
        self.info = CallerInfo("call-1", "acc")
        self.done: list[Any] = []
        self.gone = False

    async def answer(self) -> None:
        if self.gone:
            raise HungUp
        self.done.append("answer")

    def play(self, sounds: list[Sound] | tuple[Sound, ...] | Any, language: str) -> None:
        self.done.append(("play", *sounds))

    async def play_to_end(self, sounds: Any, language: str) -> None:
        self.play(sounds, language)

    async def collect(self, *_: Any, **__: Any) -> str:
        raise HungUp

    async def record(self, *_: Any, **__: Any) -> Recorded | None:
        return None

    async def hang_up(self) -> None:
        self.done.append("hang up")

    def refuse(self, code: int, reason: str | None = None) -> None:
        self.done.append((code, reason))

    async def pause(self, seconds: float) -> None:
        self.done.append(("pause", seconds))


class FakeWorld:
    """Documents, callflows and rooms in one."""

    def __init__(self, **callflows: dict[str, Any]) -> None:
        self.callflows = callflows
        self.rooms = Directory()
        self.joined: list[Admission] = []
        self.onward: list[str] = []  # where rooms let callers go on to

    async def conference(self, account_id: str, conference_id: str) -> None:
        return None

    async def conferences_by_number(self, account_id: str, number: str) -> list[dict[str, Any]]:
        return []

    async def conference_configuration(self, account_id: str) -> Configuration:
        return Configuration()

    async def callflow(self, account_id: str, callflow_id: str) -> dict[str, Any] | None:
        return self.callflows.get(callflow_id)

    def find(self, account_id: str, conference_id: str) -> None:
        return None

    async def callflow_for(self, account_id: str, number: str) -> Route | None:
        found = self.callflows.get(number)
        return Route(found, ("captured",)) if found else None

    async def attend(self, call: FakeCall, admission: Admission) -> str | None:
        self.joined.append(admission)
        return self.onward.pop() if self.onward else None

    async def known(self, caller: CallerInfo) -> Sound | None:
        return None

    async def keep(self, caller: CallerInfo, recorded: Recorded) -> Sound:
        raise NameNotKept("nobody records here")

    async def adopt(self, caller: CallerInfo, sound: Sound) -> bool:
        raise AssertionError("nothing was kept")

    async def forget(self, caller: CallerInfo, sound: Sound) -> None:
        raise AssertionError("nothing was kept")


def node(module: str, data: dict[str, Any] | None = None, **children: Any) -> dict[str, Any]:
    return {"module": module, "data": data or {}, "children": children}


PAUSE = node("sleep", {"duration": 1})
SKIP = {"skip_module": True}


async def walk(
    flow: Any, world: FakeWorld | None = None, captures: tuple[str, ...] = ()
) -> tuple[list[Any], FakeWorld]:
    world = world or FakeWorld()
    call = FakeCall()
    walker = FlowWalker[FakeCall](standard_actions(world, world, world, world, world))
    await walker.run({"flow": flow}, Visit(call, captures))
    return call.done, world


async def test_a_skipped_action_does_nothing_and_goes_on_at_the_wildcard() -> None:
    done, world = await walk(node("conference", {**SKIP, "config": {"name": "x"}}, _=PAUSE))
    assert done == [("pause", 1.0), "hang up"]
    assert world.joined == []


@pytest.mark.parametrize("skip", [True, "true"])
async def test_a_skipped_action_without_a_wildcard_ends_the_call(skip: Any) -> None:
    assert (await walk(node("conference", {"skip_module": skip}, other=PAUSE)))[0] == ["hang up"]


async def test_skip_module_false_runs_the_action() -> None:
    done, world = await walk(node("conference", {"skip_module": False, "config": {"name": "x"}}, _=PAUSE))
    assert len(world.joined) == 1
    assert ("pause", 1.0) not in done, "a conference never goes on in the flow"


async def test_an_unknown_module_is_skipped() -> None:
    assert (await walk(node("ring_group", _=PAUSE)))[0] == [("pause", 1.0), "hang up"]


async def test_conference_feature_takes_its_id_from_the_pattern() -> None:
    _, world = await walk(node("conference_feature", {"id": "other"}), captures=("room9",))
    assert world.joined[0].room.conference_id == "room9"


async def test_play_answers_and_plays_to_the_end() -> None:
    done, _ = await walk(node("play", {"id": "m", "loop_count": 2}))
    assert done == ["answer", ("play", "m"), ("play", "m"), "hang up"]


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        ({"code": 603, "message": "No way"}, (603, "No way")),
        ({"code": "404"}, (404, None)),
        ({}, (486, None)),
        ({"code": 200}, (486, None)),
        ({"code": 480, "message": "a\r\nVia: x"}, (480, "a Via: x")),
    ],
)
async def test_response_refuses_the_call(data: dict[str, Any], answer: tuple[int, str | None]) -> None:
    assert (await walk(node("response", data, _=PAUSE)))[0] == [answer, "hang up"]


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        ({"duration": 500, "unit": "ms"}, 0.5),
        ({"duration": 2, "unit": "m"}, 120.0),
        ({}, 0.0),
        ({"duration": 1e6}, 3600.0),
    ],
)
async def test_sleep_knows_units_and_is_bounded(data: dict[str, Any], seconds: float) -> None:
    assert (await walk(node("sleep", data)))[0][0] == ("pause", seconds)


async def test_a_called_flow_returns_to_the_outer_one() -> None:
    world = FakeWorld(inner={"flow": node("sleep", {"duration": 2})})
    done, _ = await walk(node("callflow", {"id": "inner"}, _=PAUSE), world)
    assert done == [("pause", 2.0), ("pause", 1.0), "hang up"]


async def test_an_unknown_callflow_is_passed_over() -> None:
    assert (await walk(node("callflow", {"id": "nope"}, _=PAUSE)))[0] == [("pause", 1.0), "hang up"]


async def test_flows_in_a_circle_come_to_an_end() -> None:
    world = FakeWorld()
    world.callflows["a"] = {"flow": node("callflow", {"id": "a"}, _=PAUSE)}
    assert (await walk(world.callflows["a"]["flow"], world))[0] == ["hang up"]


@pytest.mark.parametrize("flow", [None, {}, [], "x", {"module": 3, "children": 4, "data": 5}, {"children": {"_": 3}}])
async def test_broken_flows_end_the_call(flow: Any) -> None:
    assert (await walk(flow))[0] == ["hang up"]


async def test_hanging_up_leaves_the_flow() -> None:
    world = FakeWorld()
    call = FakeCall()
    call.gone = True
    walker = FlowWalker[FakeCall](standard_actions(world, world, world, world, world))
    with pytest.raises(HungUp):
        await walker.run({"flow": node("play", {"id": "m"}, _=PAUSE)}, Visit(call))
    assert call.done == []


async def test_a_caller_transferred_out_of_a_room_goes_on_in_the_other_flow_and_not_in_the_first() -> None:
    world = FakeWorld(**{"3001": {"flow": node("sleep", {"duration": 2})}})
    world.onward = ["3001"]
    done, _ = await walk(node("conference", {"config": {"name": "x"}}, _=PAUSE), world)
    assert done[-2:] == [("pause", 2.0), "hang up"]
    assert ("pause", 1.0) not in done


async def test_what_the_other_numbers_pattern_captured_counts_after_a_transfer() -> None:
    world = FakeWorld(**{"3001": {"flow": node("conference_feature")}})
    world.onward = ["3001"]
    await walk(node("conference", {"config": {"name": "x"}}), world)
    assert [admission.room.conference_id for admission in world.joined] == ["x", "captured"]


async def test_a_transfer_to_nowhere_ends_the_call() -> None:
    world = FakeWorld()
    world.onward = ["3001"]
    done, _ = await walk(node("conference", {"config": {"name": "x"}}, _=PAUSE), world)
    assert done[-1] == "hang up"
    assert ("pause", 1.0) not in done
