"""Rooms: who meets whom, who hears whom, and what the controls do to the sound (semantics 1, 3.6-3.8, 4)."""

import asyncio

import pytest

from mirliton.phone.phone import CallFailed

from .measuring import TONES, deaf_for, ended_by_server, hear_each_other, hears, latest
from .switchboard import NO_WELCOME, QUIET, Switchboard, new_number
from .together import Together

together = Together()

ANNA, BRUNO, CARL, DORA = TONES[0], TONES[3], TONES[6], TONES[9]


@together
async def test_each_caller_hears_all_others_and_never_itself(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    tones = (ANNA, BRUNO, CARL, DORA)
    calls = dict(zip(tones, await asyncio.gather(*(board.dial(number, tone) for tone in tones)), strict=True))
    await hear_each_other(calls)
    await board.present(name, 4)
    await calls.pop(DORA).hang_up()
    await hear_each_other(calls)
    await board.present(name, 3)


@together
async def test_a_call_over_tcp_meets_one_over_udp(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    await hear_each_other(
        {ANNA: await board.dial(number, ANNA, transport="tcp"), BRUNO: await board.dial(number, BRUNO)}
    )


@together
async def test_the_same_name_meets_in_the_same_room_but_not_across_accounts(board: Switchboard) -> None:
    other = await board.of_other_account()
    name = f"sales-{new_number()}"
    numbers = [(await board.quiet_room(name=name))[0], (await board.quiet_room(name=name))[0]]
    foreign_number, _ = await other.quiet_room(name=name)
    calls = {ANNA: await board.dial(numbers[0], ANNA), BRUNO: await board.dial(numbers[1], BRUNO)}
    stranger = await other.dial(foreign_number, CARL)
    await hear_each_other(calls)
    await deaf_for(stranger, 0.5)
    assert (len(await board.rest.participants(name)), len(await other.rest.participants(name))) == (2, 1)


@together
async def test_an_id_without_a_document_opens_a_room_of_its_own_with_the_config(board: Switchboard) -> None:
    ghost = new_number().rjust(32, "0")
    number = await board.number(
        id=ghost,
        config={"name": "ignored", "profile": QUIET, "member": {"join_muted": True}},
        welcome_prompt=NO_WELCOME,
    )
    anna, bruno = await board.dial(number, ANNA), await board.dial(number, BRUNO)
    members = await board.present(ghost, 2)
    assert [one["conference_channel_vars"]["speak"] for one in members] == [False, False]
    await deaf_for(anna, 0.5)
    bruno.press("*3", bruno.seconds)
    await hears(anna, BRUNO)


@together
async def test_a_stored_document_is_used_and_the_config_beside_it_ignored(board: Switchboard) -> None:
    conference = await board.conference()
    number = await board.number(
        id=conference, config={"name": "no", "member": {"pins": ["1"], "join_muted": True}}, welcome_prompt=NO_WELCOME
    )
    await hear_each_other({ANNA: await board.dial(number, ANNA), BRUNO: await board.dial(number, BRUNO)})
    await board.present(conference, 2)


@together
async def test_a_skipped_action_goes_on_at_the_wildcard_child(board: Switchboard) -> None:
    name = f"room-{new_number()}"
    child = {"module": "conference", "data": {"config": {"name": name, "profile": QUIET}, "welcome_prompt": NO_WELCOME}}
    skipped = {"module": "conference", "data": {"skip_module": True, "config": {"name": f"not-{name}"}}}
    number = await board.flow({**skipped, "children": {"_": {**child, "children": {}}}})
    await hear_each_other({ANNA: await board.dial(number, ANNA), BRUNO: await board.dial(number, BRUNO)})
    await board.present(name, 2)
    assert await board.rest.participants(f"not-{name}") == []


@together
async def test_a_skipped_action_without_a_child_ends_the_call_unanswered(board: Switchboard) -> None:
    number = await board.flow({"module": "conference", "data": {"skip_module": "true", "config": {"name": "none"}}})
    with pytest.raises(CallFailed) as failure:
        await board.dial(number)
    assert failure.value.report.code >= 400


@together
async def test_the_feature_dials_a_room_by_what_the_pattern_captured(board: Switchboard) -> None:
    digits = new_number()
    await board.rest.create(
        "callflows",
        {
            "patterns": [f"^\\*88({digits})$"],
            "flow": {
                "module": "conference_feature",
                "data": {"config": {"name": "any", "profile": QUIET}, "welcome_prompt": NO_WELCOME},
                "children": {},
            },
        },
    )
    anna, bruno = await board.dial(f"*88{digits}", ANNA), await board.dial(f"*88{digits}", BRUNO)
    await hear_each_other({ANNA: anna, BRUNO: bruno})
    await board.present(digits, 2)


@together
async def test_an_unknown_number_is_refused_with_404(board: Switchboard) -> None:
    with pytest.raises(CallFailed) as failure:
        await board.dial(new_number())
    assert failure.value.report.code == 404


@together
async def test_members_of_a_stored_conference_are_silent_until_they_unmute(board: Switchboard) -> None:
    """The schema's default: `member.join_muted` is true in every conference made over REST."""
    conference = await board.rest.create(
        "conferences", {"name": f"muted {new_number()}", "profile": QUIET, "moderator": {"pins": ["77"]}}
    )
    member_number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    member, moderator = await board.dial(member_number, ANNA), await board.dial(member_number, BRUNO)
    member.press("#")
    moderator.press("77#")
    people = await board.present(conference, 2)
    roles = {one["conference_channel_vars"]["is_moderator"]: one["conference_channel_vars"] for one in people}
    assert (roles[False]["speak"], roles[True]["speak"]) == (False, True)
    await hears(member, BRUNO)
    await deaf_for(moderator, 0.5)
    member.press("*3", member.seconds)
    await hears(moderator, ANNA)


@together
async def test_joining_deaf_is_hearing_nothing_while_being_heard(board: Switchboard) -> None:
    number, name = await board.quiet_room(member={"join_deaf": True})
    anna, bruno = await board.dial(number, ANNA), await board.dial(number, BRUNO)
    await board.present(name, 2)
    anna.press("*6", anna.seconds)
    await hears(anna, BRUNO)
    assert latest(bruno) == set()
    await deaf_for(bruno, 0.5)


@together
async def test_every_default_control_does_to_the_sound_what_it_says(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    anna, bruno = await board.dial(number, ANNA), await board.dial(number, BRUNO)
    await hear_each_other({ANNA: anna, BRUNO: bruno})
    for keys, bruno_hears, anna_hears in (
        ("*1", [], [BRUNO]),
        ("*1", [ANNA], [BRUNO]),
        ("*2", [], [BRUNO]),
        ("*3", [ANNA], [BRUNO]),
        ("*4", [ANNA], []),
        ("*4", [ANNA], [BRUNO]),
        ("*5", [ANNA], []),
        ("*6", [ANNA], [BRUNO]),
    ):
        anna.press(keys, anna.seconds)
        await asyncio.gather(hears(bruno, *bruno_hears), hears(anna, *anna_hears))
    anna.press("#", anna.seconds)
    await ended_by_server(anna)
    await board.present(name, 1)
    await hears(bruno)


@together
async def test_own_controls_of_the_account_and_no_controls_at_all(board: Switchboard) -> None:
    number, name = await board.quiet_room(controls={"default": [{"digits": "5", "action": "mute"}]})
    locked_out, other_name = await board.quiet_room(caller_controls="paging")
    anna, bruno = await board.dial(number, ANNA), await board.dial(number, BRUNO)
    carl = await board.dial(locked_out, CARL)
    await hears(bruno, ANNA)
    carl.press("#*2", carl.seconds)
    anna.press("5", anna.seconds)
    await hears(bruno)
    await carl.said()
    anna.press("5", anna.seconds)
    await hears(bruno, ANNA)
    anna.press("#", anna.seconds)
    await anna.said()
    await hears(bruno, ANNA)
    assert (len(await board.rest.participants(name)), len(await board.rest.participants(other_name))) == (2, 1)


@together
async def test_a_moderator_hears_and_is_heard_while_members_wait_for_one(board: Switchboard) -> None:
    conference = await board.conference(wait_for_moderator=True)
    member = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    moderator = await board.number(id=conference, moderator=True, welcome_prompt=NO_WELCOME)
    calls = {ANNA: await board.dial(member, ANNA), BRUNO: await board.dial(member, BRUNO)}
    await board.present(conference, 2)
    await asyncio.gather(*(deaf_for(call, 0.6) for call in calls.values()))
    calls[CARL] = await board.dial(moderator, CARL)
    await hear_each_other(calls)
