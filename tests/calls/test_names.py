"""Names that callers say at the door, and how the room hears them come and go (semantics 1.5.8)."""

import asyncio
import io
from typing import Any

import numpy as np
import soundfile

from mirliton.conference.defaults import ENTRY_TONE, EXIT_TONE
from mirliton.phone.conversation import Conversation
from mirliton.phone.listening import find_sound, level
from mirliton.sounds.tones import render_tones

from .chimes import chime, chimes, fence, rung
from .in_the_room import together
from .measuring import ALIKE, BEHIND, Samples, jingle, likeness, prompted, until, wav
from .rest import Body
from .switchboard import NO_WELCOME, QUIET, Switchboard, new_number

ASK, YOURS, REVIEW = "conf-announce_your_name", "conf-your_announcement", "conf-review"
JOINED, LEFT = "conf-has_joined", "conf-has_left"
BEEP = np.asarray(render_tones("%(500,0,440)", 8000).samples)
ENTRY = np.asarray(render_tones(ENTRY_TONE.removeprefix("tone_stream://"), 8000).samples)
EXIT = np.asarray(render_tones(EXIT_TONE.removeprefix("tone_stream://"), 8000).samples)
SHORT = {prompt: jingle(seed, seconds=0.5) for prompt, seed in ((ASK, 181), (YOURS, 182), (REVIEW, 183))}
WITH_TONES = {key: value for key, value in QUIET.items() if key not in ("enter-sound", "exit-sound")}
OTHER = 0.4
SILENCE_SECONDS = 5.0
SILENT = -55.0  # dBFS
STRANGER = "127.0.0.2:0"
"""From here a phone must say who it is."""


async def hall(board: Switchboard, **config: Any) -> tuple[str, str, str]:
    """A room with tones: its name, a number for callers without a name, and one for those who have to say theirs.

    These are asked in a language that nobody speaks, in which the account has short recordings of the prompts.
    """
    language = f"eo-{new_number()}"
    for prompt, sound in SHORT.items():
        await board.rest.recording(prompt, wav(sound), prompt_id=prompt, language=language)
    plain, name = await board.quiet_room(profile=WITH_TONES)
    config = {"language": language} | config
    named, _ = await board.quiet_room(name=name, profile=WITH_TONES, play_name=True, **config)
    return name, plain, named


async def listening(board: Switchboard, plain: str, name: str, count: int = 1) -> Conversation:
    """Somebody in the room, who says nothing."""
    call = await board.dial(plain)
    await board.present(name, count)
    return call


async def says(
    call: Conversation, name: Samples, key: str = "#", ask: str | Samples = SHORT[ASK], since: float = 0.0
) -> None:
    """Wait for the question and the beep, say the name, and press a key."""
    await in_turn(call, ask, BEEP, since=since)
    await until(lambda: _quiet(call), "the end of the beep")
    call.say(name)
    await call.said()
    if key:
        call.press(key, call.seconds)


async def _quiet(call: Conversation) -> bool:
    return level(call.heard(call.seconds - BEHIND, call.seconds)) < SILENT


async def in_turn(call: Conversation, *sounds: str | Samples, since: float = 0.0) -> float:
    """Wait until these were heard one after the other; returns the time of the end."""
    end = since
    for sound in sounds:
        end = await prompted(call, sound, since=max(since, end - 0.2))
    return end


async def recordings_of(board: Switchboard, call: Conversation) -> list[Body]:
    """The recordings that a call has left in its account."""
    found: list[Body] = await board.rest.call("GET", f"/media?filter_source_id={call.session.call_id}&paginate=false")
    return found


@together
async def test_the_room_hears_the_name_that_a_caller_says_and_nothing_is_kept_of_it(board: Switchboard) -> None:
    room, plain, named = await hall(board, language="en-us")
    listener = await listening(board, plain, room)
    since = listener.seconds
    guest = await board.dial(named)
    await says(guest, jingle(91), ask=ASK)
    entered = await asyncio.gather(
        *(in_turn(call, ENTRY, jingle(91), JOINED, since=start) for call, start in ((listener, since), (guest, 0.0)))
    )
    assert len(await recordings_of(board, guest)) == 1
    assert not guest.ended.is_set()  # the key that ended the recording was no control
    await guest.hang_up()
    await in_turn(listener, EXIT, jingle(91), LEFT, since=entered[0])
    assert await likeness(listener, ASK) < OTHER

    async def forgotten() -> bool:
        return not await recordings_of(board, guest)

    await until(forgotten, "no recording of a caller without a user")


@together
async def test_the_first_caller_is_announced_to_nobody_but_its_leaving_to_who_stays(board: Switchboard) -> None:
    room, plain, named = await hall(board)
    guest = await board.dial(named)
    await says(guest, jingle(92), key="7")
    await board.present(room, 1)
    since = guest.seconds
    await fence(board.rest, room, guest)
    assert await likeness(guest, JOINED, since) < OTHER
    assert await likeness(guest, jingle(92), since) < OTHER
    listener = await listening(board, plain, room, 2)
    await guest.hang_up()
    await in_turn(listener, EXIT, jingle(92), LEFT)


@together
async def test_the_name_of_a_user_is_asked_for_once_and_kept(board: Switchboard) -> None:
    account = await board.rest.call("GET", "")
    if not account.get("realm"):  # passwords are kept with it
        await board.rest.call("PATCH", "", {"realm": board.account.domain})
    user = await board.rest.create("users", {"username": f"user-{new_number()}", "password": "a long password"})
    phones: list[dict[str, Any]] = []
    for _ in range(2):
        sip = {"username": f"phone-{new_number()}", "password": "another password"}
        await board.rest.create("devices", {"name": sip["username"], "owner_id": user, "sip": sip})
        phones.append({"user": sip["username"], "password": sip["password"], "bind": STRANGER})
    room, plain, named = await hall(board)
    listener = await listening(board, plain, room)
    first = await board.dial(named, **phones[0])
    await says(first, jingle(93))
    await board.present(room, 2)
    await first.hang_up()
    end = await in_turn(listener, EXIT, jingle(93), LEFT)

    second = await board.dial(named, **phones[1])
    await in_turn(listener, ENTRY, jingle(93), JOINED, since=end)
    assert await likeness(second, SHORT[ASK]) < OTHER
    await second.hang_up()
    await board.present(room, 1)
    media = (await board.rest.call("GET", f"/users/{user}"))["name_pronounced"]["media_id"]
    sound, rate = soundfile.read(io.BytesIO(await board.rest.raw(media)), dtype="int16")
    assert find_sound(sound, jingle(93, rate=rate), rate).score > ALIKE


@together
async def test_who_falls_silent_has_said_the_name_and_who_says_nothing_has_none(board: Switchboard) -> None:
    async def speaker() -> None:
        room, plain, named = await hall(board)
        listener = await listening(board, plain, room)
        guest = await board.dial(named)
        await says(guest, jingle(94), key="")
        fell_silent = guest.seconds
        joined = await prompted(guest, ENTRY, since=fell_silent)
        assert joined > fell_silent + SILENCE_SECONDS
        await in_turn(listener, ENTRY, jingle(94), JOINED)

    async def nobody() -> None:
        room, plain, named = await hall(board)
        listener = await listening(board, plain, room)
        guest = await board.dial(named)
        await in_turn(guest, SHORT[ASK], BEEP)
        end = await prompted(listener, ENTRY)
        await guest.hang_up()
        await prompted(listener, EXIT, since=end)
        assert await likeness(listener, JOINED) < OTHER
        assert await recordings_of(board, guest) == []

    await asyncio.gather(speaker(), nobody())


@together
async def test_without_tones_the_name_is_still_said(board: Switchboard) -> None:
    room, plain, named = await hall(board, play_entry_tone=False, play_exit_tone=False)
    listener = await listening(board, plain, room)
    guest = await board.dial(named)
    await says(guest, jingle(95))
    end = await in_turn(listener, jingle(95), JOINED)
    await guest.hang_up()
    await in_turn(listener, jingle(95), LEFT, since=end)
    assert await likeness(listener, ENTRY) < OTHER
    assert await likeness(listener, EXIT) < OTHER


@together
async def test_moderators_come_and_go_with_tones_of_their_own_with_and_without_a_name(board: Switchboard) -> None:
    await board.configure(moderator_entry_tone=chime(541), moderator_exit_tone=chime(709))
    room, plain, _ = await hall(board)
    config: Body = {"name": room, "profile": WITH_TONES}
    unnamed_chair = await board.number(config=config, moderator=True, welcome_prompt=NO_WELCOME)
    named_chair = await board.number(config=config | {"play_name": True}, moderator=True, welcome_prompt=NO_WELCOME)
    listener = await listening(board, plain, room)
    chair = await board.dial(unnamed_chair)
    end = await rung(listener, 541)
    await chair.hang_up()
    end = await rung(listener, 709, end)
    assert max(await likeness(listener, ENTRY), await likeness(listener, EXIT)) < OTHER
    chair = await board.dial(named_chair)
    await says(chair, jingle(96), ask=ASK)
    end = await in_turn(listener, jingle(96), JOINED, since=await rung(listener, 541, end) - 0.1)
    await chair.hang_up()
    end = await in_turn(listener, jingle(96), LEFT, since=await rung(listener, 709, end) - 0.1)
    assert max(await likeness(listener, ENTRY), await likeness(listener, EXIT)) < OTHER
    await board.dial(plain)
    await prompted(listener, ENTRY, since=end)
    assert sorted(chimes(listener)) == [541, 541, 709, 709]


@together
async def test_a_name_can_be_heard_and_said_again_and_an_account_can_do_without_names(board: Switchboard) -> None:
    other = await board.of_other_account()
    await other.configure(review_name=True)

    async def again(first: int, answer: str, second: int) -> None:
        room, plain, named = await hall(other)
        listener = await listening(other, plain, room)
        guest = await other.dial(named)
        end = 0.0
        for seed, key in ((first, answer), (second, "1")):
            await says(guest, jingle(seed), since=end)
            end = await in_turn(guest, SHORT[YOURS], jingle(seed), SHORT[REVIEW], since=end)
            if key:
                guest.press(key, guest.seconds)
        await in_turn(listener, ENTRY, jingle(second), JOINED)
        assert await likeness(listener, jingle(first)) < OTHER
        assert len(await recordings_of(other, guest)) == 1

    await asyncio.gather(again(97, "2", 98), again(87, "", 88))  # "" for five seconds

    await other.configure(support_name_announcement=False)
    room, plain, named = await hall(other)
    listener = await listening(other, plain, room)
    guest = await other.dial(named)
    end = await prompted(listener, ENTRY)
    await fence(other.rest, room, listener, guest)
    assert await likeness(listener, JOINED, end) < OTHER
    assert await likeness(guest, SHORT[ASK]) < OTHER


@together
async def test_who_hangs_up_while_saying_a_name_leaves_nothing_behind(board: Switchboard) -> None:
    room, plain, named = await hall(board)
    await listening(board, plain, room)
    guest = await board.dial(named)
    await in_turn(guest, SHORT[ASK], BEEP)
    guest.say(jingle(90))
    await guest.said()
    await guest.hang_up()
    follower = await board.dial(named)
    await in_turn(follower, SHORT[ASK])
    assert await recordings_of(board, guest) == []
    assert len(await board.rest.participants(room)) == 1
