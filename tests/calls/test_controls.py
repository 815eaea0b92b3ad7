"""Keys of callers: what each action does, how digits are matched, which group is in force (semantics 4)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from mirliton.phone.conversation import Conversation
from mirliton.phone.listening import level, tone_level

from .chimes import FENCE, chime, chimes, fence, rung
from .in_the_room import together
from .measuring import (
    BEHIND,
    PATIENCE,
    TONES,
    Samples,
    counted,
    ended_by_server,
    hear_each_other,
    hears,
    jingle,
    prompted,
    until,
    wav,
)
from .rest import Body
from .switchboard import NO_WELCOME, QUIET, Switchboard, new_number

ANNA, BRUNO = TONES[0], TONES[3]
SOUNDS = {"muted-sound": 311, "unmuted-sound": 449, "deaf-sound": 541, "undeaf-sound": 709}
SAYING = QUIET | {key: chime(pitch) for key, pitch in SOUNDS.items()}
MUTED, UNMUTED, DEAF, UNDEAF = SOUNDS.values()
SILENT = -55.0  # dBFS


def keys(**actions: str) -> Body:
    """The group `default` as a document has it: `k5="mute"`."""
    return {"default": [{"digits": key.removeprefix("k"), "action": action} for key, action in actions.items()]}


def press(call: Conversation, digits: str, later: float = 0.0) -> None:
    """Press keys so many seconds from now."""
    call.press(digits, call.seconds + later)


async def alone(board: Switchboard, **config: Any) -> tuple[Conversation, str]:
    """A caller in a room of its own; with the room's name."""
    number, name = await board.quiet_room(**config)
    call = await board.dial(number)
    await board.present(name, 1)
    return call, name


async def pair(board: Switchboard, **config: Any) -> tuple[Conversation, Conversation, str]:
    """Two callers, in the order in which they came, and the room's name."""
    number, name = await board.quiet_room(**config)
    calls = []
    for count in (1, 2):
        calls.append(await board.dial(number))
        await board.present(name, count)
    return calls[0], calls[1], name


async def flags(board: Switchboard, name: str, index: int = 0) -> Body:
    """What is shown of one of the participants."""
    found: Body = (await board.rest.participants(name))[index]["conference_channel_vars"]
    return found


async def shows(board: Switchboard, name: str, index: int = 0, **wanted: Any) -> None:
    """Wait until a participant is shown so."""

    async def so() -> bool:
        shown = await flags(board, name, index)
        return all(shown[key] == value for key, value in wanted.items())

    await until(so, f"{wanted} of participant {index}")


def tone(frequency: int, peak: int, rate: int = 8000) -> Samples:
    """A second that can be repeated."""
    return np.asarray(np.round(peak * np.sin(2 * np.pi * frequency / rate * np.arange(rate))), np.int16)


def strength(call: Conversation, frequency: int) -> float:
    """How loud a tone is heard just now, in dBFS."""
    now = call.seconds - BEHIND
    return tone_level(call.heard(now - 0.3, now), call.rate, frequency)


# Actions


@together
async def test_every_change_of_mute_and_deaf_is_said_to_the_member_alone_and_no_change_is_not(
    board: Switchboard,
) -> None:
    anna, bruno, name = await pair(board, profile=SAYING)
    since = 0.0
    for pressed, heard, speak, hear in (
        ("*1", [MUTED], False, True),
        ("*1", [UNMUTED], True, True),
        ("*3*2", [MUTED], False, True),  # mute off is so already
        ("*2*5", [DEAF], False, False),  # mute on is so already; the deaf hear what is for them
        ("*5*3", [UNMUTED, UNDEAF], True, True),  # unmuting gives the hearing back
        ("*4", [DEAF], True, False),
        ("*4", [UNDEAF], True, True),
        ("*6*5", [DEAF], True, False),
        ("*6", [UNDEAF], True, True),
    ):
        press(anna, pressed)
        for pitch in heard:
            since = await rung(anna, pitch, since)
        await shows(board, name, speak=speak, hear=hear)
    await fence(board.rest, name, anna, bruno)
    assert chimes(bruno)[:-1] == []
    assert chimes(anna)[:-1] == [
        MUTED, UNMUTED, MUTED, DEAF, UNMUTED, UNDEAF, DEAF, UNDEAF, DEAF, UNDEAF,
    ]  # fmt: skip


@together
async def test_deaf_mute_goes_by_the_microphone(board: Switchboard) -> None:
    anna, bruno, _ = await pair(board, controls=keys(k0="deaf mute", k5="Mute ON"))
    anna.say(f"tone:{ANNA}")
    bruno.say(f"tone:{BRUNO}")
    await hear_each_other({ANNA: anna, BRUNO: bruno})
    press(anna, "0")
    await asyncio.gather(hears(anna), hears(bruno))
    press(anna, "0")
    await asyncio.gather(hears(anna, BRUNO), hears(bruno, ANNA))
    press(anna, "5")
    await asyncio.gather(hears(anna, BRUNO), hears(bruno))
    press(anna, "0")
    await asyncio.gather(hears(anna, BRUNO), hears(bruno, ANNA))


@together
async def test_the_gates_level_is_set_by_key_heard_by_the_others_and_said(board: Switchboard) -> None:
    controls = keys(k9="energy up", k7="energy dn", k8="energy equ")
    anna, bruno, name = await pair(board, controls=controls, profile=QUIET | {"energy-level": 1000})
    anna.say(tone(ANNA, 1730), forever=True)  # a score of 1100
    await hears(bruno, ANNA)
    since = anna.seconds
    for pressed, said, energy, heard in (
        ("9", "6", 1200, []),
        ("7", "5", 1000, [ANNA]),
        ("99", "67", 1400, []),
        ("8", "5", 1000, [ANNA]),
        ("99999", "67899", 1800, []),
    ):
        press(anna, pressed)
        await shows(board, name, energy_level=energy)
        since = await counted(anna, *said, since=since)
        await hears(bruno, *heard)


@together
async def test_levels_are_set_by_key_and_said(board: Switchboard) -> None:
    controls = keys(
        k3="vol talk up", k2="vol talk zero", k1="vol talk dn",
        k6="vol listen up", k5="vol listen zero", k4="vol listen dn",
    )  # fmt: skip
    anna, _ = await alone(board, controls=controls)
    since = anna.seconds
    for pressed, said in (
        ("3333", ["1", "2", "3", "4"]), ("3", ["4"]), ("2", ["0"]), ("1", ["minus", "1"]),
        ("66", ["1", "2"]), ("5", ["0"]), ("44", ["minus", "1", "minus", "2"]),
    ):  # fmt: skip
        press(anna, pressed)
        since = await counted(anna, *said, since=since)


@together
async def test_vol_talk_changes_what_the_member_hears_and_nobody_else(board: Switchboard) -> None:
    await _levels(board, "vol talk", changed="own")


@together
async def test_vol_listen_changes_how_loud_the_member_is_for_the_others(board: Switchboard) -> None:
    await _levels(board, "vol listen", changed="others")


async def _levels(board: Switchboard, family: str, *, changed: str) -> None:
    """Press through all levels; the tones of both are measured at both ends."""
    controls = keys(k3=f"{family} up", k2=f"{family} zero", k1=f"{family} dn")
    anna, bruno, _ = await pair(board, controls=controls)
    anna.say(tone(ANNA, 1800), forever=True)
    bruno.say(tone(BRUNO, 1800), forever=True)
    await hear_each_other({ANNA: anna, BRUNO: bruno})
    plain = strength(anna, BRUNO), strength(bruno, ANNA)
    for pressed, factor in (
        ("3", 1.3), ("3", 2.3), ("3", 3.3), ("33", 4.3), ("2", 1.0),
        ("1", 0.8), ("1", 0.6), ("1", 0.4), ("11", 0.2), ("2", 1.0),
    ):  # fmt: skip
        press(anna, pressed)
        gain = 20 * float(np.log10(factor))
        wanted = (plain[0] + gain, plain[1]) if changed == "own" else (plain[0], plain[1] + gain)
        heard: list[tuple[float, float]] = []
        deadline = anna.seconds + PATIENCE
        while not heard or max(abs(heard[-1][side] - wanted[side]) for side in (0, 1)) > 0.5:
            assert anna.seconds < deadline, f"{family} {factor:g}: {wanted} dBFS wanted, heard {heard[::10]}"
            await asyncio.sleep(0.1)
            heard.append((strength(anna, BRUNO), strength(bruno, ANNA)))


@together
async def test_a_key_locks_and_unlocks_the_room(board: Switchboard) -> None:
    number, name = await board.quiet_room(controls=keys(k5="lock"))
    anna = await board.dial(number)
    await board.present(name, 1)

    async def is_locked(wanted: bool) -> None:
        async def so() -> bool:
            live = (await board.rest.call("GET", f"/conferences/{name}"))["_read_only"]
            return bool(live["is_locked"]) == wanted

        await until(so, f"locked: {wanted}")

    press(anna, "5")
    await is_locked(True)
    refused = await board.dial(number)
    await prompted(refused, "conf-locked")
    await ended_by_server(refused)
    press(anna, "5")
    await is_locked(False)
    await board.dial(number)
    await board.present(name, 2)


@together
async def test_the_floor_is_taken_when_it_is_free_and_given_back(board: Switchboard) -> None:
    anna, bruno, name = await pair(board, controls=keys(k5="floor"))
    await shows(board, name, 0, floor=True)
    press(bruno, "5")  # it is not free
    await bruno.said()
    await fence(board.rest, name, anna, bruno)
    assert [(await flags(board, name, index))["floor"] for index in (0, 1)] == [True, False]
    press(anna, "5")
    await shows(board, name, 0, floor=False)
    press(bruno, "5")
    await shows(board, name, 1, floor=True)
    press(bruno, "5")
    await shows(board, name, 1, floor=False)


@together
async def test_hold_music_is_switched_off_and_on_again(board: Switchboard) -> None:
    media = await board.rest.recording("music", wav(jingle(85)))
    anna, name = await alone(board, controls=keys(k5="moh toggle"), profile=QUIET | {"moh-sound": media})
    await prompted(anna, jingle(85))
    press(anna, "5")
    await until(lambda: _silent(anna), "silence")
    since = anna.seconds
    await fence(board.rest, name, anna)
    assert chimes(anna, since)[:-1] == []
    await until(lambda: _silent(anna), "silence after the fence")
    press(anna, "5")
    await prompted(anna, jingle(85), since=anna.seconds)


async def _silent(call: Conversation) -> bool:
    return level(call.heard(call.seconds - 1.0, call.seconds)) < SILENT


@together
async def test_a_transferred_caller_leaves_the_room_and_goes_on_in_another_callflow(board: Switchboard) -> None:
    media = await board.rest.recording("elsewhere", wav(jingle(86)))
    elsewhere = await board.flow({"module": "play", "data": {"id": media}})
    controls = {"default": [{"digits": "5", "action": "transfer", "data": f"{elsewhere} XML default"}]}
    anna, bruno, name = await pair(board, controls=controls, profile=QUIET | {"exit-sound": chime(373)})
    press(anna, "5")
    await prompted(anna, jingle(86))
    await rung(bruno, 373)
    await board.present(name, 1)
    await ended_by_server(anna)  # that callflow has no more to do
    assert chimes(anna) == []


@together
async def test_a_caller_can_be_transferred_into_another_room(board: Switchboard) -> None:
    there, there_name = await board.quiet_room()
    carl = await board.dial(there, BRUNO)
    controls = {"default": [{"digits": "5", "action": "transfer", "data": there}]}
    anna, name = await alone(board, controls=controls)
    anna.say(f"tone:{ANNA}")
    press(anna, "5")
    await hear_each_other({ANNA: anna, BRUNO: carl})
    await board.present(there_name, 2)
    assert await board.rest.participants(name) == []


@together
async def test_an_application_plays_to_the_one_who_asked(board: Switchboard) -> None:
    media = await board.rest.recording("for one", wav(jingle(87)))
    controls = {"default": [{"digits": "5", "action": "execute_application", "data": f"playback {media}"}]}
    anna, bruno, _ = await pair(board, controls=controls)
    press(anna, "5")
    await prompted(anna, jingle(87))
    assert level(bruno.heard()) < SILENT


# Events


@asynccontextmanager
async def subscribed(board: Switchboard, conference: str) -> AsyncIterator[ClientConnection]:
    """A socket that gets every event of a conference (semantics 7.2)."""
    async with connect(f"ws://{board.server.http}/v2/events") as socket:
        data = {"account_id": board.account.account_id, "binding": f"conference.event.{conference}.*"}
        order = {"action": "subscribe", "auth_token": board.rest.token, "request_id": "1", "data": data}
        await socket.send(json.dumps(order))
        async with asyncio.timeout(10):
            while json.loads(await socket.recv()).get("action") != "reply":
                pass
        yield socket


async def event(socket: ClientConnection, kind: str) -> Body:
    """The next event of this kind."""
    async with asyncio.timeout(10):
        while True:
            message: Body = json.loads(await socket.recv())
            if message.get("name") == "event" and message["data"]["event"] == kind:
                return dict(message["data"])


@together
async def test_a_key_can_raise_an_event_with_data_of_its_own(board: Switchboard) -> None:
    number, name = await board.quiet_room(
        controls={
            "default": [
                {"digits": "5", "action": "event", "data": "hand of ${caller_id_name}"},
                {"digits": "6", "action": "floor"},
                {"digits": "7", "action": "execute_application", "data": "playback conf-single"},
                {"digits": "8", "action": "vol listen up"},
                {"digits": "9", "action": "hangup"},
            ]
        }
    )
    async with subscribed(board, name) as socket:
        anna = await board.dial(number, display="Anna")
        await board.present(name, 1)
        press(anna, "5")
        raised = await event(socket, "dtmf")
        assert (raised["digits"], raised["data"], raised["caller_id_name"]) == ("5", "hand of Anna", "Anna")
        press(anna, "6")
        assert (await event(socket, "floor-change"))["new_id"] is None
        press(anna, "7")
        assert (await event(socket, "execute_app"))["application"] == "playback"
        press(anna, "8")
        assert (await event(socket, "gain-level"))["level"] == 1
        press(anna, "9")
        await event(socket, "del-member")
        await ended_by_server(anna)


# Matching


@together
async def test_a_short_binding_waits_for_a_longer_one_wherever_it_stands_in_the_list(board: Switchboard) -> None:
    async def both(*order: tuple[str, str]) -> None:
        bindings = [{"digits": digits, "action": action} for digits, action in order]
        anna, name = await alone(board, controls={"default": bindings}, profile=SAYING)
        press(anna, "55")
        await rung(anna, DEAF)
        press(anna, "5")
        await rung(anna, MUTED)
        assert chimes(anna)[:2] == [DEAF, MUTED]
        await shows(board, name, speak=False, hear=False)

    short, long = ("5", "mute"), ("55", "deaf")
    await asyncio.gather(both(short, long), both(long, short))


@together
async def test_a_beginning_expires_and_what_matches_nothing_is_thrown_away(board: Switchboard) -> None:
    anna, name = await alone(board, profile=SAYING)
    press(anna, "*")
    press(anna, "2", later=1.5)  # no `*2` any more
    await anna.said()
    press(anna, "**2")  # `**` is nothing, and its second star begins nothing
    press(anna, "*4", later=1.0)
    await rung(anna, DEAF)
    await shows(board, name, speak=True, hear=False)
    assert MUTED not in chimes(anna)


@together
async def test_expressions_match_what_is_typed_and_a_mark_runs_at_once(board: Switchboard) -> None:
    controls = {
        "default": [
            {"digits": "~[78]1", "action": "mute"},
            {"digits": "~9{2,3}", "action": "deaf"},
        ]
    }
    marked = {
        "default": [
            {"digits": "=5", "action": "mute"},
            {"digits": "55", "action": "deaf"},
            {"digits": "=~4[0-9]", "action": "deaf"},
        ]
    }

    async def expressions() -> None:
        anna, name = await alone(board, controls=controls, profile=SAYING)
        press(anna, "71")
        end = await rung(anna, MUTED)
        press(anna, "81")
        end = await rung(anna, UNMUTED, end)
        press(anna, "61")
        press(anna, "999", later=1.5)  # once, though two would do
        await rung(anna, DEAF, end)
        await shows(board, name, speak=True, hear=False)
        assert chimes(anna) == [MUTED, UNMUTED, DEAF]

    async def at_once() -> None:
        anna, name = await alone(board, controls=marked, profile=SAYING)
        press(anna, "55")
        end = await rung(anna, UNMUTED, await rung(anna, MUTED))
        press(anna, "429")
        await rung(anna, DEAF, end)
        await shows(board, name, speak=True, hear=False)
        assert chimes(anna) == [MUTED, UNMUTED, DEAF]

    await asyncio.gather(expressions(), at_once())


# Groups


async def mutes_with(board: Switchboard, wanted: str, *, moderator: bool = False, **config: Any) -> None:
    """Of all keys in question only `wanted` mutes a caller of this room; "" = no key does anything."""
    name = f"room-{new_number()}"
    config = {"name": name, "profile": SAYING} | config
    number = await board.number(config=config, moderator=moderator, welcome_prompt=NO_WELCOME)
    anna = await board.dial(number)
    await board.present(name, 1)
    for key in (*"45678", "*2", "" if wanted else "#"):
        if key != wanted:
            press(anna, key)
    await anna.said()
    await fence(board.rest, name, anna)
    if wanted:
        press(anna, wanted)
        await rung(anna, MUTED)
    assert chimes(anna) == ([FENCE, MUTED] if wanted else [FENCE])


def group(**names: str) -> dict[str, list[Body]]:
    """Groups by name, each with one key that mutes."""
    return {name: [{"digits": key, "action": "mute on"}] for name, key in names.items()}


@together
async def test_the_group_of_members_and_of_moderators_is_named_by_document_or_profile(board: Switchboard) -> None:
    controls = group(default="4", ours="5", theirs="6", profiled="7", chaired="8")
    of_profile = SAYING | {"caller-controls": "profiled", "moderator-controls": "chaired"}

    async def room(member: str, moderator: str, **config: Any) -> None:
        config |= {"controls": controls}
        await asyncio.gather(
            mutes_with(board, member, **config), mutes_with(board, moderator, moderator=True, **config)
        )

    await asyncio.gather(
        room("4", "4"),
        room("5", "5", caller_controls="ours"),  # moderators without a group of their own have the members'
        room("5", "6", caller_controls="ours", moderator_controls="theirs"),
    )
    await asyncio.gather(
        room("7", "8", profile=of_profile),
        room("5", "6", caller_controls="ours", moderator_controls="theirs", profile=of_profile),
    )


@together
async def test_a_group_is_looked_up_in_the_document_the_account_and_the_system(board: Switchboard) -> None:
    other = await board.of_other_account()
    await other.configure(controls=group(**{"default": "4", "ours": "5", "floor-keys": "7"}))
    await asyncio.gather(
        mutes_with(other, "4"),
        mutes_with(other, "5", caller_controls="ours"),
        mutes_with(other, "6", caller_controls="ours", controls=group(ours="6")),
        mutes_with(other, "6", caller_controls="ours", controls=group(any="6")["any"]),  # a list is for every name
        mutes_with(other, "7", caller_controls="floor-keys"),
        mutes_with(board, "5", caller_controls="floor-keys"),  # of the whole system
        mutes_with(other, "6", caller_controls="desk-keys"),
    )


@together
async def test_a_group_that_is_named_nowhere_is_built_in_or_there_are_no_keys(board: Switchboard) -> None:
    await asyncio.gather(
        mutes_with(board, "*2"),
        mutes_with(board, "*2", moderator=True, moderator_controls="moderator"),
        mutes_with(board, "", caller_controls="none"),
        mutes_with(board, "", caller_controls="unheard-of"),
        mutes_with(board, "", caller_controls="paging"),
        mutes_with(board, "", caller_controls="page"),
        mutes_with(board, "", profile_name="page"),
    )


@together
async def test_counting_and_recording_by_key_are_in_the_extra_group_of_moderators(board: Switchboard) -> None:
    conference, member, chair = await board.hall(moderator_controls="moderator")
    anna, bruno, carl = await board.dial(member), await board.dial(member), await board.dial(chair)
    await board.present(conference, 3)
    press(anna, "*9*0")  # no keys of members
    await anna.said()
    press(carl, "*9")
    end = await prompted(carl, "conf-there_are")
    end = await counted(carl, "2", since=end - BEHIND)
    await prompted(carl, "conf-other_participants", since=end - BEHIND)
    assert max(level(call.heard()) for call in (anna, bruno)) < SILENT
    press(carl, "*0")
    await asyncio.gather(*(prompted(call, "conf-recording_on") for call in (anna, bruno, carl)))
    assert (await board.rest.call("GET", f"/conferences/{conference}"))["_read_only"]["is_recording"]
    press(carl, "*0")
    await asyncio.gather(*(prompted(call, "conf-recording_off") for call in (anna, bruno, carl)))


@together
async def test_counting_can_be_bound_for_everybody(board: Switchboard) -> None:
    number, name = await board.quiet_room(controls=keys(k5="announce count"))
    anna = await board.dial(number)
    await board.present(name, 1)
    press(anna, "5")
    end = await prompted(anna, "conf-alone")
    await board.dial(number)
    await board.present(name, 2)
    press(anna, "5")
    await prompted(anna, "conf-single", since=end)
