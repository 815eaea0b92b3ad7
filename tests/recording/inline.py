"""A writer without a process: the same desk, in this event loop, on taps that tests feed."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from mirliton.media.types import Chunk
from mirliton.recording import messages as m
from mirliton.recording.desk import Desk
from mirliton.recording.recordings import RecordingLimits, Recordings
from mirliton.store import Store

from .conftest import Changes, Clock, FakeTap


class FakeReader:
    """Reads a `FakeTap` like the writer reads shared memory: chunks have numbers, and stay for a while."""

    def __init__(self, tap: FakeTap, first: int) -> None:
        self.next = first
        self.lost = 0
        self._tap = tap

    def read(self) -> Sequence[Chunk]:
        chunks = self._tap.heard[self.next :]
        self.next = len(self._tap.heard)
        self._tap.read()
        return chunks


class InlineWriter:
    """Implements `takes.Writer`. `die`: forget everything, as if it was killed."""

    def __init__(self, clock: Callable[[], int], poll_seconds: float = 0.002) -> None:
        self.restarts = 0
        self.asleep = False
        self._clock = clock
        self._poll = poll_seconds
        self._desk = self._new_desk()
        self._rounds: asyncio.Task[None] | None = None

    def _new_desk(self) -> Desk:
        return Desk(lambda tap, first: FakeReader(FakeTap.of(tap), first))

    async def start(self, on_news: Callable[[m.News], None], on_restart: Callable[[], None]) -> None:
        self._on_news, self._on_restart = on_news, on_restart
        self._rounds = asyncio.create_task(self._go_round())

    def send(self, order: m.Order) -> None:
        for news in self._desk.order(order):
            asyncio.get_running_loop().call_soon(self._on_news, news)

    async def stop(self) -> None:
        if self._rounds is not None:
            self._rounds.cancel()
            await asyncio.gather(self._rounds, return_exceptions=True)
        self._desk.close()

    def die(self) -> None:
        """What was written to the files stays as it is on disk at this moment."""
        takes = list(self._desk._takes.values())
        contents = [(take.path, take.path.read_bytes()) for take in takes]
        self._desk.close()
        for path, content in contents:
            path.write_bytes(content)
        self._desk = self._new_desk()
        self.restarts += 1
        self._on_restart()

    async def _go_round(self) -> None:
        while True:
            if not self.asleep:
                for news in self._desk.round(self._clock()):
                    self._on_news(news)
            await asyncio.sleep(self._poll)


def recordings(store: Store, changes: Changes, clock: Callable[[], int] | None = None, **given: Any) -> Recordings:
    """Not opened yet. `given`: `RecordingLimits`, and what `Recordings` takes by name."""
    names = RecordingLimits.__dataclass_fields__
    limits = {"max_seconds": 60, "max_at_a_time": 3} | {name: given.pop(name) for name in list(given) if name in names}
    clock = clock or Clock()
    writer = given.pop("writer", None) or InlineWriter(clock, given.pop("poll_seconds", 0.002))
    return Recordings(store, changes, writer, RecordingLimits(**limits), now=clock, **given)
