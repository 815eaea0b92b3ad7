"""Recordings of rooms: what is in the document is what was said, and everybody in the room knows (semantics 6.6)."""

import io
from typing import Any

import numpy as np
import soundfile

from mirliton.phone.listening import find_sound, tone_levels

from .measuring import ALIKE, AUDIBLE, TONES, hears, prompted, recording, until
from .switchboard import NO_WELCOME, Switchboard
from .together import Together

together = Together()

ANNA, BRUNO = TONES[1], TONES[5]


def heard(sound: np.ndarray, rate: int) -> set[int]:
    """Which of the callers' tones stand out of a recording, second by second."""
    seconds = [sound[at : at + rate] for at in range(0, len(sound) - rate, rate)]
    levels = [tone_levels(second, rate, TONES) for second in seconds]
    return {int(tone) for second in levels for tone, level in second.items() if level > AUDIBLE}


WITH_RECORDING_CONTROLS = [{"digits": "9", "action": "record"}]


async def recorded(board: Switchboard, conference: str) -> tuple[dict[str, Any], np.ndarray, int]:
    """The one recording of a conference: its document, its samples, its rate."""

    async def done() -> list[dict[str, Any]]:
        found = await board.rest.call("GET", f"/media?filter_source_id={conference}&paginate=false")
        return [one for one in found if one.get("content_length")]

    found = await until(done, "a recording with sound")
    assert len(found) == 1
    document = await board.rest.call("GET", f"/media/{found[0]['id']}")
    sound, rate = soundfile.read(io.BytesIO(await board.rest.raw(found[0]["id"])), dtype="int16")
    return document, sound, rate


async def record(board: Switchboard, conference: str, what: str) -> None:
    await board.rest.call("PUT", f"/conferences/{conference}", {"action": "record", "data": {"action": what}})


@together
async def test_a_recording_holds_the_whole_mix_and_the_room_is_told(board: Switchboard) -> None:
    conference = await board.conference()
    number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    anna, bruno, carl = await board.dial_in_turn(conference, number, None, None, None)
    people = await board.rest.participants(conference)
    await record(board, conference, "start")
    assert (await board.rest.call("GET", f"/conferences/{conference}"))["_read_only"]["is_recording"]
    await prompted(carl, "conf-recording_on")
    anna.say(f"tone:{ANNA}")
    bruno.say(f"tone:{BRUNO}")
    await hears(carl, ANNA, BRUNO)
    for one in people[:2]:
        await board.rest.act(conference, "mute", one["participant_id"])
    await hears(carl)
    await record(board, conference, "stop")
    assert not (await board.rest.call("GET", f"/conferences/{conference}"))["_read_only"]["is_recording"]
    document, sound, rate = await recorded(board, conference)
    assert document["media_source"] == "recording"
    assert abs(document["duration"] - len(sound) / rate) < 0.01
    assert heard(sound, rate) == {ANNA, BRUNO}
    assert find_sound(sound, recording("conf-recording_on", rate), rate).score > ALIKE
    await prompted(carl, "conf-recording_off")


@together
async def test_a_key_starts_a_recording_and_the_end_of_the_room_finishes_it(board: Switchboard) -> None:
    number, name = await board.quiet_room(controls=WITH_RECORDING_CONTROLS)
    anna = await board.dial(number)
    await board.present(name, 1)
    anna.press("9")
    await prompted(anna, "conf-recording_on")
    late = await board.dial(number)
    await prompted(late, "conf-recording_on")  # who comes later is told as well
    anna.say(f"tone:{ANNA}")
    await hears(late, ANNA)
    await late.hang_up()
    await anna.hang_up()
    _, sound, rate = await recorded(board, name)
    assert heard(sound, rate) == {ANNA}


@together
async def test_a_recording_can_be_played_into_the_room_that_it_is_of(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    anna, bruno = await board.dial(number), await board.dial(number)
    await board.present(name, 2)
    await record(board, name, "start")
    await prompted(bruno, "conf-recording_on")
    anna.say(f"tone:{ANNA}")
    await hears(bruno, ANNA)
    await record(board, name, "stop")
    document, _, _ = await recorded(board, name)
    await anna.hang_up()
    await hears(bruno)
    await board.rest.act(name, "play", media_id=document["id"])
    await hears(bruno, ANNA)
