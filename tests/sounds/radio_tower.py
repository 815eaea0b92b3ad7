"""Radio stations for tests: sound that is encoded here, and answers that send it in many ways."""

import asyncio
import io
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from mirliton.media.types import Clip

from .web_server import Answer, Request

ICY = b"ICY 200 OK\r\nicy-notice1:<BR>requires a player<BR>\r\ncontent-type:audio/mpeg\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\nicy-name: test\r\n\r\n"
SAMPLE = 125_000
"""Nanoseconds of one at 8000 Hz."""


@cache
def encoded(
    frequency: int, seconds: float = 8.0, *, kind: str = "MP3", subtype: str | None = None, rate: int = 44_100
) -> bytes:
    """A tone in stereo."""
    file = io.BytesIO()
    wave = 0.3 * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)
    soundfile.write(file, np.stack([wave, wave], 1), rate, format=kind, subtype=subtype)
    return file.getvalue()


def station(sound: bytes, *, piece: int = 777, begin: int = 1234, head: bytes = HEAD) -> Answer:
    """Sends the sound again and again, as fast as it is taken, beginning somewhere in its middle."""

    async def write(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        at = begin
        while True:
            part = sound[at : at + piece]
            writer.write(b"%x\r\n%b\r\n" % (len(part), part) if head == CHUNKED else part)
            at = at + piece if at + piece < len(sound) else 0
            await writer.drain()
            await asyncio.sleep(0)

    return write


def on_air(frequency: int, *, burst: float = 1.5) -> Answer:
    """A tone that is sent as it is heard, but for the `burst` (s) with which each connection begins, as stations do."""
    seconds, steps = 4.0, 40
    sound = encoded(frequency, seconds)

    async def write(_request: Request, writer: asyncio.StreamWriter) -> None:
        began, sent = asyncio.get_running_loop().time() - burst, 0
        writer.write(HEAD)
        while True:
            due = int((asyncio.get_running_loop().time() - began) * steps / seconds)
            for step in range(sent, due):
                first, end = (len(sound) * (step % steps + one) // steps for one in (0, 1))
                writer.write(sound[first:end])
            sent = due
            await writer.drain()
            await asyncio.sleep(seconds / steps)

    return write


def fragment(sound: bytes, *, head: bytes = HEAD, then: asyncio.Event | None = None) -> Answer:
    """Sends it once; hangs up, or waits for `then` before."""

    async def write(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head + sound)
        await writer.drain()
        if then is not None:
            await then.wait()

    return write


class Ring:
    """A `LiveClip` that keeps for each moment what would be heard then."""

    def __init__(self, key: str = "ring", seconds: float = 30) -> None:
        self.clip = Clip(key, seconds, {8000: (0, 0), 16000: (0, 0)})
        self.in_use = True
        self.closed = False
        self.heard: dict[int, dict[int, npt.NDArray[np.int16]]] = {8000: {}, 16000: {}}
        self.latest = 0
        self.written = asyncio.Event()

    def write(self, at: int, samples_by_rate: Mapping[int, Any]) -> None:
        """What is written last is what is heard."""
        assert not self.closed
        narrow, wide = samples_by_rate[8000], samples_by_rate[16000]
        assert len(wide) == 2 * len(narrow)
        assert len(narrow) <= self.clip.seconds * 8000
        if np.any(narrow):
            self.latest = at + len(narrow) * SAMPLE
            for rate, wave in samples_by_rate.items():
                self.heard[rate][at] = wave
            self.written.set()

    def close(self) -> None:
        """No more writing."""
        self.closed = True

    async def more(self, seconds: float = 1.0) -> None:
        """Wait until so much more sound is there."""
        have = self.seconds
        while self.seconds < have + seconds:
            self.written.clear()
            await self.written.wait()

    @property
    def seconds(self) -> float:
        """Of all sound there is."""
        return sum(len(wave) for wave in self.heard[8000].values()) / 8000

    def sound(self, rate: int = 8000) -> npt.NDArray[np.int16]:
        """All of it, in a row."""
        return np.concatenate(list(self.heard[rate].values()))

    @property
    def gaps(self) -> int:
        """Silences between two pieces of sound."""
        ends = {at + len(wave) * SAMPLE for at, wave in self.heard[8000].items()}
        return len(set(self.heard[8000]) - ends) - 1


class Rings:
    """As much of `MediaEngine` as stations need."""

    def __init__(self) -> None:
        self.opened: list[Ring] = []

    def live_clip(self, key: str, seconds: float, owner: str = "") -> Ring:
        """A new ring each time."""
        self.opened.append(Ring(f"{owner}|{key}", seconds))
        return self.opened[-1]
