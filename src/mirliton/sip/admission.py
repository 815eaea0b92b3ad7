"""How many new calls a second are let in: a token bucket. Pure: the time is given."""


class TokenBucket:
    """`rate` tokens a second, at most one second's worth saved up."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._tokens = rate
        self._filled_at: float | None = None

    def take(self, now: float) -> bool:
        """Take one; False when there is none."""
        if self._filled_at is not None:
            self._tokens = min(self._rate, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
