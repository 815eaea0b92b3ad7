"""REST orders on live calls: what they answer is what the callers hear (semantics 6.5, 6.6)."""

import asyncio

from .measuring import TONES, ended_by_server, hear_each_other, hears, jingle, likeness, prompted, wav
from .switchboard import NO_WELCOME, QUIET, Switchboard
from .together import Together

together = Together()

ANNA, BRUNO, CARL = TONES[0], TONES[3], TONES[6]
OTHER = 0.4


@together
async def test_the_list_shows_who_is_there_and_talks(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    await board.dial(number, ANNA, user="anna", display="Anna A.")
    await board.present(name, 1)
    silent = await board.dial(number, user="bruno")
    people = await board.present(name, 2)
    await hears(silent, ANNA)
    people = await board.rest.participants(name)
    assert (people[0]["caller_id_number"], people[0]["caller_id_name"]) == ("anna", "Anna A.")
    assert people[1]["caller_id_number"] == "bruno"
    variables = [one["conference_channel_vars"] for one in people]
    assert [one["talking"] for one in variables] == [True, False]
    assert [(one["speak"], one["hear"], one["is_moderator"]) for one in variables] == [(True, True, False)] * 2
    assert len({one["participant_id"] for one in people}) == 2
    room = await board.rest.call("GET", f"/conferences/{name}")
    assert (room["_read_only"]["members"], room["_read_only"]["moderators"]) == (2, 0)


@together
async def test_muting_and_deafening_one_takes_effect_before_the_answer(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    calls = {ANNA: await board.dial(number, ANNA)}
    anna = (await board.present(name, 1))[0]["participant_id"]
    calls |= {BRUNO: await board.dial(number, BRUNO), CARL: await board.dial(number, CARL)}
    await hear_each_other(calls)
    for action, others_hear, anna_hears in (
        ("mute", {CARL}, {BRUNO, CARL}),
        ("unmute", {ANNA, CARL}, {BRUNO, CARL}),
        ("deaf", {ANNA, CARL}, set[int]()),
        ("undeaf", {ANNA, CARL}, {BRUNO, CARL}),
    ):
        await board.rest.act(name, action, anna)
        state = (await board.rest.participants(name))[0]["conference_channel_vars"]
        assert (state["speak"], state["hear"]) == (action != "mute", action != "deaf")
        await asyncio.gather(hears(calls[BRUNO], *others_hear), hears(calls[ANNA], *anna_hears))


@together
async def test_muting_all_spares_moderators(board: Switchboard) -> None:
    conference = await board.conference()
    number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    chair = await board.number(id=conference, moderator=True, welcome_prompt=NO_WELCOME)
    calls = {ANNA: await board.dial(number, ANNA), BRUNO: await board.dial(number, BRUNO)}
    calls[CARL] = await board.dial(chair, CARL)
    await hear_each_other(calls)
    await board.rest.act_on_all(conference, "mute")
    await asyncio.gather(hears(calls[ANNA], CARL), hears(calls[BRUNO], CARL), hears(calls[CARL]))
    await board.rest.act_on_all(conference, "unmute")
    await hear_each_other(calls)


@together
async def test_a_kicked_caller_is_hung_up_and_the_others_go_on(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    anna = await board.dial(number, ANNA)
    target = (await board.present(name, 1))[0]["participant_id"]
    others = {BRUNO: await board.dial(number, BRUNO), CARL: await board.dial(number, CARL)}
    await board.present(name, 3)
    await board.rest.act(name, "kick", target)
    assert len(await board.rest.participants(name)) == 2
    await prompted(anna, "conf-kicked")
    await ended_by_server(anna)
    await hear_each_other(others)


@together
async def test_kicking_all_takes_moderators_too_and_ends_the_room(board: Switchboard) -> None:
    conference = await board.conference()
    number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    chair = await board.number(id=conference, moderator=True, welcome_prompt=NO_WELCOME)
    calls = [await board.dial(number), await board.dial(chair)]
    await board.present(conference, 2)
    await board.rest.act_on_all(conference, "kick")
    assert await board.rest.participants(conference) == []
    await asyncio.gather(*(ended_by_server(call) for call in calls))


@together
async def test_a_sound_for_the_room_is_heard_by_all_and_one_for_a_caller_by_that_one(board: Switchboard) -> None:
    for_all = await board.rest.recording("for all", wav(jingle(21)))
    for_one = await board.rest.recording("for one", wav(jingle(22)))
    number, name = await board.quiet_room(profile=QUIET)
    first = await board.dial(number)
    target = (await board.present(name, 1))[0]["participant_id"]
    second = await board.dial(number)
    await board.present(name, 2)
    await board.rest.act(name, "play", media_id=for_all)
    await asyncio.gather(prompted(first, jingle(21)), prompted(second, jingle(21)))
    await board.rest.act(name, "play", target, media_id=for_one)
    await prompted(first, jingle(22))
    assert await likeness(second, jingle(22)) < OTHER


@together
async def test_two_members_can_be_kept_from_hearing_each_other(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    tones = (ANNA, BRUNO, CARL)
    calls = dict(zip(tones, await board.dial_in_turn(name, number, *tones), strict=True))
    await hear_each_other(calls)
    people = await board.rest.participants(name)
    anna, bruno = (people[index]["participant_id"] for index in (0, 1))

    async def relate(relationship: str) -> None:
        await board.rest.act_on_all(
            name, "relate", participant_id=anna, other_participant=bruno, relationship=relationship
        )

    await relate("mute")  # bruno does not hear anna
    await asyncio.gather(hears(calls[ANNA], BRUNO, CARL), hears(calls[BRUNO], CARL), hears(calls[CARL], ANNA, BRUNO))
    await relate("deaf")  # nor anna bruno
    await asyncio.gather(hears(calls[ANNA], CARL), hears(calls[BRUNO], CARL), hears(calls[CARL], ANNA, BRUNO))
    await relate("clear")
    await hear_each_other(calls)
