"""What a caller hears, measured: which of the callers' tones, and which of the shipped recordings.

Everything waits for a condition with a deadline; the deadlines are far above what a healthy server needs, because the
machine may be busy with other work.
"""

import asyncio
import io
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import soundfile

from mirliton.phone.conversation import Conversation
from mirliton.phone.listening import find_sound, level, tone_levels
from mirliton.sounds.decoding import decode_file
from mirliton.sounds.prompts import HOLD_MUSIC, shipped_prompts

Samples = npt.NDArray[np.int16]

TONES = (911, 1033, 1181, 1367, 1553, 1777, 1999, 2203, 2477, 2699, 2963, 3217)
"""Hz; no two are multiples, and no third-order product of two is near another."""
BEFORE = 0.3  # s
AUDIBLE = -30.0  # dBFS; the phones' tones have -15
WINDOW = 0.5  # s; tells tones 12 Hz apart
BEHIND = 0.1  # s; the newest packets may still be on the way
ALIKE = 0.6  # of `find_sound`; other prompts of the same voice stay below 0.35
DEAF_SECONDS = 0.15  # of a sound that follows the answer: the phone still reads the 200
PATIENCE = 20.0
SPOKEN = (*"0123456789", "minus")
SURELY = 0.5  # of a spoken digit, which must also be more alike than every other


async def until(condition: Callable[[], Awaitable[Any]], why: str, within: float = PATIENCE) -> Any:
    """Wait until the condition is true; returns its value."""
    try:
        async with asyncio.timeout(within):
            while True:
                if found := await condition():
                    return found
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s: {why}") from None


class Listener(Protocol):
    """Who hears: a phone's call, or a bare RTP socket. Times in seconds since it began."""

    @property
    def rate(self) -> int:
        """Hz."""

    @property
    def seconds(self) -> float:
        """Now."""

    def heard(self, start: float = 0.0, end: float | None = None) -> Samples:
        """The sound between two times."""


def over(listener: Listener) -> str:
    """Why a call is over; "" while it is not."""
    return listener.report.reason if isinstance(listener, Conversation) and listener.ended.is_set() else ""


def audible(call: Listener, start: float, end: float | None = None) -> set[int]:
    """Which of `TONES` were heard between two times of a call."""
    levels = tone_levels(call.heard(start, end), call.rate, TONES)
    return {int(tone) for tone, level in levels.items() if level > AUDIBLE}


def latest(call: Listener) -> set[int]:
    """Which of `TONES` are heard just now."""
    return audible(call, call.seconds - BEHIND - WINDOW, call.seconds - BEHIND)


async def hears(call: Listener, *tones: int, within: float = PATIENCE) -> None:
    """Wait until exactly these tones are heard, and see that it stays so for another moment."""
    wanted = set(tones)
    deadline = call.seconds + within
    while call.seconds < deadline and not over(call):
        await asyncio.sleep(0.1)
        if call.seconds > BEHIND + WINDOW and latest(call) == wanted:
            await asyncio.sleep(WINDOW)
            if latest(call) == wanted:
                return
    loudness = [round(level(call.heard(second, second + 1))) for second in range(int(call.seconds))]
    raise AssertionError(
        f"should hear {sorted(wanted)} Hz, hears {sorted(latest(call))}; ended: {over(call) or 'no'}; "
        f"dBFS second by second: {loudness}"
    )


async def hear_each_other(calls: dict[int, Conversation], within: float = PATIENCE) -> None:
    """Each hears all the others' tones, and never its own. `calls` by the tone that each sends."""
    await asyncio.gather(*(hears(call, *(calls.keys() - {tone}), within=within) for tone, call in calls.items()))


async def deaf_for(call: Conversation, seconds: float) -> None:
    """No caller's tone is heard for so long."""
    start = call.seconds
    with suppress(TimeoutError):
        await asyncio.wait_for(call.ended.wait(), seconds + BEHIND)
    assert not audible(call, start, start + seconds)


@cache
def recording(prompt: str, rate: int) -> Samples:
    """A shipped prompt by its id, or the beginning of `hold_music`."""
    if prompt == "hold_music":
        return np.asarray(decode_file(HOLD_MUSIC, (rate,), max_seconds=600, max_bytes=1 << 30)[rate][: 2 * rate])
    path = shipped_prompts()["en-us"][prompt]
    return np.asarray(decode_file(path, (rate,), max_seconds=600, max_bytes=1 << 30)[rate])


def load_recordings() -> None:
    """Decode every recording, so that looking for one takes no time."""
    for prompt in (*shipped_prompts()["en-us"], "hold_music"):
        recording(prompt, 8000)


async def prompted(call: Conversation, sound: str | Samples, since: float = 0.0, within: float = PATIENCE) -> float:
    """Wait until a prompt (by id), or a recording at the call's rate, was heard; returns the time of its end."""
    wanted = (recording(sound, call.rate) if isinstance(sound, str) else sound)[round(DEAF_SECONDS * call.rate) :]
    length = len(wanted) / call.rate
    deadline = call.seconds + within
    best = 0.0
    while True:
        over = call.ended.is_set() or call.seconds > deadline
        heard = call.heard(since)
        if len(heard) >= 0.9 * len(wanted):  # the end falls together with the BYE
            match = await asyncio.to_thread(find_sound, heard, wanted, call.rate)
            best = max(best, match.score)
            if match.score > ALIKE:
                return since + match.at + length
            # What was looked through is left behind: long searches would hold up the phones.
            since = max(since, since + (len(heard) - len(wanted)) / call.rate - BEFORE)
        if over:
            raise AssertionError(f"{sound if isinstance(sound, str) else 'the sound'} was not heard (best {best:.2f})")
        await asyncio.sleep(0.25)


async def counted(call: Conversation, *words: str, since: float, within: float = PATIENCE) -> float:
    """Wait until these of the digits and `minus` were said in turn, each rather than any other; the time of the end."""
    deadline = call.seconds + within
    for word in words:
        wanted = recording(word, call.rate)
        scores: dict[str, float] = {}
        while True:
            match = find_sound(call.heard(since), wanted, call.rate)
            start, end = since + match.at, since + match.at + len(wanted) / call.rate
            if match.score > SURELY:
                said = call.heard(max(0.0, start - BEHIND), end + BEHIND)
                scores = {other: find_sound(said, recording(other, call.rate), call.rate).score for other in SPOKEN}
                if max(scores, key=scores.__getitem__) == word:
                    break
            assert not over(call), over(call)
            assert call.seconds < deadline, f"{word!r} of {words} was not said ({match.score:.2f}); {scores}"
            await asyncio.sleep(0.2)
        since = end - BEHIND
    return since + BEHIND


async def likeness(call: Conversation, sound: str | Samples, start: float = 0.0, end: float | None = None) -> float:
    """How much a prompt is in what was heard, 0..1; quite other sounds have less than 0.35."""
    wanted = recording(sound, call.rate) if isinstance(sound, str) else sound
    return (await asyncio.to_thread(find_sound, call.heard(start, end), wanted, call.rate)).score


def jingle(seed: int, seconds: float = 1.0, rate: int = 8000) -> Samples:
    """A rustle unlike any other, all below the callers' tones: two of them have next to nothing in common."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=round(seconds * rate)))
    frequencies = np.fft.rfftfreq(round(seconds * rate), 1 / rate)
    spectrum[(frequencies < 250) | (frequencies > 850)] = 0
    wave = np.fft.irfft(spectrum)
    return np.asarray(np.round(16_000 * wave / np.max(np.abs(wave))), np.int16)


def wav(sound: Samples, rate: int = 8000) -> bytes:
    """The sound as a file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


async def ended_by_server(call: Conversation, within: float = PATIENCE) -> None:
    """Wait for the server's BYE."""
    async with asyncio.timeout(within):
        await call.ended.wait()
    assert not call.report.ended_by_us
