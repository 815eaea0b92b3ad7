"""The sounds of a room: entry and exit tones, hold music (semantics 2.4, 3.6)."""

import asyncio

import numpy as np
import pytest

from mirliton.conference.defaults import ENTRY_TONE, EXIT_TONE
from mirliton.phone.conversation import Conversation
from mirliton.sounds.tones import render_tones

from .measuring import Samples, hears, jingle, likeness, prompted, wav
from .switchboard import NO_WELCOME, QUIET, Switchboard, new_number
from .together import Together

together = Together()

OTHER = 0.4
ENTRY = np.asarray(render_tones(ENTRY_TONE.removeprefix("tone_stream://"), 8000).samples)
EXIT = np.asarray(render_tones(EXIT_TONE.removeprefix("tone_stream://"), 8000).samples)
WITH_TONES = {key: value for key, value in QUIET.items() if key not in ("enter-sound", "exit-sound")}


async def both_hear(sound: Samples, *calls: Conversation) -> None:
    await asyncio.gather(*(prompted(call, sound) for call in calls))


async def undisturbed(call: Conversation, seconds: float = 1.4) -> None:
    """Let pass what a tone takes; the call must last."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call.ended.wait(), seconds)


@together
async def test_the_entry_tone_is_heard_by_all_but_not_by_the_first_alone(board: Switchboard) -> None:
    number, name = await board.quiet_room(profile=WITH_TONES)
    first = await board.dial(number)
    await board.present(name, 1)
    await undisturbed(first)
    assert await likeness(first, ENTRY) < OTHER
    second = await board.dial(number)
    await both_hear(ENTRY, first, second)


@together
async def test_the_exit_tone_is_heard_by_those_who_stay(board: Switchboard) -> None:
    number, name = await board.quiet_room(profile=WITH_TONES)
    first, second, third = [await board.dial(number) for _ in range(3)]
    await board.present(name, 3)
    third.press("#", third.seconds)
    await both_hear(EXIT, first, second)
    await third.ended.wait()
    assert await likeness(third, EXIT) < OTHER


@together
async def test_a_caller_whose_action_says_no_tone_comes_and_goes_unheard(board: Switchboard) -> None:
    conference = await board.conference(profile=WITH_TONES)
    loud = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    hushed = await board.number(id=conference, welcome_prompt=NO_WELCOME, play_entry_tone=False, play_exit_tone=False)
    listener = await board.dial(loud)
    await board.present(conference, 1)
    quiet = await board.dial(hushed)
    await board.present(conference, 2)
    await quiet.hang_up()
    await board.present(conference, 1)
    await undisturbed(listener)
    assert await likeness(listener, ENTRY) < OTHER
    assert await likeness(listener, EXIT) < OTHER
    third = await board.dial(loud)
    await prompted(listener, ENTRY)
    await third.hang_up()
    await prompted(listener, EXIT)


@together
async def test_a_tone_of_ones_own_is_played_in_place_of_the_rooms(board: Switchboard) -> None:
    media = await board.rest.recording("ding", wav(jingle(11)))
    conference = await board.conference(profile=WITH_TONES)
    plain = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    own = await board.number(id=conference, welcome_prompt=NO_WELCOME, play_entry_tone=media, play_exit_tone=media)
    listener = await board.dial(plain)
    await board.present(conference, 1)
    visitor = await board.dial(own)
    end = await prompted(listener, jingle(11))
    await visitor.hang_up()
    await prompted(listener, jingle(11), since=end)
    assert await likeness(listener, ENTRY) < OTHER


@together
async def test_music_plays_for_one_alone_and_stops_for_two_and_comes_back(board: Switchboard) -> None:
    media = await board.rest.recording("music", wav(jingle(12, seconds=2.0)))
    profile = QUIET | {"moh-sound": media, "alone-sound": "conf-alone"}
    number, name = await board.quiet_room(profile=profile)
    first = await board.dial(number, 911)
    told = await prompted(first, "conf-alone")
    once = await prompted(first, jingle(12, seconds=2.0), since=told - 0.2)
    await prompted(first, jingle(12, seconds=2.0), since=once - 0.2)  # it loops
    second = await board.dial(number, 1553)
    await board.present(name, 2)
    await hears(first, 1553)
    quiet_from = first.seconds
    await undisturbed(first, 2.2)
    assert await likeness(first, jingle(12, seconds=2.0), start=quiet_from) < OTHER
    await second.hang_up()
    told = await prompted(first, "conf-alone", since=quiet_from)
    await prompted(first, jingle(12, seconds=2.0), since=told - 0.2)


@together
async def test_a_joiner_is_told_that_it_joins_and_nobody_else_is(board: Switchboard) -> None:
    number, _ = await board.quiet_room(profile=QUIET | {"member-enter-sound": "conf-joining_conference"})
    first = await board.dial(number, 911)
    end = await prompted(first, "conf-joining_conference")
    second = await board.dial(number, 1553)
    await prompted(second, "conf-joining_conference")
    await hears(second, 911)
    assert await likeness(first, "conf-joining_conference", start=end) < OTHER


@together
async def test_muting_is_said_to_the_muted_alone(board: Switchboard) -> None:
    profile = QUIET | {"muted-sound": "conf-muted", "unmuted-sound": "conf-unmuted"}
    number, name = await board.quiet_room(profile=profile, name=new_number())
    first = await board.dial(number)
    await board.present(name, 1)
    second = await board.dial(number)
    people = await board.present(name, 2)
    first.press("*2", first.seconds)
    end = await prompted(first, "conf-muted")
    await board.rest.act(name, "unmute", people[0]["participant_id"])
    await prompted(first, "conf-unmuted", since=end - 0.2)
    assert await likeness(second, "conf-muted") < OTHER
    assert await likeness(second, "conf-unmuted") < OTHER
