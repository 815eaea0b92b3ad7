"""The control process's side of what the writer writes: which take is which track, and what to do when a writer dies.

A track outlives its writer. What the dead one wrote stays as it is; the next one goes on in another file, from a moment
that certainly is in the first, and with chunks that still lie in the tap. At the end the parts become one file.
"""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mirliton.media.types import Tap
from mirliton.recording import messages as m
from mirliton.recording.mending import Part
from mirliton.recording.sound_files import Format, longest_seconds

_SECOND = 1_000_000_000
_MOST_DEATHS = 20


class Writer(Protocol):
    """Who writes: `writer_process.WriterProcess`."""

    restarts: int

    async def start(self, on_news: Callable[[m.News], None], on_restart: Callable[[], None]) -> None:
        """Begin to take orders. After `on_restart` nothing is known of earlier ones."""

    def send(self, order: m.Order) -> None:
        """Tell it."""

    async def stop(self) -> None:
        """Close all files and end."""


@dataclass(slots=True, eq=False)
class Track:
    """One file: of a room's mix, or of what a member says. `start` in engine nanoseconds is sample 0 of the file.

    Make one inside a running event loop.
    """

    account_id: str
    media_id: str
    tap: Tap
    path: Path
    """Of the first part."""
    form: Format
    rate: int
    start: int
    max_seconds: float
    opened: asyncio.Future[str] = field(init=False)
    """What kept the file from being opened, or nothing."""
    ended: asyncio.Future[m.Finished] = field(init=False)
    parts: list[Part] = field(default_factory=list)
    lost: int = 0
    safe: int = 0
    """How many samples are on disk for good."""
    deaths: int = 0
    """How often its writer died."""
    finish_at: int | None = None
    abandoned: bool = False
    _tap: int = -1
    _size_before: int = 0
    _lost_before: int = 0
    _size: int = 0
    _next: int = 0

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.opened, self.ended = loop.create_future(), loop.create_future()

    @property
    def size(self) -> int:
        """Bytes on disk as last heard."""
        return self._size_before + self._size

    def note(self, state: m.State) -> None:
        """How far the present part is."""
        self._size = state.size
        self.note_lost(state.lost)
        self.safe, self._next = self.parts[-1].offset + state.frames, state.next

    def note_lost(self, lost: int) -> None:
        """How many chunks of the present part were lost."""
        self.lost = self._lost_before + lost

    def first_order(self, take: int) -> m.Begin:
        """How the writer is told of it."""
        lent = self.tap.lend()
        self._tap = lent.index
        self._next = lent.next
        return self._begin(take)

    def next_order(self, take: int) -> m.Begin:
        """How the next writer is told to go on."""
        self.deaths += 1
        self._size_before, self._size, self._lost_before = self.size, 0, self.lost
        return self._begin(take)

    def _begin(self, take: int) -> m.Begin:
        offset = self.safe
        path = self.path.with_name(f"{self.path.name}.{offset}") if offset else self.path
        part = Part(offset, str(path))
        if part not in self.parts:  # else nothing of it was safe yet, and it is written anew
            self.parts.append(part)
        start = self.start + -(-offset * _SECOND // self.rate)
        seconds = min(self.max_seconds, longest_seconds(self.form, self.rate)) - offset / self.rate
        return m.Begin(take, str(path), self.form, self.rate, start, seconds, self._tap, self._next)


class Takes:
    """Tells the writer of tracks, and the tracks of what the writer says."""

    def __init__(self, writer: Writer, on_progress: Callable[[], None]) -> None:
        """`on_progress`: sizes are other ones now."""
        self._writer = writer
        self._on_progress = on_progress
        self._numbers = itertools.count(1)
        self._tracks: dict[int, Track] = {}

    @property
    def restarts(self) -> int:
        """How often a writer died."""
        return self._writer.restarts

    async def start(self) -> None:
        """Start the writer. Raises `OSError`."""
        await self._writer.start(self._heard, self._say_again)

    async def stop(self) -> None:
        """Stop the writer; tracks that have not ended never will."""
        await self._writer.stop()

    def begin(self, track: Track) -> None:
        """Write it; `track.opened` tells whether that works, and `track.ended` how it ended."""
        number = next(self._numbers)
        self._tracks[number] = track
        self._writer.send(track.first_order(number))

    def finish(self, track: Track, at: int) -> None:
        """Let it end at `at` (engine nanoseconds); the first time counts."""
        if track.finish_at is None:
            track.finish_at = at
            self._tell(track, lambda number: m.Finish(number, at))

    def abandon(self, track: Track) -> None:
        """Let the file go."""
        track.abandoned = True
        self._tell(track, m.Abandon)

    def _tell(self, track: Track, order: Callable[[int], m.Order]) -> None:
        for number, one in self._tracks.items():
            if one is track:
                self._writer.send(order(number))

    def _say_again(self) -> None:
        """A new writer knows nothing."""
        tracks, self._tracks = list(self._tracks.values()), {}
        for track in tracks:
            number = next(self._numbers)
            if track.deaths >= _MOST_DEATHS:
                self._end(track, m.Finished(number, 0, problem="the writer of recordings died again and again"))
                continue
            self._tracks[number] = track
            self._writer.send(track.next_order(number))
            if track.finish_at is not None:
                self._writer.send(m.Finish(number, track.finish_at))
            if track.abandoned:
                self._writer.send(m.Abandon(number))

    def _heard(self, news: m.News) -> None:
        match news:
            case m.Opened(number, problem) if track := self._tracks.get(number):
                if not track.opened.done():
                    track.opened.set_result(problem)
                if problem:
                    del self._tracks[number]
                    self._end(track, m.Finished(number, 0, problem=problem))
            case m.Finished(number, lost) if track := self._tracks.pop(number, None):
                track.note_lost(lost)
                self._end(track, news)
            case m.Progress(states):
                for state in states:
                    if track := self._tracks.get(state.take):
                        track.note(state)
                self._on_progress()
            case _:
                pass  # of a take that ended

    def _end(self, track: Track, how: m.Finished) -> None:
        track.tap.give_back()
        if not track.opened.done():
            track.opened.set_result(how.problem)
        if not track.ended.done():
            track.ended.set_result(how)
