"""A real store in a temporary folder, a tap fed by hand, and a clock that tests move."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from mirliton.media.types import Chunk, LentTap
from mirliton.store import Document, Store, bootstrap

Samples = npt.NDArray[np.int16]
SECOND = 1_000_000_000
TICK = SECOND // 50


def tone(seconds: float, rate: int, *, hertz: float = 440.0, level: int = 8000) -> Samples:
    return np.asarray(level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate), np.int16)


def ticks(sound: Samples, rate: int, at: int = 0) -> list[Chunk]:
    """The sound as chunks of 20 ms from the time `at` on."""
    size = rate // 50
    return [Chunk(at + n * TICK, rate, sound[n * size : (n + 1) * size]) for n in range(len(sound) // size)]


@dataclass
class Clock:
    """Engine nanoseconds."""

    now: int = 5_000 * SECOND

    def __call__(self) -> int:
        return self.now


class FakeTap:
    """Gives what a test puts in."""

    _all: ClassVar[list["FakeTap"]] = []

    def __init__(self) -> None:
        self.lost = 0
        self.closed = 0
        self.lent = False
        self.heard: list[Chunk] = []
        self._number = len(self._all)
        self._all.append(self)
        self._waiting: list[Chunk] = []
        self.was_read = asyncio.Event()

    @classmethod
    def of(cls, number: int) -> "FakeTap":
        return cls._all[number]

    def feed(self, chunks: list[Chunk]) -> None:
        self._waiting += chunks
        self.heard += chunks

    def lend(self) -> LentTap:
        self.lent = True
        return LentTap(self._number, len(self.heard))

    def give_back(self) -> None:
        self.lent = False

    def read(self) -> list[Chunk]:
        taken, self._waiting = self._waiting, []
        self.was_read.set()
        return taken

    def close(self) -> None:
        self.closed += 1


@dataclass
class Changes:
    """What the store's followers were told."""

    seen: list[tuple[str, str, str]] = field(default_factory=list)

    def __call__(self, event: str, document: Document) -> None:
        self.seen.append((event, document.type, document.id))

    def of(self, document_id: str) -> list[str]:
        return [event for event, _, changed in self.seen if changed == document_id]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store(None, tmp_path, max_documents_per_account=20)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def account_id(store: Store, tmp_path: Path) -> str:
    return (await bootstrap(store, tmp_path)).id


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tap() -> FakeTap:
    return FakeTap()


def media_files(store: Store, account_id: str) -> list[str]:
    """Names of everything in the account's media folder."""
    folder = store.data_dir / "media" / account_id
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []
