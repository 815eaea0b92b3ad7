"""Recordings of rooms: what is in the document is what was said, and everybody in the room knows (semantics 6.6)."""

import asyncio
import io
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from mirliton.phone.listening import find_sound, tone_levels

from .measuring import ALIKE, AUDIBLE, TONES, hears, jingle, prompted, recording, until
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


async def record(board: Switchboard, conference: str, what: str, **how: Any) -> None:
    await board.rest.call("PUT", f"/conferences/{conference}", {"action": "record", "data": {"action": what, **how}})


async def all_files(board: Switchboard, conference: str, count: int) -> list[tuple[dict[str, Any], np.ndarray, int]]:
    """So many documents with sound, the mix first: document, samples, rate."""

    async def done() -> list[dict[str, Any]]:
        found = await board.rest.call("GET", f"/media?filter_source_id={conference}&paginate=false")
        return [one for one in found if one.get("content_length")]

    async def enough() -> list[list[dict[str, Any]]]:
        found = await done()
        return [found] if len(found) == count else []

    files = []
    for row in (await until(enough, f"{count} files"))[0]:
        document = await board.rest.call("GET", f"/media/{row['id']}")
        sound, rate = soundfile.read(io.BytesIO(await board.rest.raw(row["id"])), dtype="int16")
        files.append((document, sound, rate))
    return sorted(files, key=lambda file: "track_of" in file[0])


def lag(track: np.ndarray, mix: np.ndarray, rate: int) -> float:
    """By how many seconds the mix is behind the track: where their cross-correlation is greatest."""
    size = 1 << (len(track) + len(mix)).bit_length()
    spectra = np.fft.rfft(mix.astype(float), size) * np.conj(np.fft.rfft(track.astype(float), size))
    at = int(np.argmax(np.fft.irfft(spectra, size)))
    return (at if at < size // 2 else at - size) / rate


def writer_of(server: int) -> int:
    """The process that writes the recordings of a server."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    found = [one for one in children if b"mirliton.recording.writer" in Path(f"/proc/{one}/cmdline").read_bytes()]
    return int(found[0])


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


@together
async def test_each_member_has_a_track_in_time_with_the_mix_and_silent_while_muted(board: Switchboard) -> None:
    conference = await board.conference()
    number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    anna, carl = await board.dial_in_turn(conference, number, None, None)
    await record(board, conference, "start", tracks=True, format="ogg")
    await prompted(carl, "conf-recording_on")
    anna.say(f"tone:{ANNA}")
    await hears(carl, ANNA)
    bruno = await board.dial(number, BRUNO)  # who comes later has a track that begins with silence
    people = await board.present(conference, 3)
    await hears(carl, ANNA, BRUNO)
    await board.rest.act(conference, "mute", people[0]["participant_id"])
    await hears(carl, BRUNO)
    bruno.say(jingle(91, seconds=2.0))
    await asyncio.sleep(2.5)
    await bruno.hang_up()
    await board.present(conference, 2)
    await record(board, conference, "stop")
    files = await all_files(board, conference, 4)
    (mix_document, mix, rate), tracks = files[0], files[1:]
    assert mix_document["content_type"] == "audio/ogg"
    assert {document["recording_id"] for document, _, _ in tracks} == {mix_document["id"]}
    by_call = {document["track_of"]: sound for document, sound, _ in tracks}
    of_anna, of_carl, of_bruno = (by_call[one["call_id"]] for one in people)
    assert heard(mix, rate) == {ANNA, BRUNO}
    assert (heard(of_anna, rate), heard(of_carl, rate), heard(of_bruno, rate)) == ({ANNA}, set(), {BRUNO})
    assert np.abs(of_anna[-rate:]).max() < 50  # muted, and still sending
    assert abs(lag(of_bruno[-2 * rate :], mix[len(of_bruno) - 2 * rate : len(of_bruno)], rate)) < 0.02


@together
async def test_the_writer_is_killed_and_another_time_it_is_stopped_and_calls_do_not_notice(board: Switchboard) -> None:
    before = board.server.metrics()  # other tests have killed engines
    number, name = await board.quiet_room()
    anna, bruno = await board.dial(number), await board.dial(number)
    await board.present(name, 2)
    await record(board, name, "start")
    await prompted(bruno, "conf-recording_on")
    anna.say(f"tone:{ANNA}")
    await hears(bruno, ANNA)
    os.kill(writer_of(board.server.process.pid), signal.SIGKILL)
    await asyncio.sleep(2.0)
    stopped = writer_of(board.server.process.pid)
    os.kill(stopped, signal.SIGSTOP)
    await asyncio.sleep(3.0)
    os.kill(stopped, signal.SIGCONT)
    await hears(bruno, ANNA)
    await record(board, name, "stop")
    metrics = board.server.metrics()
    changes = {"media_restarts": 0, "recording_writer_restarts": 1, "recording_chunks_lost": 0}
    for counter, change in changes.items():
        assert metrics[f"mirliton_{counter}_total"] - before[f"mirliton_{counter}_total"] == change, counter
    _, sound, rate = await recorded(board, name)
    seconds = [sound[at : at + rate] for at in range(0, len(sound) - rate, rate)]
    levels = [tone_levels(second, rate, TONES)[ANNA] > AUDIBLE for second in seconds]
    first = levels.index(True)
    assert all(levels[first:])
