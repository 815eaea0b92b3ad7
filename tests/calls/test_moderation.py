"""Moderated rooms: waiting, entering, the limit, kicking, and a moderator's keys (semantics 2.2, 3.6 to 3.9)."""

import asyncio
from typing import Any

import numpy as np

from mirliton.phone.conversation import Conversation
from mirliton.phone.listening import level

from .chimes import chime, chimes, fence, rung
from .in_the_room import together
from .measuring import (
    TONES,
    audible,
    counted,
    deaf_for,
    ended_by_server,
    hear_each_other,
    hears,
    jingle,
    prompted,
    recording,
    until,
    wav,
)
from .rest import Body
from .switchboard import QUIET, Switchboard, new_number

ANNA, BRUNO, CARL, DORA = TONES[0], TONES[3], TONES[6], TONES[9]
WAIT, ENDED = "conf-wait_for_moderator", "conf-ended"
MUSIC = jingle(81, seconds=1.0) // 4
"""Quiet, so that prompts over it are still found."""
MUSICAL = -45.0  # dBFS below the tones; the music has -27
SILENT = -55.0  # dBFS; comfort noise has -68


def music_level(call: Conversation, seconds: float = 1.0) -> float:
    """How loud it is below the callers' tones just now."""
    heard = call.heard(call.seconds - seconds)
    spectrum = np.fft.rfft(heard * np.hanning(len(heard)))
    frequencies = np.fft.rfftfreq(len(heard), 1 / call.rate)
    spectrum[(frequencies < 250) | (frequencies > 830)] = 0
    return level(np.asarray(np.fft.irfft(spectrum), np.int16))


def speaking(people: list[Body]) -> set[tuple[bool, bool]]:
    """(moderator, not muted) of all of them."""
    flags = [one["conference_channel_vars"] for one in people]
    return {(bool(one["is_moderator"]), bool(one["speak"])) for one in flags}


async def locked(board: Switchboard, conference: str) -> bool:
    """Whether the room lets nobody in."""
    return bool((await board.rest.call("GET", f"/conferences/{conference}"))["_read_only"]["is_locked"])


# Waiting


@together
async def test_members_hear_only_music_until_a_moderator_comes_and_again_when_the_last_is_gone(
    board: Switchboard,
) -> None:
    grace = 4
    media = await board.rest.recording("music", wav(MUSIC))
    profile = QUIET | {"moh-sound": media, "wait-for-moderator-sound": chime(449)}
    _, member, chair = await board.hall(require_moderator=True, moderator_grace_seconds=grace, profile=profile)
    calls: dict[int, Conversation] = {}
    for tone in (ANNA, BRUNO):
        calls[tone] = await board.dial(member, tone)
        told = await rung(calls[tone], 449)
        await prompted(calls[tone], MUSIC, since=told)
    await asyncio.gather(*(deaf_for(call, 0.6) for call in calls.values()))
    anna, bruno = calls.values()
    carl = await board.dial(chair, CARL)
    await hear_each_other({**calls, CARL: carl})
    assert max(map(music_level, calls.values())) < MUSICAL

    left = anna.seconds
    await carl.hang_up()
    await hear_each_other(calls)  # in the grace time
    told = await rung(anna, 449, left)
    assert told > left + grace
    await prompted(anna, MUSIC, since=told)
    await prompted(bruno, MUSIC, since=bruno.seconds - 0.5)
    await asyncio.gather(*(deaf_for(call, 0.6) for call in calls.values()))
    await hear_each_other({**calls, DORA: await board.dial(chair, DORA)})
    assert max(map(music_level, calls.values())) < MUSICAL


@together
async def test_nobody_waits_while_one_moderator_is_left_or_is_back_in_time(board: Switchboard) -> None:
    grace = 2
    conference, member, chair = await board.hall(require_moderator=True, moderator_grace_seconds=grace)
    calls = {ANNA: await board.dial(member, ANNA), BRUNO: await board.dial(member, BRUNO)}
    carl, dora = await board.dial(chair), await board.dial(chair)
    await hear_each_other(calls)
    anna, since = calls[ANNA], calls[ANNA].seconds
    await carl.hang_up()
    await until(lambda: _passed(anna, since + grace + 0.5), "the grace time")
    await dora.hang_up()
    await board.dial(chair)
    await board.present(conference, 3)
    await until(lambda: _passed(anna, since + 2 * grace + 1.5), "the grace time, again")
    for start in np.arange(since, anna.seconds - 0.6, 0.5):
        assert BRUNO in audible(anna, start, start + 0.5), f"bruno cannot be heard {start - since:.1f} s after"


async def _passed(call: Conversation, moment: float) -> bool:
    return call.seconds > moment


@together
async def test_a_room_can_end_for_all_when_its_moderator_is_gone_for_good(board: Switchboard) -> None:
    other = await board.of_other_account()
    await other.configure(without_moderator="end", moderator_grace_seconds=1)
    conference, member, chair = await other.hall(require_moderator=True)
    calls = [await other.dial(member), await other.dial(member)]
    carl = await other.dial(chair)
    await other.present(conference, 3)
    since = calls[0].seconds
    await carl.hang_up()
    for call in calls:
        await prompted(call, ENDED, since=since)
        await ended_by_server(call)
    assert calls[0].report.seconds > since + 1 + len(recording(ENDED, 8000)) / 8000
    await other.present(conference, 0)


@together
async def test_waiting_for_the_first_moderator_does_not_come_back(board: Switchboard) -> None:
    controls = {"default": [{"digits": "5", "action": "lock"}]}
    conference, member, chair = await board.hall(wait_for_moderator=True, moderator_grace_seconds=0, controls=controls)
    anna = await board.dial(member)
    await prompted(anna, WAIT)
    anna.press("5", anna.seconds)  # nobody locks a room that waits, but a moderator
    await anna.said()
    bruno = await board.dial(member)
    await prompted(bruno, WAIT)
    assert not await locked(board, conference)
    carl = await board.dial(chair)
    anna.say(f"tone:{ANNA}")
    bruno.say(f"tone:{BRUNO}")
    await hears(carl, ANNA, BRUNO)
    await carl.hang_up()
    await board.present(conference, 2)
    since = {ANNA: bruno.seconds, BRUNO: anna.seconds}
    await until(lambda: _passed(anna, since[BRUNO] + 1.6), "a while")
    for later in (0.0, 0.5, 1.0):
        for tone, call in ((BRUNO, anna), (ANNA, bruno)):
            assert audible(call, since[tone] + later, since[tone] + later + 0.5) == {tone}
    anna.press("5", anna.seconds)
    await until(lambda: locked(board, conference), "a locked room")


@together
async def test_moderators_can_join_muted_or_deaf_and_nobody_says_so(board: Switchboard) -> None:
    said = {"muted-sound": chime(311), "deaf-sound": chime(373)}

    async def joined(key: str, moderator_hears: set[int], member_hears: set[int]) -> None:
        conference, member, chair = await board.hall(moderator={key: True}, profile=QUIET | said)
        carl = await board.dial(chair)
        await board.present(conference, 1)
        anna = await board.dial(member)
        await board.present(conference, 2)
        if moderator_hears:
            await fence(board.rest, conference, carl)
            assert chimes(carl)[:-1] == []
        carl.say(f"tone:{CARL}")
        anna.say(f"tone:{ANNA}")
        await asyncio.gather(hears(carl, *moderator_hears), hears(anna, *member_hears))
        if not moderator_hears:
            assert chimes(carl) == []

    await asyncio.gather(joined("join_muted", {ANNA}, set()), joined("join_deaf", set(), {CARL}))


# Entering


@together
async def test_an_operator_can_keep_moderators_out_of_full_and_locked_rooms(board: Switchboard) -> None:
    other = await board.of_other_account()
    await other.configure(moderators_enter_always=False)

    async def refused(sound: str, *, lock: bool, **document: Any) -> None:
        conference, member, chair = await other.hall(**document)
        await other.dial(member)
        await other.present(conference, 1)
        if lock:
            await other.rest.act(conference, "lock")
        call = await other.dial(chair)
        await prompted(call, sound)
        await ended_by_server(call)
        await other.present(conference, 1)

    await asyncio.gather(
        refused("conf-max_participants", lock=False, max_participants=1), refused("conf-locked", lock=True)
    )


@together
async def test_own_words_for_a_full_room_are_heard_at_both_checks(board: Switchboard) -> None:
    """By the caller's own settings, and by those of the room when the caller's own know no limit."""
    name = f"room-{new_number()}"
    limited: Body = {"max_participants": 2, "max_members_media": chime(541), "name": name}
    at_first, _ = await board.quiet_room(**limited)
    at_second, _ = await board.quiet_room(name=name)
    for _ in range(2):
        await board.dial(at_first)
    await board.present(name, 2)
    refused = await asyncio.gather(board.dial(at_first), board.dial(at_second))
    for call in refused:
        await rung(call, 541)
        await ended_by_server(call)
    assert len(await board.rest.participants(name)) == 2


@together
async def test_the_profiles_limit_refuses_with_the_profiles_sound(board: Switchboard) -> None:
    profile = QUIET | {"max-members": 2, "max-members-sound": chime(647)}
    conference, member, chair = await board.hall(profile=profile)
    for _ in range(2):
        await board.dial(member)
    await board.present(conference, 2)
    refused = await board.dial(member)
    await rung(refused, 647)
    await ended_by_server(refused)
    await board.dial(chair)
    await board.present(conference, 3)


# Sending out


@together
async def test_a_kick_is_told_as_the_room_wants_and_the_others_hear_somebody_go(board: Switchboard) -> None:
    async def kicked(sound: str) -> tuple[Conversation, float]:
        number, name = await board.quiet_room(profile=QUIET | {"exit-sound": chime(373), "kicked-sound": sound})
        stays = await board.dial(number)
        await board.present(name, 1)
        goes = await board.dial(number)
        target = (await board.present(name, 2))[1]["participant_id"]
        since = goes.seconds
        await board.rest.act(name, "kick", target)
        await rung(stays, 373)
        await ended_by_server(goes)
        return goes, since

    (hushed, since), (told, _) = await asyncio.gather(kicked(""), kicked(chime(709)))
    assert level(hushed.heard(since)) < SILENT
    assert chimes(told) == [709]


# A moderator's keys


@together
async def test_a_moderator_mutes_all_members_by_key_and_gives_them_back_their_voices(board: Switchboard) -> None:
    profile = QUIET | {"muted-sound": chime(311), "unmuted-sound": chime(449)}
    conference, member, chair = await board.hall(moderator_controls="moderator", profile=profile)
    members = [await board.dial(member), await board.dial(member)]
    carl, dora = await board.dial(chair), await board.dial(chair)
    await board.present(conference, 4)
    carl.press("*8", carl.seconds)
    ends = await asyncio.gather(*(rung(call, 311) for call in members))
    assert speaking(await board.present(conference, 4)) == {(False, False), (True, True)}
    members[0].press("*8", members[0].seconds)  # no key of members
    carl.press("*8", carl.seconds)
    await asyncio.gather(*(rung(call, 449, end - 0.1) for call, end in zip(members, ends, strict=True)))
    assert speaking(await board.present(conference, 4)) == {(False, True), (True, True)}
    await fence(board.rest, conference, carl, dora, *members)
    assert [len(chimes(call)) for call in (carl, dora, *members)] == [1, 1, 3, 3]  # the last one is the fence
    carl.press("*8", carl.seconds)
    members[0].say(f"tone:{ANNA}")
    dora.say(f"tone:{DORA}")
    await hears(carl, DORA)
    carl.press("*8", carl.seconds)
    await hears(carl, ANNA, DORA)


@together
async def test_a_moderator_locks_by_key_and_the_room_hears_it(board: Switchboard) -> None:
    profile = QUIET | {"is-locked-sound": "conf-is_locked", "is-unlocked-sound": "conf-is_unlocked"}
    conference, member, chair = await board.hall(moderator_controls="moderator", profile=profile)
    anna, carl = await board.dial(member), await board.dial(chair)
    await board.present(conference, 2)
    anna.press("*7", anna.seconds)  # no key of members
    await anna.said()
    carl.press("*7", carl.seconds)
    ends = await asyncio.gather(*(prompted(call, "conf-is_locked") for call in (anna, carl)))
    refused = await board.dial(member)
    await prompted(refused, "conf-locked")
    await ended_by_server(refused)
    carl.press("*7", carl.seconds)
    await asyncio.gather(
        *(prompted(call, "conf-is_unlocked", since=end) for call, end in zip((anna, carl), ends, strict=True))
    )
    await board.dial(member)
    await board.present(conference, 3)


# How many there are


@together
async def test_who_comes_is_told_how_many_others_there_are_and_nobody_else_is(board: Switchboard) -> None:
    number, name = await board.quiet_room(profile=QUIET | {"announce-count": 3})
    calls = []
    for count in range(1, 5):
        calls.append(await board.dial(number))
        await board.present(name, count)
        if count > 2:
            end = await prompted(calls[-1], "conf-there_are")
            end = await counted(calls[-1], str(count - 1), since=end - 0.1)
            await prompted(calls[-1], "conf-other_participants", since=end - 0.2)
    assert max(level(call.heard()) for call in calls[:2]) < SILENT


@together
async def test_the_second_of_two_is_told_of_one_other(board: Switchboard) -> None:
    number, name = await board.quiet_room(profile=QUIET | {"announce-count": 2})
    first = await board.dial(number)
    await board.present(name, 1)
    await prompted(await board.dial(number), "conf-single")
    assert level(first.heard()) < SILENT
