"""The demo's scene: three callers dial in, key in the PIN, talk in turns, one is muted, all hang up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mirliton.demo.rest import Rest
from mirliton.demo.stage import Bar, Row, Stage
from mirliton.demo.voices import RATE, Voice
from mirliton.phone.conversation import Conversation
from mirliton.phone.phone import Phone, PhoneSettings

PIN = "2468"
NUMBER = "3000"
LISTEN_FIRST = 5.5  # s; the first caller hears welcome and question out, the others know them
JOIN_SECONDS = 30.0
SETTLE_SECONDS = 3.0  # the entry tone and what the last caller is told
PAUSE_SECONDS = 0.7
LOOK_EVERY = 0.2

CONFERENCE = {
    "name": "Demo conference",
    "member": {"pins": [PIN], "join_muted": False},
    "play_entry_tone": True,
    "play_exit_tone": True,
}


class NotJoined(Exception):
    """Somebody did not come into the room in time."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One sentence. `began` and `ended`: caller's name -> seconds in that caller's recording."""

    speaker: str
    sentence: npt.NDArray[np.int16]
    muted: bool
    began: dict[str, float]
    ended: dict[str, float]


@dataclass(slots=True)
class Scene:
    """What happened: the turns, and what each caller heard (mono at `RATE`)."""

    turns: list[Turn] = field(default_factory=list)
    heard: dict[str, npt.NDArray[np.int16]] = field(default_factory=dict)


@dataclass(slots=True)
class Caller:
    """A voice with a phone."""

    voice: Voice
    call: Conversation


async def set_up(rest: Rest) -> str:
    """Create the conference, and the callflow that leads a number to it; returns the conference's id."""
    conference = await rest.create("conferences", dict(CONFERENCE))
    flow = {"module": "conference", "data": {"id": conference}, "children": {}}
    await rest.create("callflows", {"name": "Demo", "numbers": [NUMBER], "flow": flow})
    return conference


async def play_scene(voices: list[Voice], sip: str, rest: Rest, conference: str, stage: Stage) -> Scene:
    """Run everything. Raises `CallFailed`, `NotJoined` or `RestRefused` when the server does not do its part."""
    scene = Scene()
    async with _phones(voices) as phones, _watching(rest, conference, stage):
        callers = await _dial_in(voices, phones, sip, rest, conference, stage)
        await asyncio.sleep(SETTLE_SECONDS)
        await _take_turns(scene, callers, stage)
        await _speak_muted(scene, callers, rest, conference, stage)
        for caller in callers:
            await caller.call.hang_up()
            stage.say(f"{caller.voice.name} hangs up after {caller.call.report.seconds:.0f} s")
            await asyncio.sleep(PAUSE_SECONDS)
        scene.heard = {caller.voice.name: caller.call.report.heard for caller in callers}
    return scene


@asynccontextmanager
async def _phones(voices: list[Voice]) -> AsyncIterator[list[Phone]]:
    phones = [Phone(PhoneSettings(user=voice.number, display=voice.name, codecs=("PCMU", "PCMA"))) for voice in voices]
    try:
        yield phones
    finally:
        await asyncio.gather(*(phone.close() for phone in phones))


@asynccontextmanager
async def _watching(rest: Rest, conference: str, stage: Stage) -> AsyncIterator[None]:
    """Keep the roster up to date beside what happens."""

    async def watch() -> None:
        while True:
            stage.roster([Row.of(participant) for participant in await rest.participants(conference)])
            await asyncio.sleep(LOOK_EVERY)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _dial_in(
    voices: list[Voice], phones: list[Phone], sip: str, rest: Rest, conference: str, stage: Stage
) -> list[Caller]:
    callers: list[Caller] = []
    with stage.task("three callers dial in and key in the PIN", total=len(voices)) as bar:
        for voice, phone in zip(voices, phones, strict=True):
            call = await phone.call(f"sip:{NUMBER}@{sip}")
            report = call.report
            stage.say(f"{voice.name} is answered after {1000 * (report.answered_after or 0):.0f} ms ({report.codec})")
            call.press(f"{PIN}#", at=LISTEN_FIRST if not callers else 1.0)
            callers.append(Caller(voice, call))
            await _until_joined(callers, rest, conference)
            stage.say(f"{voice.name} is in the room {call.seconds:.1f} s after the answer")
            bar.at(len(callers))
    return callers


async def _until_joined(callers: list[Caller], rest: Rest, conference: str) -> None:
    for _ in range(round(JOIN_SECONDS / LOOK_EVERY)):
        if len(await rest.participants(conference)) >= len(callers):
            return
        await asyncio.sleep(LOOK_EVERY)
    name = callers[-1].voice.name
    raise NotJoined(f"{name} keyed in the PIN and is not in the room after {JOIN_SECONDS:g} s")


async def _take_turns(scene: Scene, callers: list[Caller], stage: Stage) -> None:
    rounds = range(min(len(caller.voice.sentences) for caller in callers))
    order = [(caller, caller.voice.sentences[number]) for number in rounds for caller in callers]
    total = sum(len(sentence) / RATE + PAUSE_SECONDS for _, sentence in order)
    with stage.task("they talk", total=total) as bar:
        done = 0.0
        for caller, sentence in order:
            scene.turns.append(await _speak(caller, sentence, callers, bar, done, muted=False))
            done += len(sentence) / RATE + PAUSE_SECONDS


async def _speak(
    caller: Caller, sentence: npt.NDArray[np.int16], callers: list[Caller], bar: Bar, done: float, *, muted: bool
) -> Turn:
    """One sentence to its end, then a pause."""
    began = {other.voice.name: other.call.seconds for other in callers}
    caller.call.say(sentence)
    speaking = asyncio.create_task(caller.call.said())
    while not speaking.done():
        bar.at(done + caller.call.seconds - began[caller.voice.name])
        await asyncio.wait({speaking}, timeout=0.1)
    await asyncio.sleep(PAUSE_SECONDS)
    ended = {other.voice.name: other.call.seconds for other in callers}
    return Turn(caller.voice.name, sentence, muted, began, ended)


async def _speak_muted(scene: Scene, callers: list[Caller], rest: Rest, conference: str, stage: Stage) -> None:
    """The last caller is muted over REST, speaks, and is not to be heard."""
    caller = callers[-1]
    name = caller.voice.name
    ids = {p.get("caller_id_name"): int(p["participant_id"]) for p in await rest.participants(conference)}
    await rest.act(conference, ids[name], "mute")
    stage.say(f"{name} is muted over the REST API, and speaks all the same")
    await asyncio.sleep(SETTLE_SECONDS)  # the caller is told that the microphone is off
    sentence = caller.voice.sentences[0]
    with stage.task(f"{name} speaks into a muted microphone", total=len(sentence) / RATE) as bar:
        scene.turns.append(await _speak(caller, sentence, callers, bar, 0.0, muted=True))
