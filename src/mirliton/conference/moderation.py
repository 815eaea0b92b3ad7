"""Whether members may speak and hear without a moderator: `wait_for_moderator`, `require_moderator` (semantics 2.2)."""

from dataclasses import dataclass


@dataclass(slots=True)
class Moderation:
    """Times in seconds on the room's clock.

    A room that waits ends its waiting with the first moderator. Only one that requires a moderator looks at leaving
    ones: when the last has been gone for the grace time, `overdue` is true once.
    """

    waiting: bool
    required: bool
    grace_seconds: float
    deadline: float | None = None

    def moderator_came(self) -> bool:
        """True when that ends the waiting."""
        ends, self.waiting, self.deadline = self.waiting, False, None
        return ends

    def last_moderator_left(self, now: float) -> None:
        """The grace time begins."""
        if self.required and not self.waiting:
            self.deadline = now + self.grace_seconds

    def overdue(self, now: float) -> bool:
        """Whether the grace time is over."""
        if self.deadline is None or now < self.deadline:
            return False
        self.deadline = None
        return True
