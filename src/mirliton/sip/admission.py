"""How many new calls are let in: token buckets, one for all or one for each source. Pure: the time is given."""

from collections import OrderedDict


class TokenBucket:
    """`rate` tokens a second, at most `capacity` saved up (None: one second's worth)."""

    def __init__(self, rate: float, capacity: float | None = None) -> None:
        self._rate = rate
        self._capacity = rate if capacity is None else capacity
        self._tokens = self._capacity
        self._filled_at: float | None = None

    def take(self, now: float) -> bool:
        """Take one; False when there is none."""
        if self._filled_at is not None:
            self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Attempts:
    """`per_minute` attempts for each of at most `max_sources` sources; who tried longest ago is forgotten first."""

    def __init__(self, per_minute: float, max_sources: int = 4096) -> None:
        self._per_minute = per_minute
        self._max = max_sources
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, source: str, now: float) -> bool:
        """Note an attempt; False when it is one too many."""
        bucket = self._buckets.get(source)
        if bucket is None:
            if len(self._buckets) >= self._max:
                self._buckets.popitem(last=False)
            bucket = self._buckets[source] = TokenBucket(self._per_minute / 60, self._per_minute)
        self._buckets.move_to_end(source)
        return bucket.take(now)
