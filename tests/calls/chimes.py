"""Sounds of a room that are told apart by their pitch: put into a profile, and found again in what was heard."""

import asyncio

import numpy as np

from mirliton.phone.conversation import Conversation

from .measuring import PATIENCE, Listener, Samples, over
from .rest import Rest

PITCHES = (311, 373, 449, 541, 593, 647, 709, 797)
"""Hz; below the callers' tones."""
FENCE = 853
"""Of the sound that is played last: what was not heard before it is not heard at all."""
SECONDS, PAUSE = 0.3, 0.2
PURE = 3.5  # dB; a chime is nearly all there is to hear
QUIET = 300.0  # peak; chimes have 10 000
_ALL = np.array((*PITCHES, FENCE))
_WINDOW, _STEP, _SHORTEST = 0.12, 0.03, 3


def chime(pitch: int) -> str:
    """The address of a tone of 0.3 s, and a pause so that two are two."""
    return f"tone_stream://%({SECONDS * 1000:g},{PAUSE * 1000:g},{pitch})"


def chimes(listener: Listener, start: float = 0.0, end: float | None = None) -> list[int]:
    """The pitches heard between two times, in order; one that sounds twice stands there twice."""
    return [pitch for pitch, _, _ in rings(listener, start, end)]


def rings(listener: Listener, start: float = 0.0, end: float | None = None) -> list[tuple[int, float, float]]:
    """(pitch, from, to) of every chime between two times, in seconds of the call."""
    found = _pitches(listener.heard(start, end), listener.rate)
    stretches: list[tuple[int, float, float]] = []
    first = 0
    for index in range(1, len(found) + 1):
        if index < len(found) and found[index] == found[first]:
            continue
        if found[first] and index - first >= _SHORTEST:
            stretches.append((found[first], start + first * _STEP, start + (index - 1) * _STEP + _WINDOW))
        first = index
    return stretches


def _pitches(heard: Samples, rate: int) -> list[int]:
    """The pitch of every window of the sound; 0 where there is none, or not it alone. All at once, as it costs less."""
    size = round(_WINDOW * rate)
    if len(heard) < size:
        return []
    window = np.blackman(size) / np.sum(np.blackman(size))
    turns = np.exp(-2j * np.pi * np.outer(np.arange(size) / rate, _ALL))
    pieces = np.lib.stride_tricks.sliding_window_view(heard, size)[:: round(_STEP * rate)].astype(np.float64)
    strengths = 2 * np.abs(pieces @ (window[:, np.newaxis] * turns))
    whole = np.sqrt(2 * np.mean(pieces**2, axis=1))
    loudest = np.argmax(strengths, axis=1)
    pure = np.max(strengths, axis=1) > whole * 10 ** (-PURE / 20)
    return [int(_ALL[which]) if one else 0 for which, one in zip(loudest, pure & (whole > QUIET), strict=True)]


async def rung(call: Conversation, pitch: int, since: float = 0.0, within: float = PATIENCE) -> float:
    """Wait until a chime was heard to its end; returns the time of that."""
    deadline = call.seconds + within
    while True:
        last = call.seconds > deadline or bool(over(call))
        now = call.seconds
        heard = await asyncio.to_thread(rings, call, since)
        ends = [end for which, _, end in heard if which == pitch and (last or end < now - _WINDOW)]
        if ends:
            return ends[0]
        if last:
            raise AssertionError(f"no chime of {pitch} Hz since {since:.1f} s, but {heard}; {over(call) or 'in call'}")
        await asyncio.sleep(0.1)


async def fence(rest: Rest, conference_id: str, *calls: Conversation) -> None:
    """All that was to be heard so far has been heard: a last chime goes through the room's queue."""
    since = [max(0.0, call.seconds - 0.1) for call in calls]
    await rest.act(conference_id, "play", media_id=chime(FENCE))
    await asyncio.gather(*(rung(call, FENCE, start) for call, start in zip(calls, since, strict=True)))
