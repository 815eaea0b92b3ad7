"""Profiles: what each key does to the sound of a room, and which of many places a key is taken from (semantics 2, 3).

Scenarios that change the configuration of an account do it to the second one, one after the other.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from mirliton.phone.conversation import Conversation
from mirliton.phone.listening import level, tone_level

from .chimes import FENCE, chime, chimes, fence, rings, rung
from .conftest import WALTZ
from .measuring import (
    BEHIND,
    TONES,
    Samples,
    ended_by_server,
    hear_each_other,
    hears,
    likeness,
    prompted,
    until,
    wav,
)
from .rest import Body
from .switchboard import NO_WELCOME, QUIET, Switchboard
from .together import Together

together = Together()

ANNA, BRUNO = TONES[1], TONES[4]
UNLOCKED, MUTED, ONE, TWO, THREE, FOUR, FIVE, LOSER = 541, 449, 311, 373, 593, 647, 709, 797
OTHER = 0.4
SECOND_ACCOUNT = asyncio.Lock()


@asynccontextmanager
async def configured(board: Switchboard, **configuration: Any) -> AsyncIterator[Switchboard]:
    """The second account with this configuration, which is gone afterwards."""
    other = await board.of_other_account()
    async with SECOND_ACCOUNT:
        await other.rest.call("POST", "/config/conferences", configuration)
        try:
            yield other
        finally:
            await other.rest.call("POST", "/config/conferences", {})


async def explained(board: Switchboard, conference: str) -> Body:
    """Every setting of a conference, with where it comes from."""
    found: Body = (await board.rest.call("GET", f"/conferences/{conference}?effective=true"))["effective"]
    return found


def tone(frequency: int, peak: int, rate: int = 8000) -> Samples:
    """A second of it, which can be repeated without a seam."""
    return np.asarray(np.round(peak * np.sin(2 * np.pi * frequency / rate * np.arange(rate))), np.int16)


def strength(call: Conversation, frequency: int, seconds: float = 0.5) -> float:
    """How loud a tone is heard just now, in dBFS."""
    return tone_level(
        call.heard(max(0.0, call.seconds - BEHIND - seconds), call.seconds - BEHIND), call.rate, frequency
    )


# Which place wins


@together
async def test_every_key_comes_from_the_strongest_place_that_names_it(board: Switchboard) -> None:
    """Built-in, system, account, named profiles, inline: merged key by key, and "" is no sound (semantics 2.5)."""
    profiles = {
        "default": {"unmuted-sound": chime(ONE), "muted-sound": chime(LOSER), "deaf-sound": ""}
        | {"is-unlocked-sound": chime(FOUR)},
        "house": {key: chime(LOSER) for key in ("enter-sound", "exit-sound")}
        | {"alone-sound": chime(TWO), "moh-sound": ""},
        "sales": {"exit-sound": chime(THREE), "enter-sound": chime(LOSER), "member-enter-sound": chime(LOSER)},
        "en-us": {"sales": {"exit-sound": chime(LOSER), "max-members": 2, "max-members-sound": chime(FOUR)}},
        "fr": {"sales": {"alone-sound": chime(LOSER)}},
    }
    inline = {"enter-sound": chime(FIVE), "member-enter-sound": ""}
    async with configured(board, profiles=profiles) as other:
        conference = await other.conference(base_profile_name="house", profile_name="sales", profile=inline)
        number = await other.number(id=conference, welcome_prompt=NO_WELCOME)
        first = await other.dial(number)
        await rung(first, TWO)
        second = await other.dial(number)
        await asyncio.gather(rung(first, FIVE), rung(second, FIVE))
        first.press("*2", first.seconds)
        await rung(first, MUTED)
        first.press("*3", first.seconds)
        await rung(first, ONE)
        first.press("*5", first.seconds)
        await until(lambda: _hearing(other, conference, False), "the first is deaf")
        first.press("*6", first.seconds)
        undeaf = await prompted(first, "conf-undeaf")
        third = await other.dial(number)
        await rung(third, FOUR)
        await ended_by_server(third)
        for order in ("lock", "unlock"):
            await other.rest.act(conference, order)
        await rung(second, FOUR)
        before = first.seconds
        second.press("#", second.seconds)
        await rung(first, TWO, since=before)
        assert chimes(first) == [TWO, FIVE, MUTED, ONE, FOUR, THREE, TWO]
        assert await likeness(first, "conf-deaf", end=undeaf) < OTHER
        assert (chimes(second), chimes(third)) == ([FIVE, FOUR], [FOUR])
        found = await explained(other, conference)
    assert {key: found[f"profile.{key}"] for key in ("enter-sound", "exit-sound", "alone-sound", "muted-sound")} == {
        "enter-sound": {"value": chime(FIVE), "source": "document profile"},
        "exit-sound": {"value": chime(THREE), "source": "account profile sales"},
        "alone-sound": {"value": chime(TWO), "source": "account profile house"},
        "muted-sound": {"value": chime(MUTED), "source": "system profile house"},
    }
    assert found["profile.unmuted-sound"] == {"value": chime(ONE), "source": "account profile default"}
    assert found["profile.deaf-sound"] == {"value": "", "source": "account profile default"}
    assert found["profile.member-enter-sound"] == {"value": "", "source": "document profile"}
    assert found["profile.max-members"] == {"value": 2, "source": "account profile sales"}
    assert found["profile.undeaf-sound"] == {"value": "conf-undeaf", "source": "built-in"}


async def _hearing(board: Switchboard, conference: str, hears: bool) -> bool:
    first, *_ = await board.rest.participants(conference)
    return bool(first["conference_channel_vars"]["hear"] == hears)


@together
async def test_the_tones_of_an_account_win_over_profiles_and_moderators_have_their_own(board: Switchboard) -> None:
    tones = {"entry_tone": ONE, "exit_tone": TWO, "moderator_entry_tone": THREE, "moderator_exit_tone": FOUR}
    profile = QUIET | {"enter-sound": chime(LOSER), "exit-sound": chime(LOSER)}
    async with configured(board, **{key: chime(pitch) for key, pitch in tones.items()}) as other:
        conference = await other.conference(profile=profile)
        member = await other.number(id=conference, welcome_prompt=NO_WELCOME)
        chair = await other.number(id=conference, welcome_prompt=NO_WELCOME, moderator=True)
        listener = await other.dial(member)
        await other.present(conference, 1)
        for number, coming, going in ((member, ONE, TWO), (chair, THREE, FOUR)):
            visitor = await other.dial(number)
            await asyncio.gather(rung(listener, coming), rung(visitor, coming))
            await visitor.hang_up()
            await rung(listener, going)
        assert chimes(listener) == [ONE, TWO, THREE, FOUR]
        why = (await explained(other, conference))["play_entry_tone"]
        assert why["value"] == {"member": chime(ONE), "moderator": chime(THREE)}
        assert why["source"] == "members: account; moderators: account"

        own = await other.conference(profile=profile, play_entry_tone=chime(FIVE), play_exit_tone=False)
        number = await other.number(id=own, welcome_prompt=NO_WELCOME)
        listener = await other.dial(number)
        await other.present(own, 1)
        visitor = await other.dial(number)
        await rung(listener, FIVE)
        await visitor.hang_up()
        await other.present(own, 1)
        await fence(other.rest, own, listener)
        assert chimes(listener)[:-1] == [FIVE]
        assert (await explained(other, own))["profile.enter-sound"]["source"] == "play_entry_tone"


# Sounds


@together
async def test_every_sound_of_a_profile_is_heard_where_it_belongs(board: Switchboard) -> None:
    profile: Body = {
        "moh-sound": "",
        "alone-sound": chime(ONE),
        "member-enter-sound": chime(TWO),
        "enter-sound": await board.rest.recording("come", wav(tone(THREE, 9000)[:2400])),
        "exit-sound": chime(FOUR),
        "locked-sound": chime(FIVE),
    }
    number, name = await board.quiet_room(profile=profile)
    first = await board.dial(number)
    await rung(first, ONE)
    second = await board.dial(number)
    await asyncio.gather(rung(first, THREE), rung(second, THREE))
    await board.rest.act(name, "lock")
    locked_out = await board.dial(number)
    await rung(locked_out, FIVE)
    await ended_by_server(locked_out)
    await board.rest.act(name, "unlock")
    await asyncio.gather(rung(first, UNLOCKED), rung(second, UNLOCKED))
    found = await explained(board, name)
    second.press("#", second.seconds)
    await rung(first, ONE, since=await rung(first, FOUR) - 0.2)
    assert chimes(first) == [TWO, ONE, THREE, UNLOCKED, FOUR, ONE]
    assert (chimes(second), chimes(locked_out)) == ([TWO, THREE, UNLOCKED], [FIVE])
    assert found["profile.exit-sound"] == {"value": chime(FOUR), "source": "document profile"}
    assert found["profile.is-unlocked-sound"] == {"value": chime(UNLOCKED), "source": "system profile default"}
    assert found["profile.muted-sound"] == {"value": "conf-muted", "source": "built-in"}


@together
async def test_what_is_done_to_a_member_is_told_to_that_one_alone_even_when_deaf(board: Switchboard) -> None:
    profile = QUIET | {
        "muted-sound": chime(ONE),
        "unmuted-sound": chime(TWO),
        "deaf-sound": chime(THREE),
        "undeaf-sound": chime(FOUR),
    }
    number, name = await board.quiet_room(profile=profile)
    first, second = await board.dial_in_turn(name, number, None, None)
    for keys, pitch in (("*1", ONE), ("*1", TWO), ("*4", THREE), ("*4", FOUR)):
        first.press(keys, first.seconds)
        await rung(first, pitch)
    people = await board.rest.participants(name)
    await board.rest.act(name, "deaf", people[1]["participant_id"])
    await rung(second, THREE)
    assert (chimes(first), chimes(second)) == ([ONE, TWO, THREE, FOUR], [THREE])


@together
async def test_the_built_in_sounds_of_mute_and_deaf_are_spoken(board: Switchboard) -> None:
    sounds = {f"{what}-sound": f"conf-{what}" for what in ("muted", "unmuted", "deaf", "undeaf")}
    number, name = await board.quiet_room(profile={key: value for key, value in QUIET.items() if key not in sounds})
    first = await board.dial(number)
    await board.present(name, 1)
    end = 0.0
    for keys, prompt in (("*2", "conf-muted"), ("*3", "conf-unmuted"), ("*5", "conf-deaf"), ("*6", "conf-undeaf")):
        first.press(keys, first.seconds)
        end = await prompted(first, prompt, since=max(0.0, end - 0.2))


@together
async def test_a_full_room_says_what_the_profile_says(board: Switchboard) -> None:
    number, name = await board.quiet_room(profile=QUIET | {"max-members": 2, "max-members-sound": chime(ONE)})
    calls = {tone: await board.dial(number, tone) for tone in (ANNA, BRUNO)}
    await board.present(name, 2)
    late = await board.dial(number)
    await rung(late, ONE)
    await ended_by_server(late)
    await hear_each_other(calls)


@together
async def test_silence_as_music_is_none_and_a_stream_of_the_operators_is_music(board: Switchboard) -> None:
    silent, name = await board.quiet_room(profile=QUIET | {"moh-sound": "silence", "alone-sound": chime(ONE)})
    musical, _ = await board.quiet_room(profile=QUIET | {"moh-sound": "$${waltz}", "alone-sound": chime(ONE)})
    lonely, dancing = await asyncio.gather(board.dial(silent), board.dial(musical))
    told = await rung(dancing, ONE)
    once = await prompted(dancing, WALTZ, since=told - 0.2)
    await prompted(dancing, WALTZ, since=once - 0.2)
    assert await likeness(dancing, WALTZ, end=told) < OTHER, "first it is said that nobody is there"
    alone = await rung(lonely, ONE)
    await fence(board.rest, name, lonely)
    assert level(lonely.heard(alone + 0.2, alone + 1.2)) < -60


@together
async def test_the_page_profile_makes_no_sound_and_has_no_controls(board: Switchboard) -> None:
    for key in ("base_profile_name", "profile_name"):
        number, name = await board.quiet_room(**{key: "page", "profile": {}})
        first = await board.dial(number)
        await board.present(name, 1)
        second, third = await board.dial(number), await board.dial(number)
        await board.present(name, 3)
        await third.hang_up()
        await board.present(name, 2)
        first.press("*2#")
        await first.said()
        await fence(board.rest, name, first, second)
        assert all(len(chimes(call)) == 1 for call in (first, second))
        fenced = await rung(first, FENCE)
        assert level(first.heard(0.3, fenced - 1.0)) < -55, "only comfort noise"
        first.say(tone(ANNA, 8000), forever=True)
        await hears(second, ANNA)


# Who is heard


@together
async def test_only_who_is_louder_than_the_energy_level_is_heard(board: Switchboard) -> None:
    high, _ = await board.quiet_room(profile=QUIET | {"energy-level": 400, "comfort-noise": 0})
    none, _ = await board.quiet_room(profile=QUIET | {"energy-level": 0, "comfort-noise": 0})
    for number, peak, heard in ((high, 400, False), (high, 1000, True), (none, 60, True)):
        speaker, listener = await board.dial(number), await board.dial(number)
        speaker.say(tone(ANNA, peak), forever=True)  # its score is 0.64 of its peak
        if heard:
            await sounds(listener, ANNA, peak)
        else:
            louder = await board.dial(number, BRUNO)
            await hears(listener, BRUNO)
            assert strength(listener, ANNA) < -60  # there is no better view beside a loud tone
            await louder.hang_up()
            await until(lambda listener=listener: _weaker(listener, ANNA, -90), "nothing of the quiet one")  # type: ignore[misc]
        await asyncio.gather(speaker.hang_up(), listener.hang_up())


async def sounds(call: Conversation, frequency: int, peak: int) -> None:
    """Wait until a tone is heard about as loud as it was said."""
    wanted = 20 * np.log10(peak / 32768)
    await until(lambda: _about(strength(call, frequency), wanted, 3.0), f"a tone of {wanted:.0f} dBFS")


async def _about(value: float, wanted: float, tolerance: float) -> bool:
    return bool(abs(value - wanted) < tolerance)


@together
async def test_keys_move_the_own_energy_level_and_the_level_is_spoken(board: Switchboard) -> None:
    keys = [{"digits": key, "action": f"energy {way}"} for key, way in (("7", "up"), ("8", "equ"), ("9", "dn"))]
    number, name = await board.quiet_room(
        profile=QUIET | {"energy-level": 400, "comfort-noise": 0}, controls={"default": keys}
    )
    speaker, listener = await board.dial(number), await board.dial(number)
    await board.present(name, 2)
    end = 0.0
    for key, spoken in (("7", "3"), ("8", "2"), ("9", "1"), ("9", "0")):
        speaker.press(key, speaker.seconds)
        end = await prompted(speaker, spoken, since=max(0.0, end - 0.2))
    speaker.say(tone(ANNA, 400), forever=True)
    await sounds(listener, ANNA, 400)
    speaker.press("8", speaker.seconds)
    await until(lambda: _weaker(listener, ANNA, -90), "silence at the room's level")


async def _weaker(call: Conversation, frequency: int, than: float) -> bool:
    return strength(call, frequency) < than


# Noise, clock and rate


NOISE = {20: 20, 200: 200, 1: 1400, 10_000: 1400}
"""The value of `comfort-noise`, and what full scale is divided by."""


@together
async def test_comfort_noise_is_as_loud_as_its_divisor_says(board: Switchboard) -> None:
    numbers = [await _noisy_room(board, value) for value in NOISE]
    calls = await asyncio.gather(*(board.dial(number) for number in numbers))
    wide = await board.dial(await _noisy_room(board, 20, rate=16_000), codecs=("G722",))
    silent = await board.dial(await _noisy_room(board, 0))
    for call, divisor in zip(calls, NOISE.values(), strict=True):
        await until(lambda call=call, divisor=divisor: _noise_of(call, divisor), f"noise of 1/{divisor}")  # type: ignore[misc]
    await until(lambda: _noise_of(wide, 2 * 20), "half as much in a room of 16 kHz")
    await until(lambda: _still(silent), "no noise at all")


async def _noisy_room(board: Switchboard, value: int, rate: int = 8000) -> str:
    number, _ = await board.quiet_room(profile=QUIET | {"comfort-noise": value, "rate": rate})
    return number


async def _noise_of(call: Conversation, divisor: int) -> bool:
    """The effective value of even noise is its peak / √3; `level` tells that of a sine, times √2."""
    wanted = 20 * np.log10(np.sqrt(2 / 3) / divisor)
    return await _about(level(call.heard(max(0.0, call.seconds - 1.1), call.seconds - BEHIND)), wanted, 1.5)


async def _still(call: Conversation) -> bool:
    return call.seconds > 2 and level(call.heard(call.seconds - 1.1, call.seconds - BEHIND)) < -80


@together
async def test_there_is_no_comfort_noise_while_anybody_talks(board: Switchboard) -> None:
    number = await _noisy_room(board, 20)
    speaker, listener = await board.dial(number), await board.dial(number)
    for _ in range(2):
        await until(lambda: _noise_of(listener, 20), "noise")
        await until(lambda: _noise_of(speaker, 20), "noise for the other as well")
        speaker.say(tone(ANNA, 6000), forever=True)
        await until(lambda: _about(_beside(listener, ANNA), -80, 35), "nothing beside the voice")
        speaker.say(np.zeros(160, np.int16), forever=True)


def _beside(call: Conversation, frequency: int) -> float:
    """What is heard besides one tone just now, in dBFS; 0 where there is no such tone."""
    if strength(call, frequency) < -25:
        return 0.0
    heard = call.heard(call.seconds - BEHIND - 0.5, call.seconds - BEHIND)
    spectrum = np.fft.rfft(heard * np.blackman(len(heard)))
    spectrum[np.abs(np.fft.rfftfreq(len(heard), 1 / call.rate) - frequency) < 30] = 0
    return level(np.asarray(np.fft.irfft(spectrum), np.int16))


@together
async def test_rooms_of_any_interval_carry_voices_and_sounds_and_greet_after_twenty_of_it(board: Switchboard) -> None:
    short, long, longest = await asyncio.gather(*(_greeted_after(board, interval) for interval in (10, 60, 120)))
    assert abs(long - short - 20 * 0.05) < 0.4, (short, long)
    assert abs(longest - short - 20 * 0.11) < 0.5, (short, longest)


async def _greeted_after(board: Switchboard, interval: int) -> float:
    """Seconds from the sound before the room to the one in it; and two callers hear the room and each other."""
    profile = QUIET | {"member-enter-sound": chime(ONE), "enter-sound": chime(TWO), "interval": interval}
    number, name = await board.quiet_room(profile=profile)
    calls = {ANNA: await board.dial(number), BRUNO: await board.dial(number)}
    await asyncio.gather(*(rung(call, TWO) for call in calls.values()))
    heard = rings(calls[BRUNO])
    end = max(end for pitch, _, end in heard if pitch == ONE)
    start = min(start for pitch, start, _ in heard if pitch == TWO)
    await board.rest.act(name, "play", media_id="conf-single")
    await asyncio.gather(*(prompted(call, "conf-single") for call in calls.values()))
    for frequency, call in calls.items():
        call.say(f"tone:{frequency}")
    await hear_each_other(calls)
    return start - end


@together
async def test_a_wide_room_carries_more_than_a_telephone_and_a_narrow_one_does_not(board: Switchboard) -> None:
    for rate, carried in ((16_000, True), (8000, False)):
        number, _ = await board.quiet_room(profile=QUIET | {"rate": rate})
        speaker, listener = await board.dial(number, codecs=("G722",)), await board.dial(number, codecs=("G722",))
        speaker.say(tone(ANNA, 6000, 16_000) + tone(5600, 6000, 16_000), forever=True)
        await sounds(listener, ANNA, 6000)
        if carried:
            await sounds(listener, 5600, 6000)
        else:
            assert strength(listener, 5600) < -50


@together
async def test_a_profile_that_makes_no_sense_still_makes_a_room(board: Switchboard) -> None:
    nonsense = {
        "interval": 15,
        "rate": 11_111,
        "alone-sound": "conf-nothing",
        "moh-sound": "0" * 32,
        "enter-sound": "gopher://example.com/x",
        "exit-sound": "/etc/passwd",
        "caller-controls": "no such group",
    }
    number, name = await board.quiet_room(profile=QUIET | nonsense)
    calls = {tone: await board.dial(number, tone) for tone in (ANNA, BRUNO)}
    await hear_each_other(calls)
    third = await board.dial(number)
    await board.present(name, 3)
    await third.hang_up()
    await board.present(name, 2)
    for call in calls.values():
        call.say(np.zeros(160, np.int16), forever=True)
    await fence(board.rest, name, *calls.values())
    found = await explained(board, name)
    assert (found["profile.interval"]["value"], found["profile.rate"]["value"]) == (20, 8000)
    assert found["profile.moh-sound"] == {"value": "0" * 32, "source": "document profile"}


# Controls by profile


@together
async def test_the_profile_names_the_controls_of_members_and_moderators(board: Switchboard) -> None:
    profile = QUIET | {"caller-controls": "floor-keys", "moderator-controls": "desk-keys"}
    conference = await board.conference(profile=profile)
    member = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    chair = await board.number(id=conference, welcome_prompt=NO_WELCOME, moderator=True)
    calls = {ANNA: await board.dial(member, ANNA), BRUNO: await board.dial(chair, BRUNO)}
    await board.present(conference, 2)
    await hear_each_other(calls)
    calls[ANNA].press("6")
    calls[BRUNO].press("5")
    await asyncio.gather(*(call.said() for call in calls.values()))
    await hear_each_other(calls)
    calls[ANNA].press("5")
    await asyncio.gather(hears(calls[BRUNO]), hears(calls[ANNA], BRUNO))
    calls[BRUNO].press("6")
    await asyncio.gather(hears(calls[BRUNO]), hears(calls[ANNA]))


# Keys that no call hears


@together
async def test_labels_and_owners_are_kept_and_found_and_a_focus_is_told_while_the_room_runs(
    board: Switchboard,
) -> None:
    owner = "0123456789abcdef" * 2
    conference = await board.conference(owner_id=owner, flags=["board", "weekly"], focus="elsewhere")
    number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    path = f"/conferences/{conference}"
    stored = await board.rest.call("GET", path)
    assert (stored["owner_id"], stored["flags"], stored.get("focus")) == (owner, ["board", "weekly"], None)
    for query in (f"filter_owner_id={owner}", "has_key=flags"):
        rows = await board.rest.call("GET", f"/conferences?{query}&paginate=false")
        assert [row["id"] for row in rows] == [conference], query
    call = await board.dial(number)
    await board.present(conference, 1)
    running = await board.rest.call("GET", path)
    assert running["focus"]
    assert running["focus"] == (await board.rest.participants(conference))[0]["switch_hostname"]
    await call.hang_up()
    await until(lambda: _without_focus(board, path), "the room is over")


async def _without_focus(board: Switchboard, path: str) -> bool:
    return (await board.rest.call("GET", path)).get("focus") is None
