"""The events that wait for one webhook's server."""

import asyncio
from collections import deque

from mirliton.calls.events import Event


class Waiting:
    """At most `limit` events, oldest first. The oldest goes when there is no room, and the next one taken says so."""

    def __init__(self, limit: int) -> None:
        self.finishing = False
        self._events: deque[Event] = deque(maxlen=limit)
        self._lost = 0
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> bool:
        """Take an event; False when another one had to go for it."""
        full = len(self._events) == self._events.maxlen
        if full:
            self._lost += 1
        self._events.append(event)
        self._arrived.set()
        return not full

    def lose(self, count: int) -> None:
        """The next event taken shall tell of so many more that never came to the server."""
        self._lost += count

    def finish(self) -> None:
        """After the events that wait now there are no more."""
        self.finishing = True
        self._arrived.set()

    def drop(self) -> None:
        """Nothing more is wanted, not even what waits."""
        self._events.clear()
        self.finish()

    async def take(self) -> tuple[Event, int] | None:
        """The next event and how many were lost before it; None at the end."""
        while not self._events:
            if self.finishing:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        lost, self._lost = self._lost, 0
        return self._events.popleft(), lost
