"""The way into the room: welcome, number, PIN, role, and every way to fail (semantics 1.3 to 1.8)."""

import asyncio
from typing import Any

import pytest

from mirliton.phone.conversation import Conversation
from mirliton.phone.listening import find_sound

from .measuring import ALIKE, TONES, ended_by_server, hears, jingle, likeness, prompted, recording, wav
from .raw import RawAudio, RawCaller, audio_address, offer
from .switchboard import NO_WELCOME, QUIET, Switchboard, new_number
from .together import Together

together = Together()

OTHER = 0.4  # a prompt that was not played is less alike than this


async def roles(board: Switchboard, conference: str, count: int) -> list[bool]:
    """Wait until so many are in the room; who of them is a moderator."""
    people = await board.present(conference, count)
    return [one["conference_channel_vars"]["is_moderator"] for one in people]


def key(call: Conversation, digits: str) -> None:
    """Press keys now."""
    call.press(digits, call.seconds)


@together
async def test_a_first_caller_hears_welcome_joining_alone_and_music_in_this_order(board: Switchboard) -> None:
    call = await board.dial(await board.number(config={"name": new_number()}))
    end = 0.0
    for sound in ("conf-welcome", "conf-joining_conference", "conf-alone", "hold_music"):
        end = await prompted(call, sound, since=max(0.0, end - 0.2))


@together
async def test_the_action_can_switch_the_welcome_off(board: Switchboard) -> None:
    media = await board.rest.recording("unheard", wav(jingle(1)))
    number = await board.number(config={"name": new_number()}, welcome_prompt={"play": False, "media_id": media})
    call = await board.dial(number)
    end = await prompted(call, "conf-joining_conference")
    assert await likeness(call, "conf-welcome", end=end) < OTHER
    assert await likeness(call, jingle(1), end=end) < OTHER


@together
async def test_the_document_can_switch_the_welcome_off_and_the_action_on_again(board: Switchboard) -> None:
    conference = await board.conference(play_welcome=False)
    silent, welcomed = (
        await board.number(id=conference),
        await board.number(id=conference, welcome_prompt={"play": True}),
    )
    one, two = await board.dial(silent, TONES[0]), await board.dial(welcomed)
    end = await prompted(two, "conf-welcome")
    await hears(two, TONES[0])
    assert await likeness(one, "conf-welcome", end=end) < OTHER


@together
async def test_own_media_stands_in_for_the_welcome(board: Switchboard) -> None:
    media = await board.rest.recording("hello", wav(jingle(2)))
    call = await board.dial(await board.number(config={"name": new_number()}, welcome_prompt={"media_id": media}))
    end = await prompted(call, jingle(2))
    end = await prompted(call, "conf-joining_conference", since=end - 0.2)
    assert await likeness(call, "conf-welcome", end=end) < OTHER


@together
async def test_a_dialled_number_leads_to_the_conference_that_lists_it(board: Switchboard) -> None:
    digits = new_number()
    conference = await board.conference(conference_numbers=[digits])
    call = await board.dial(await board.number(welcome_prompt=NO_WELCOME))
    await prompted(call, "conf-enter_conf_number")
    key(call, f"{digits}#")
    assert await roles(board, conference, 1) == [False]


@together
async def test_sixteen_digits_or_a_pause_end_a_number_without_a_terminator(board: Switchboard) -> None:
    long, short = new_number().rjust(16, "7"), new_number()
    first, second = (
        await board.conference(conference_numbers=[long]),
        await board.conference(conference_numbers=[short]),
    )
    number = await board.number(welcome_prompt=NO_WELCOME)
    one, two = await board.dial(number), await board.dial(number)
    key(one, long)
    key(two, short)
    await board.present(first, 1)
    await board.present(second, 1)


@together
async def test_three_wrong_numbers_end_the_call(board: Switchboard) -> None:
    call = await board.dial(await board.number(welcome_prompt=NO_WELCOME))
    end = 0.0
    for _ in range(3):
        await prompted(call, "conf-enter_conf_number", since=max(0.0, end - 0.2))
        key(call, "123#")
        end = await prompted(call, "conf-bad_conf", since=end)
    await prompted(call, "conf-too_many_attempts", since=end - 0.2)
    await ended_by_server(call)


@together
async def test_nobody_who_stays_silent_at_the_number_is_asked_for_ever(board: Switchboard) -> None:
    """With the account's own short recordings in place of the prompts, and its own `number_timeout`."""
    other = await board.of_other_account()
    await other.rest.call("POST", "/config/conferences", {"number_timeout": 600})
    sounds = {"conf-enter_conf_number": jingle(3), "conf-bad_conf": jingle(4), "conf-too_many_attempts": jingle(5)}
    for prompt, sound in sounds.items():
        await other.rest.recording(prompt, wav(sound), prompt_id=prompt, language="en-us")
    call = await other.dial(await other.number(welcome_prompt=NO_WELCOME))
    end = 0.0
    for sound in (jingle(3), jingle(4)) * 3:
        end = await prompted(call, sound, since=max(0.0, end - 0.2))
    await prompted(call, jingle(5), since=end - 0.2)
    await ended_by_server(call)
    assert call.report.seconds > 6.9 + 3 * 0.6


@together
async def test_the_number_gives_the_role(board: Switchboard) -> None:
    member, moderator = new_number(), new_number()
    conference = await board.conference(member={"numbers": [member]}, moderator={"numbers": [moderator]})
    number = await board.number(welcome_prompt=NO_WELCOME)
    key(await board.dial(number), f"{member}#")
    assert await roles(board, conference, 1) == [False]
    key(await board.dial(number), f"{moderator}#")
    assert await roles(board, conference, 2) == [False, True]


@together
async def test_a_role_from_the_number_asks_only_for_its_own_pin(board: Switchboard) -> None:
    member, moderator = new_number(), new_number()
    conference = await board.conference(
        member={"numbers": [member]}, moderator={"numbers": [moderator], "pins": ["99"]}
    )
    number = await board.number(welcome_prompt=NO_WELCOME)
    free, asked = await board.dial(number), await board.dial(number)
    key(free, f"{member}#")
    assert await roles(board, conference, 1) == [False]
    key(asked, f"{moderator}#")
    await prompted(asked, "conf-enter_conf_pin")
    key(asked, "99#")
    assert await roles(board, conference, 2) == [False, True]


@together
async def test_the_pin_gives_the_role_and_one_in_both_lists_makes_a_member(board: Switchboard) -> None:
    conference = await board.conference(member={"pins": ["0012", "55"]}, moderator={"pins": ["3456", "55"]})
    number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    for count, (pin, moderator) in enumerate((("0012", False), ("3456", True), ("55", False)), 1):
        call = await board.dial(number)
        await prompted(call, "conf-enter_conf_pin", within=10)
        key(call, f"{pin}#")
        assert (await roles(board, conference, count))[-1] == moderator


@together
async def test_three_wrong_pins_end_the_call_and_leading_zeros_count(board: Switchboard) -> None:
    conference = await board.conference(member={"pins": ["0012"]}, moderator={"pins": ["3456"]})
    call = await board.dial(await board.number(id=conference, welcome_prompt=NO_WELCOME))
    end = 0.0
    for wrong in ("12#", "#", "00012#"):
        await prompted(call, "conf-enter_conf_pin", since=max(0.0, end - 0.2))
        key(call, wrong)
        end = await prompted(call, "conf-bad_pin", since=end)
    await prompted(call, "conf-too_many_attempts", since=end - 0.2)
    await ended_by_server(call)
    assert await board.rest.participants(conference) == []


@together
async def test_a_wrong_pin_can_be_mended(board: Switchboard) -> None:
    conference = await board.conference(member={"pins": ["12"]})
    call = await board.dial(await board.number(id=conference, welcome_prompt=NO_WELCOME))
    key(call, "13#")
    await prompted(call, "conf-bad_pin")
    key(call, "12#")
    assert await roles(board, conference, 1) == [False]


@together
async def test_with_moderator_pins_alone_an_empty_entry_or_waiting_makes_a_member(board: Switchboard) -> None:
    conference = await board.conference(moderator={"pins": ["3456"]}, pin_timeout=600)
    number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    hasty, patient = await board.dial(number), await board.dial(number)
    key(hasty, "#")
    assert await roles(board, conference, 1) == [False]
    await prompted(patient, "conf-enter_conf_pin")
    assert await roles(board, conference, 2) == [False, False]
    key(await board.dial(number), "3456#")
    assert await roles(board, conference, 3) == [False, False, True]


@together
async def test_the_moderator_key_lifts_the_role_but_not_the_pin(board: Switchboard) -> None:
    guarded, free = await board.conference(member={"pins": ["12"]}), await board.conference()
    call = await board.dial(await board.number(id=guarded, moderator=True, welcome_prompt=NO_WELCOME))
    await prompted(call, "conf-enter_conf_pin")
    key(call, "12#")
    assert await roles(board, guarded, 1) == [True]
    await board.dial(await board.number(id=free, moderator=True, welcome_prompt=NO_WELCOME))
    assert await roles(board, free, 1) == [True]


@together
async def test_moderator_false_does_not_take_a_typed_role_away(board: Switchboard) -> None:
    config = {"name": new_number(), "profile": QUIET, "moderator": {"pins": ["3456"]}}
    call = await board.dial(await board.number(config=config, moderator=False, welcome_prompt=NO_WELCOME))
    key(call, "3456#")
    assert await roles(board, str(config["name"]), 1) == [True]


@together
async def test_digits_during_the_welcome_count_and_cut_it_short(board: Switchboard) -> None:
    conference = await board.conference(member={"pins": ["2468"]})
    call = await board.dial(await board.number(id=conference))
    welcome = recording("conf-welcome", 8000)
    await prompted(call, welcome[:4800])
    key(call, "2468#")
    await board.present(conference, 1)
    assert await likeness(call, welcome[10_000:]) < OTHER
    assert await likeness(call, "conf-enter_conf_pin") < OTHER


@together
async def test_digits_as_sound_are_understood_once_each(board: Switchboard) -> None:
    """A second `#` from the same press would be the control that ends the call: they must stay in the room."""
    conference = await board.conference(member={"pins": ["1472580369"]})
    number = await board.number(id=conference, welcome_prompt=NO_WELCOME)

    async def come_in() -> Conversation:
        call = await board.dial(number, events=False)
        await prompted(call, "conf-enter_conf_pin")
        key(call, "1472580369#")
        await call.said()
        return call

    calls = await asyncio.gather(*(come_in() for _ in range(5)))
    await board.present(conference, 5)
    assert not any(call.ended.is_set() for call in calls)


@together
async def test_digits_as_sip_info_are_understood(board: Switchboard) -> None:
    conference = await board.conference(member={"pins": ["2468"]})
    number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    async with RawAudio(None) as audio:
        with RawCaller(board.server.sip, number) as caller:
            audio.remote = audio_address(await caller.invite(offer(audio.port)))
            for cseq, digit in enumerate("2468#", 2):
                body, kind = f"Signal={digit}\r\nDuration=160\r\n", "Content-Type: application/dtmf-relay"
                await caller.send("INFO", cseq, body, [kind])
                assert (await caller.final("INFO")).code == 200
            await board.present(conference, 1)
            await caller.bye()
    await board.present(conference, 0)


@together
async def test_a_full_room_refuses_members_and_lets_moderators_in(board: Switchboard) -> None:
    media = await board.rest.recording("full", wav(jingle(6)))
    plain = await board.conference(max_participants=2)
    worded = await board.conference(max_participants=1, max_members_media=media)

    async def second(conference: str, first: int, sound: Any) -> None:
        number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
        chair = await board.number(id=conference, moderator=True, welcome_prompt=NO_WELCOME)
        for _ in range(first):
            await board.dial(number)
        await board.present(conference, first)
        refused = await board.dial(number)
        await prompted(refused, sound)
        await ended_by_server(refused)
        await board.dial(chair)
        assert await roles(board, conference, first + 1) == [False] * first + [True]

    await asyncio.gather(second(plain, 2, "conf-max_participants"), second(worded, 1, jingle(6)))


@together
async def test_a_locked_room_says_so_and_lets_moderators_in(board: Switchboard) -> None:
    conference = await board.conference()
    number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    await board.dial(number)
    await board.present(conference, 1)
    await board.rest.act(conference, "lock")
    refused = await board.dial(number)
    await prompted(refused, "conf-locked")
    await ended_by_server(refused)
    await board.dial(await board.number(id=conference, moderator=True, welcome_prompt=NO_WELCOME))
    await board.present(conference, 2)
    await board.rest.act(conference, "unlock")
    await board.dial(number)
    await board.present(conference, 3)


@pytest.mark.parametrize("sound", ["conf-bad_conf", "conf-bad_pin", "conf-enter_conf_pin", "conf-enter_conf_number"])
def test_the_recordings_are_told_apart_by_the_measuring(sound: str) -> None:
    """The tests above lean on it: a prompt in the sound of another is not found."""
    for other in ("conf-welcome", "conf-too_many_attempts", "conf-joining_conference", "conf-alone"):
        assert find_sound(recording(other, 8000), recording(sound, 8000), 8000).score < OTHER
    assert find_sound(recording(sound, 8000), recording(sound, 8000), 8000).score > ALIKE
