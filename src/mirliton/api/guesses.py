"""PINs that strangers try: fewer and fewer of them, and yet nobody is locked out. The clock is passed in.

Each address has a number of attempts a minute. Each conference answers later the more wrong PINs came for it, whoever
sent them: a second more for everybody, and never a refusal, so that nobody can close a conference to its members by
sending wrong PINs. An address waits for one answer at a time.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager

from mirliton.api.attempts import Attempts

FREE = 3
"""Wrong PINs that everybody may have."""
FIRST_PAUSE = 0.25
FORGIVEN_SECONDS = 20.0
"""One wrong PIN is forgotten in this time."""
MAX_TARGETS = 10_000


class Busy(Exception):
    """Too many attempts; try again after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"wait {seconds} seconds")
        self.seconds = seconds


class Pauses:
    """How long the answer to an attempt waits: nothing at first, then twice as long each time, at most `longest`.

    The table is bounded: what was tried longest ago is forgotten first.
    """

    def __init__(self, longest: float, now: Callable[[], float]) -> None:
        self._longest = longest
        self._now = now
        self._wrong: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, target: Hashable) -> float:
        """Note an attempt, as a wrong one until it turns out right; returns its pause in seconds."""
        before = self._level(target)
        self._keep(target, before + 1)
        doublings = round(before) - FREE
        return 0.0 if doublings < 0 else min(self._longest, FIRST_PAUSE * 2.0 ** min(doublings, 32))

    def give_back(self, target: Hashable) -> None:
        """The attempt was right; the wrong ones of others still count."""
        self._keep(target, max(0.0, self._level(target) - 1))

    def _level(self, target: Hashable) -> float:
        level, since = self._wrong.get(target, (0.0, 0.0))
        return max(0.0, level - (self._now() - since) / FORGIVEN_SECONDS)

    def _keep(self, target: Hashable, level: float) -> None:
        self._wrong[target] = (level, self._now())
        self._wrong.move_to_end(target)
        if len(self._wrong) > MAX_TARGETS:
            self._wrong.popitem(last=False)


class Guesses:
    """Attempts with PINs. `max_waiting` bounds how many answers are held back at a time; `sleep` holds them back."""

    def __init__(
        self,
        per_minute: int,
        longest_pause: float,
        max_waiting: int,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._attempts = Attempts(per_minute, now)
        self._pauses = Pauses(longest_pause, now)
        self._max_waiting = max_waiting
        self._sleep = sleep
        self._waiting: set[str] = set()

    async def begin(self, address: str, target: Hashable) -> None:
        """An attempt at `target` from `address`; returns when it may be judged. Raises `Busy`."""
        if not self._attempts.take(address):
            raise Busy(self._attempts.wait_seconds(address))
        with self._place(address):
            pause = self._pauses.take(target)
            if pause:
                await self._sleep(pause)

    def right(self, address: str, target: Hashable) -> None:
        """The attempt was right: it does not count."""
        self._attempts.give_back(address)
        self._pauses.give_back(target)

    @contextmanager
    def _place(self, address: str) -> Iterator[None]:
        if address in self._waiting or len(self._waiting) >= self._max_waiting:
            raise Busy(1)
        self._waiting.add(address)
        try:
            yield
        finally:
            self._waiting.discard(address)
