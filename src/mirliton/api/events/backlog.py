"""What waits for one socket: a bounded queue that forgets the oldest, and says so at the place of the gap."""

import asyncio
from collections import Counter, deque
from collections.abc import Collection
from typing import Generic, TypeVar

_Owner = TypeVar("_Owner")
_Item = TypeVar("_Item")


class Closed(Exception):
    """Nothing more comes: the server ends the socket, for the reason given."""


class Backlog(Generic[_Owner, _Item]):
    """One writer that never waits, one reader that does. Each item belongs to an owner, and so does each loss."""

    def __init__(self, limit: int) -> None:
        self._waiting: deque[tuple[_Owner, _Item]] = deque()
        self._limit = limit
        self._lost: Counter[_Owner | None] = Counter()
        self._closed: str | None = None
        self._news = asyncio.Event()

    def put(self, owner: _Owner, item: _Item) -> bool:
        """Take an item; False when the oldest one had to go for it."""
        fits = len(self._waiting) < self._limit
        if not fits:
            oldest, _ = self._waiting.popleft()
            self._lost[oldest] += 1
        self._waiting.append((owner, item))
        self._news.set()
        return fits

    def miss(self, count: int) -> None:
        """Items were lost before they came here; nobody knows whose."""
        self._lost[None] += count
        self._news.set()

    def forget(self, owners: Collection[_Owner]) -> None:
        """Throw away what some owners do not want any more, their losses as well."""
        self._waiting = deque(entry for entry in self._waiting if entry[0] not in owners)
        for owner in owners:
            self._lost.pop(owner, None)

    def close(self, reason: str) -> None:
        """Let the reader know that this is the end."""
        self._closed = reason
        self._waiting.clear()
        self._news.set()

    async def take(self) -> tuple[int, tuple[_Owner, _Item] | None]:
        """How many items were lost just before, and the next one (None when only a loss is to be told).

        Raises `Closed`.
        """
        while not (self._waiting or self._lost or self._closed):
            self._news.clear()
            await self._news.wait()
        if self._closed is not None:
            raise Closed(self._closed)
        lost = self._lost.total()
        self._lost.clear()
        return lost, self._waiting.popleft() if self._waiting else None
