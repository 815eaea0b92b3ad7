"""The last attempts of each webhook, for whoever looks for what went wrong."""

from collections import OrderedDict, deque
from dataclasses import dataclass
from itertools import count
from typing import Any

from mirliton.store.document import gregorian
from mirliton.webhooks.hook import Hook
from mirliton.webhooks.message import Delivery
from mirliton.webhooks.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one delivery. `number` orders the attempts of all webhooks; `when` is UNIX seconds."""

    number: int
    when: float
    hook_id: str
    delivery_id: str
    event: str
    outcome: Outcome
    retries_left: int

    def told(self) -> dict[str, Any]:
        """As Kazoo tells of attempts; `timestamp` is Gregorian."""
        told: dict[str, Any] = {
            "hook_id": self.hook_id,
            "timestamp": gregorian(self.when),
            "result": "success" if self.outcome.delivered else "failure",
            "event": self.event,
            "delivery_id": self.delivery_id,
        }
        if self.outcome.code is not None:
            told["response_code"] = self.outcome.code
        if not self.outcome.delivered:
            told |= {"reason": self.outcome.reason, "retries left": self.retries_left}
        return told


class AttemptLog:
    """The last `each` attempts of the last `hooks` webhooks that had any; those of a disabled one stay readable."""

    def __init__(self, hooks: int, each: int) -> None:
        self._hooks = hooks
        self._each = each
        self._numbers = count()
        self._kept: OrderedDict[tuple[str, str], deque[Attempt]] = OrderedDict()

    def add(self, hook: Hook, delivery: Delivery, outcome: Outcome, retries_left: int, when: float) -> None:
        """Note an attempt; the oldest one of the webhook goes, or all of the webhook that was longest quiet."""
        key = (hook.account_id, hook.id)
        event = str(delivery.event.get("event", ""))
        self._kept.setdefault(key, deque(maxlen=self._each)).append(
            Attempt(next(self._numbers), when, hook.id, delivery.id, event, outcome, retries_left)
        )
        self._kept.move_to_end(key)
        if len(self._kept) > self._hooks:
            self._kept.popitem(last=False)

    def forget(self, account_id: str, hook_id: str) -> None:
        """The webhook is gone."""
        self._kept.pop((account_id, hook_id), None)

    def of(self, account_id: str, hook_id: str | None = None) -> list[dict[str, Any]]:
        """Those of one webhook, or of all of the account, newest first."""
        found = [
            attempt
            for (account, hook), attempts in self._kept.items()
            if account == account_id and hook_id in (None, hook)
            for attempt in attempts
        ]
        return [attempt.told() for attempt in sorted(found, key=lambda attempt: -attempt.number)]
