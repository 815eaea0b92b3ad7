"""Room events on their way to whoever listens. A slow listener loses events of its own, and is told how many."""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

Event = Mapping[str, Any]


class Subscription:
    """One listener's events, oldest first."""

    def __init__(self, feed: "EventFeed", limit: int) -> None:
        self.lost = 0
        self._feed = feed
        self._waiting: deque[Event] = deque(maxlen=limit)
        self._arrived = asyncio.Event()

    def put(self, event: Event) -> None:
        """Take an event; the oldest one goes when there is no room."""
        if len(self._waiting) == self._waiting.maxlen:
            self.lost += 1
            self._feed.lost += 1
        self._waiting.append(event)
        self._arrived.set()

    async def get(self) -> Event:
        """The next event."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()

    def close(self) -> None:
        """Hear nothing more. Repeating is harmless."""
        self._feed.remove(self)


class EventFeed:
    """Hands each event to every subscription, without waiting for any."""

    def __init__(self) -> None:
        self.published = 0
        self.lost = 0
        self._subscriptions: set[Subscription] = set()

    def subscribe(self, limit: int = 1000) -> Subscription:
        """Events from now on; at most `limit` wait."""
        subscription = Subscription(self, limit)
        self._subscriptions.add(subscription)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        self._subscriptions.discard(subscription)

    def publish(self, event: Event) -> None:
        """Tell everybody."""
        self.published += 1
        for subscription in self._subscriptions:
            subscription.put(event)
