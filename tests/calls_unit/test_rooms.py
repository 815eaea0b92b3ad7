"""Calls in rooms, from the INVITE to the end, on a fake engine in virtual time."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mirliton.callflow import flow_runner
from mirliton.calls.inbound import InboundCalls, Way
from mirliton.calls.live import BadMedia, LiveRooms, NoSuchParticipant, NoSuchRoom, Refused
from mirliton.calls.negotiation import Repertoire
from mirliton.calls.rooms import Rooms
from mirliton.media.types import Chunk, LegStatistics
from mirliton.sip.sdp import make_offer
from mirliton.sip.types import Session
from mirliton.sounds.addresses import SoundNotFound

from .fakes import FakeData, FakeEngine, FakeLeg, FakeNames, FakeSession, FakeSound, FakeSounds, offer

pytestmark = pytest.mark.looptime

ID = "c" * 32
QUIET: dict[str, Any] = {
    "id": ID,
    "name": "sales",
    "play_welcome": False,
    "profile": {
        "member-enter-sound": "",
        "enter-sound": "enter",
        "exit-sound": "exit",
        "alone-sound": "alone",
        "moh-sound": "music",
    },
}
FLOWS = {
    "3000": {"module": "conference", "data": {"id": ID}},
    "3001": {"module": "conference", "data": {"id": ID, "moderator": True}},
    "3002": {"module": "conference", "data": {}},
}

LEAD_IN = ("play", "silence_stream://400")
"""What comes before the sounds that greet: 20 ticks of 20 ms."""


class House:
    """A server without sockets."""

    def __init__(
        self,
        engine: FakeEngine | None = None,
        max_rooms: int = 10,
        max_rate: int = 48_000,
        sounds: type[FakeSounds] = FakeSounds,
        **conference: Any,
    ) -> None:
        profile = {**QUIET["profile"], **conference.pop("profile", {})}
        self.data = data = FakeData(
            {**QUIET, **conference, "profile": profile, "conference_numbers": ["55"]}, flows=FLOWS
        )
        self.engine = engine or FakeEngine()
        self.names = FakeNames()
        self.rooms = Rooms(
            self.engine, sounds(), node="node-1", max_rooms=max_rooms, max_rate=max_rate, names=self.names
        )
        runner = flow_runner(data, self.rooms, self.names)
        self.calls = InboundCalls(self.engine, FakeSounds(), data, runner, media_address="127.0.0.1")
        self.events = self.rooms.events.subscribe()
        self.tasks: list[asyncio.Task[None]] = []
        self.legs: dict[str, FakeLeg] = {}

    async def ring(self, call_id: str, user: str = "3000", **session: Any) -> FakeSession:
        """Call in, and let the dialogue go as far as it does without time passing."""
        caller = FakeSession(call_id, user, **session)
        before = set(self.engine.legs)
        self.tasks.append(asyncio.get_running_loop().create_task(self.calls(caller)))
        await asyncio.sleep(0.01)
        for leg in self.engine.legs - before:
            self.legs[call_id] = leg
        return caller

    def press(self, call_id: str, digits: str) -> None:
        for digit in digits:
            on_digit = self.legs[call_id].on_digit
            assert on_digit is not None
            on_digit(digit)

    async def say_name(self, call_id: str) -> None:
        """Speak after the beep, and press a key."""
        await asyncio.sleep(3.0)
        loud = np.full(8000, 9000, np.int16)
        self.legs[call_id].taps[-1].chunks.append(Chunk(time.monotonic_ns(), 8000, loud))
        await asyncio.sleep(1.0)
        self.press(call_id, "#")
        await asyncio.sleep(3.0)

    async def heard_events(self) -> list[str]:
        names = []
        while True:
            try:
                names.append((await asyncio.wait_for(self.events.get(), 0.01)).get("event", "command"))
            except TimeoutError:
                return names

    async def nothing_is_left(self) -> None:
        await asyncio.wait(self.tasks)
        assert all(task.exception() is None for task in self.tasks)
        assert len(self.rooms) == 0
        assert not self.engine.legs
        assert not self.engine.open_mixes
        assert self.calls.statistics.active == 0
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others

    def mix_log(self) -> list[tuple[str, Any]]:
        return self.engine.mixes[0].log


async def test_two_callers_meet_and_leave_and_nothing_is_left() -> None:
    house = House()
    first = await house.ring("a")
    assert house.mix_log() == [LEAD_IN, ("play", "alone")]
    await asyncio.sleep(1.5)
    assert house.mix_log() == [LEAD_IN, ("play", "alone"), ("loop", "music")]
    second = await house.ring("b", "3001")
    assert house.mix_log()[3:] == [("loop", None), LEAD_IN, ("play", "enter")]
    assert house.legs["a"].mix is house.legs["b"].mix is house.engine.mixes[0]
    assert [shown["call_id"] for shown in house.rooms.participants("acc", ID)] == ["a", "b"]
    second.end()
    await asyncio.sleep(0.01)
    assert house.mix_log()[6:] == [("play", "exit"), LEAD_IN, ("play", "alone")]
    first.end()
    await house.nothing_is_left()
    assert await house.heard_events() == [
        "conference-create",
        "add-member",
        "add-member",
        "del-member",
        "del-member",
        "conference-destroy",
    ]


@pytest.mark.parametrize(("max_rate", "rate"), [(16_000, 16_000), (48_000, 48_000)])
async def test_rooms_are_no_faster_than_the_engine(max_rate: int, rate: int) -> None:
    house = House(max_rate=max_rate)
    await house.ring("a")
    assert house.engine.mixes[0].rate == rate


async def test_digits_in_the_room_are_controls() -> None:
    house = House()
    await house.ring("a")
    house.press("a", "*1")
    await asyncio.sleep(0.01)
    assert house.legs["a"].settings["muted"]
    assert house.legs["a"].heard == ["conf-muted"]
    house.press("a", "#")
    await house.nothing_is_left()


async def test_the_number_is_asked_for_and_wrong_ones_end_the_call() -> None:
    house = House()
    caller = await house.ring("a", "3002")
    house.press("a", "55#")
    await asyncio.sleep(0.01)
    assert house.rooms.members == 1
    caller.end()
    await house.ring("b", "3002")
    house.press("b", "1#2#3#")
    await house.nothing_is_left()
    assert house.rooms.statistics.joined == 1


@pytest.mark.parametrize("moment", [0.0, 0.005, 0.5, 1.5, 3.0, 20.0])
async def test_hanging_up_at_any_moment_leaves_nothing_behind(moment: float) -> None:
    house = House(play_welcome=True, member={"pins": ["1"]}, profile={"alone-sound": "slow-alone"})
    caller = FakeSession("a")
    house.tasks.append(asyncio.get_running_loop().create_task(house.calls(caller)))
    await asyncio.sleep(moment)
    caller.end()
    await house.nothing_is_left()


async def test_the_server_going_down_ends_calls_and_rooms() -> None:
    house = House()
    callers = [await house.ring("a"), await house.ring("b")]
    await house.calls.close()
    await house.nothing_is_left()
    assert all(caller.hang_ups for caller in callers)


async def test_unknown_numbers_get_404() -> None:
    house = House()
    caller = await house.ring("a", "9999")
    assert [code for code, _ in caller.rejections] == [404]
    assert house.calls.statistics.unknown_number == 1
    await house.nothing_is_left()


async def test_unknown_domains_get_404() -> None:
    house = House()
    caller = FakeSession("a")
    caller.request_host = "elsewhere.example"
    await house.calls(caller)
    assert [code for code, _ in caller.rejections] == [404]


async def test_a_store_that_fails_gets_500() -> None:
    house = House()
    house.data.callflow_for = None  # type: ignore[method-assign, assignment]
    caller = await house.ring("a")
    assert [code for code, _ in caller.rejections] == [500]
    assert house.calls.statistics.failed == 1
    await house.nothing_is_left()


async def test_a_full_engine_gets_503_and_says_when_to_come_back() -> None:
    house = House(FakeEngine(max_legs=1))
    first = await house.ring("a")
    caller = await house.ring("b")
    assert caller.rejections == [(503, {"Retry-After": "5"})]
    first.end()
    await house.nothing_is_left()


async def test_unusable_media_get_488() -> None:
    house = House()
    caller = await house.ring("a", sdp=b"junk")
    assert [code for code, _ in caller.rejections] == [488]
    assert house.calls.statistics.not_acceptable == 1
    await house.nothing_is_left()


@pytest.mark.parametrize("house_keys", [{"max_rooms": 0}, {"engine": FakeEngine(max_mixes=0)}])
async def test_no_room_for_a_room_is_said_and_the_call_ends(house_keys: dict[str, Any]) -> None:
    house = House(**house_keys)
    await house.ring("a")
    assert house.legs["a"].heard == ["conf-max_participants"]
    assert house.rooms.statistics.refused["no_room"] == 1
    await house.nothing_is_left()


async def test_a_phone_that_has_gone_silent_is_hung_up_but_not_on_hold() -> None:
    house = House()
    gone, held = await house.ring("a"), await house.ring("b")
    assert held.on_media_change is not None
    held.on_media_change(offer("inactive"))
    house.legs["a"].silent_for_ms = house.legs["b"].silent_for_ms = 90_000
    await asyncio.sleep(70)
    assert gone.over == "hung up here"
    assert held.over is None
    held.on_media_change(offer("sendrecv"))
    await asyncio.sleep(50)
    assert held.over is None, "a phone that has just come back has its time to send"
    held.end()
    await house.nothing_is_left()


async def test_phones_that_send_are_seldom_looked_at_and_their_silence_is_still_noticed_in_time() -> None:
    house = House()
    caller, looks = await house.ring("a"), 0
    leg = house.legs["a"]

    def statistics() -> LegStatistics:
        nonlocal looks
        looks += 1
        return FakeLeg.statistics(leg)

    leg.statistics = statistics  # type: ignore[method-assign]
    await asyncio.sleep(600)
    assert 0 < looks <= 11, "once in the time that a phone may be silent"
    fell_silent = asyncio.get_running_loop().time()
    for _ in range(60):
        leg.silent_for_ms = (asyncio.get_running_loop().time() - fell_silent) * 1000
        await asyncio.sleep(1)
    early = caller.over
    leg.silent_for_ms = 61_000
    await asyncio.sleep(9)
    assert (early, caller.over) == (None, "hung up here")
    await house.nothing_is_left()


async def test_room_sounds_keep_their_order_though_one_is_slow_to_find() -> None:
    house = House(profile={"alone-sound": "slow-alone"})
    await house.ring("a")
    await house.ring("b")
    await asyncio.sleep(2)
    assert house.mix_log() == [LEAD_IN, ("play", "slow-alone"), LEAD_IN, ("play", "enter")]


async def test_music_that_is_not_there_is_tried_again_and_does_no_harm() -> None:
    house = House(profile={"moh-sound": "no-music"})
    caller = await house.ring("a")
    await asyncio.sleep(8)
    assert house.mix_log() == [LEAD_IN, ("play", "alone")]
    assert house.rooms.sound_statistics.not_found == 4
    caller.end()
    await house.nothing_is_left()


async def test_music_that_is_found_too_late_is_not_played() -> None:
    house = House(profile={"moh-sound": "slow-music"})
    await house.ring("a")
    await asyncio.sleep(1.5)
    await house.ring("b")
    await asyncio.sleep(3)
    assert ("loop", "slow-music") not in house.mix_log()


async def test_the_rest_view_of_a_room() -> None:
    house = House()
    live: LiveRooms = house.rooms
    assert live.snapshot("acc", ID) is None
    assert live.participants("acc", ID) == []
    await house.ring("a")
    await house.ring("b", "3001")
    await asyncio.sleep(3)
    shown = live.snapshot("acc", ID)
    assert shown is not None
    assert (shown["members"], shown["moderators"], shown["duration"]) == (1, 1, 3)
    assert (shown["is_locked"], shown["focus"]) == (False, "node-1")
    assert shown["participants"][0]["current_energy"] == 42


async def test_commands_on_a_room() -> None:
    house = House()
    with pytest.raises(NoSuchRoom):
        await house.rooms.command_room("acc", ID, "lock", {})
    await house.ring("a")
    await house.rooms.command_room("acc", ID, "lock", {})
    late = await house.ring("b")
    assert house.legs["b"].heard == ["conf-locked"]
    await asyncio.sleep(2)
    assert late.over == "hung up here"
    await house.rooms.command_room("acc", ID, "unlock", {})
    await house.rooms.command_room("acc", ID, "play", {"media_id": "jingle"})
    assert house.mix_log()[-1] == ("play", "jingle")
    assert house.engine.settlings == 3
    for data in ({"media_id": "no-such"}, {}, {"media_id": 5}):
        with pytest.raises(BadMedia):
            await house.rooms.command_room("acc", ID, "play", data)
    with pytest.raises(ValueError, match="dance"):
        await house.rooms.command_room("acc", ID, "dance", {})


async def test_commands_on_one_participant() -> None:
    house = House()
    caller = await house.ring("a", "3001")
    [shown] = house.rooms.participants("acc", ID)
    key = shown["participant_id"]
    for action, setting in [("mute", {"muted": True}), ("unmute", {"muted": False}), ("deaf", {"deaf": True})]:
        await house.rooms.command_participants("acc", ID, key, action, {})
        assert house.legs["a"].settings.items() >= setting.items()
    await house.rooms.command_participants("acc", ID, key, "play", {"media_id": "psst"})
    assert house.legs["a"].heard == ["conf-muted", "conf-unmuted", "conf-deaf", "psst"]
    with pytest.raises(NoSuchParticipant):
        await house.rooms.command_participants("acc", ID, 999, "mute", {})
    with pytest.raises(ValueError, match="dance"):
        await house.rooms.command_participants("acc", ID, key, "dance", {})
    await house.rooms.command_participants("acc", ID, key, "kick", {})
    assert house.rooms.participants("acc", ID) == []
    await asyncio.sleep(0.01)
    assert house.legs["a"].heard[-1] == "conf-kicked"
    assert caller.hang_ups == 0
    await asyncio.sleep(2)
    assert caller.hang_ups >= 1
    assert house.rooms.participants("acc", ID) == []
    await house.nothing_is_left()


async def test_commands_on_many_spare_moderators_but_kick_takes_all() -> None:
    house = House()
    await house.ring("a")
    await house.ring("b", "3001")
    await house.rooms.command_participants("acc", ID, None, "mute", {})
    await house.rooms.command_participants("acc", ID, None, "mute", {})
    assert house.legs["a"].settings["muted"]
    assert not house.legs["b"].settings["muted"]
    assert (await house.heard_events()).count("mute-member") == 1
    with pytest.raises(ValueError, match="dance"):
        await house.rooms.command_participants("acc", ID, None, "dance", {})
    await house.rooms.command_participants("acc", ID, None, "kick", {})
    await house.nothing_is_left()


async def test_a_call_on_hold_cannot_be_muted_by_digits() -> None:
    house = House()
    caller = await house.ring("a")
    assert caller.on_media_change is not None
    caller.on_media_change(offer("inactive"))
    house.press("a", "*1")
    assert not house.legs["a"].settings["muted"]
    assert house.legs["a"].settings["held"]


async def test_a_flood_of_sounds_for_a_room_is_bounded() -> None:
    house = House()
    await house.ring("a")
    for _ in range(40):
        await house.rooms.command_room("acc", ID, "play", {"media_id": "long/100"})
        await asyncio.sleep(0.01)
    assert len(house.mix_log()) <= 1 + 10
    assert house.rooms.sound_statistics.dropped >= 30


async def test_a_broken_effect_does_not_stop_the_ones_behind_it() -> None:
    house = House()
    caller = await house.ring("a")
    house.engine.mixes[0].loop = None  # type: ignore[method-assign, assignment]
    await asyncio.sleep(2)
    house.press("a", "#")
    await asyncio.sleep(0.01)
    assert caller.over is not None
    assert house.rooms.sound_statistics.failed >= 1


async def test_talking_is_reported() -> None:
    house = House()
    await house.ring("a")
    on_talking = house.legs["a"].on_talking
    assert on_talking is not None
    on_talking(True)
    on_talking(False)
    assert (await house.heard_events())[-2:] == ["start-talking", "stop-talking"]


async def test_a_slow_subscriber_loses_its_oldest_events_and_can_tell() -> None:
    house = House()
    slow = house.rooms.events.subscribe(limit=1)
    await house.ring("a")
    assert slow.lost == 1
    assert (await slow.get())["event"] == "add-member"
    slow.close()
    slow.close()


async def test_rooms_can_be_closed_one_and_all() -> None:
    house = House()
    await house.ring("a")
    await house.ring("b")
    await house.rooms.close()
    await house.nothing_is_left()


async def pair(**conference: Any) -> tuple[House, list[int]]:
    """Two members; returns their ids."""
    house = House(**conference)
    await house.ring("a")
    await house.ring("b")
    return house, [one["participant_id"] for one in house.rooms.participants("acc", ID)]


async def relate(house: House, first: int, second: int, relationship: str) -> None:
    data = {"participant_id": first, "other_participant": second, "relationship": relationship}
    await house.rooms.command_participants("acc", ID, None, "relate", data)


async def test_two_members_can_be_kept_apart_and_brought_together() -> None:
    house, (a, b) = await pair()
    await relate(house, a, b, "mute")
    assert (house.legs["b"].unheard, house.legs["a"].unheard) == ({house.legs["a"]}, set())
    await relate(house, a, b, "deaf")
    assert house.legs["a"].unheard == {house.legs["b"]}
    await relate(house, a, b, "clear")
    assert house.legs["a"].unheard == house.legs["b"].unheard == set()


async def test_relations_of_strangers_with_oneself_or_without_room_are_refused() -> None:
    house, (a, b) = await pair()
    with pytest.raises(NoSuchParticipant):
        await relate(house, a, 999, "mute")
    with pytest.raises(Refused, match="same"):
        await relate(house, a, a, "mute")
    house.legs["b"].relations_left = 0
    with pytest.raises(Refused, match="in use"):
        await relate(house, a, b, "mute")
    house.legs["b"].relations_left = 1
    await relate(house, a, b, "mute")
    assert house.legs["b"].unheard == {house.legs["a"]}


CONTROLS = {"controls": [{"digits": "1", "action": "transfer", "data": "3009"}]}


async def test_a_member_transferred_by_a_key_leaves_the_room_and_goes_on_at_the_number() -> None:
    house, _ = await pair(**CONTROLS)
    house.data.add_flow("3009", {"module": "play", "data": {"id": "elsewhere"}})
    house.press("a", "1")
    await asyncio.sleep(0.1)
    assert len(house.rooms.participants("acc", ID)) == 1
    assert house.legs["a"].heard[-1] == "elsewhere"
    await asyncio.sleep(2)
    assert house.tasks[0].done()


@pytest.mark.parametrize("events", [True, False])
async def test_digits_for_the_others_go_as_events_or_where_none_were_agreed_as_tones(events: bool) -> None:
    house, (a, _) = await pair()
    room = house.rooms.find("acc", ID)
    member = room.member(a) if room else None
    assert member is not None
    member.settings = replace(member.settings, distribute_dtmf=True)
    house.legs["b"].events = events
    house.press("a", "5")
    await asyncio.sleep(0.01)
    assert house.legs["b"].keys == ("5" if events else "")
    assert ("tone_stream://5(160,80)" in house.legs["b"].heard) is not events
    assert house.legs["a"].keys == ""


async def test_quality_is_shown_with_each_participant() -> None:
    house, _ = await pair()
    shown = house.rooms.participants("acc", ID)[0]["quality"]
    assert shown == {
        "packets_received": 0, "packets_sent": 0, "loss_percent": 0.0, "late_packets": 0, "recovered_packets": 0,
        "jitter_ms": 0.0, "playout_delay_ms": 0.0, "concealed_ms": 0, "concealed_long_ms": 0, "stretched_ms": 0,
        "accelerated_ms": 0,
    }  # fmt: skip


async def test_every_command_is_told_to_those_who_listen_for_commands() -> None:
    house, (a, _) = await pair()
    await house.heard_events()
    await house.rooms.command_participants("acc", ID, a, "mute", {})
    command = await house.events.get()
    assert (command["event_name"], command["action"], command["data"]) == ("command", "mute", {"participant_id": a})


async def test_variables_of_a_room_are_in_its_events_and_bounded() -> None:
    house, (a, _) = await pair()
    await house.rooms.command_room("acc", ID, "vars", {"ticket": "4711", "size": 99, "gone": 1})
    await house.rooms.command_room("acc", ID, "vars", {"gone": None})
    shown = house.rooms.snapshot("acc", ID)
    assert shown is not None
    assert shown["vars"] == {"ticket": "4711", "size": 99}
    await house.heard_events()
    await house.rooms.command_participants("acc", ID, a, "mute", {})
    events = [await house.events.get() for _ in range(2)]
    assert [event["conference_vars"]["ticket"] for event in events if "conference_vars" in event] == ["4711"]
    assert events[1]["conference_vars"]["size"] == 2, "what the room says of itself cannot be written over"
    with pytest.raises(Refused, match="50"):
        await house.rooms.command_room("acc", ID, "vars", {f"v{n}": n for n in range(49)})
    assert len((house.rooms.snapshot("acc", ID) or {})["vars"]) == 2


class SlowNames(FakeSounds):
    """The file of a recorded name is read only after everything else that happens at the time."""

    names: FakeNames

    async def resolve(self, account_id: str, address: str, language: str) -> FakeSound | None:
        said = next((part for part in address.split("!") if part.startswith("name-")), None)
        if said is not None:
            await asyncio.sleep(1.0)
            if said not in self.names.kept:
                raise SoundNotFound(f"{said} is gone")
        return await super().resolve(account_id, address, language)


async def test_a_name_is_kept_until_the_room_has_found_it_to_say_who_left() -> None:
    house = House(sounds=SlowNames, play_name=True)
    SlowNames.names = house.names
    first = await house.ring("a")
    await house.say_name("a")
    second = await house.ring("b")
    await house.say_name("b")
    second.end()
    await asyncio.sleep(5.0)
    assert house.names.kept == ["name-a"]
    said = [key for kind, key in house.mix_log() if kind == "play" and "name-b" in key]
    assert [key.rpartition("!")[2] for key in said] == ["conf-has_joined", "conf-has_left"]
    first.end()
    await house.nothing_is_left()
    assert house.names.kept == []


@pytest.mark.parametrize(("trunk", "codec"), [(True, "117 L16/16000"), (False, "0 PCMU/8000")])
async def test_a_trunk_that_comes_in_has_codecs_of_its_own(trunk: bool, codec: str) -> None:
    """Each takes the first of the offer that it may speak."""
    house = House()

    async def way(session: Session) -> Way:
        return Way("a" * 32, lambda call: call.answer(), trunk)

    calls = InboundCalls(
        house.engine,
        FakeSounds(),
        house.data,
        flow_runner(house.data, house.rooms, house.names),
        media_address="127.0.0.1",
        arrivals=[way],
        repertoire=Repertoire(("PCMU",)),
        trunk_repertoire=Repertoire(("L16/16000", "PCMU")),
    )
    session = FakeSession("a", sdp=make_offer("192.0.2.7", 4000, 1, 1, codecs=("L16/16000", "PCMU")))
    await calls(session)
    (answer,) = session.answers
    assert f"a=rtpmap:{codec}" in answer.decode()
