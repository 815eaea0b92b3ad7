"""Failed logins, counted by client: a bucket that refills evenly within a minute. The clock is passed in."""

from collections import OrderedDict
from collections.abc import Callable

MAX_CLIENTS = 10_000


class Attempts:
    """At most `per_minute` attempts in a minute by one client; a success does not count.

    The table is bounded: the client that was longest quiet is forgotten first.
    """

    def __init__(self, per_minute: int, now: Callable[[], float]) -> None:
        self._size = float(per_minute)
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def left(self, client: str) -> int:
        """How many attempts the client has now."""
        return int(self._level(client))

    def take(self, client: str) -> bool:
        """Use one attempt; False when there is none."""
        level = self._level(client)
        if level < 1:
            return False
        self._keep(client, level - 1)
        return True

    def give_back(self, client: str) -> None:
        """The attempt was a success."""
        self._keep(client, min(self._size, self._level(client) + 1))

    def wait_seconds(self, client: str) -> int:
        """Until when the next attempt is possible."""
        missing = max(0.0, 1 - self._level(client))
        return int(missing * 60 / self._size) + 1

    def _level(self, client: str) -> float:
        level, since = self._buckets.get(client, (self._size, self._now()))
        return min(self._size, level + (self._now() - since) * self._size / 60)

    def _keep(self, client: str, level: float) -> None:
        self._buckets[client] = (level, self._now())
        self._buckets.move_to_end(client)
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
