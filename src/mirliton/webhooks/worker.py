"""Delivers the events of one webhook: in order, one at a time, each again until it came through or was tried enough."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from mirliton.calls.events import Event
from mirliton.settings import WebhookSettings
from mirliton.store.document import new_id
from mirliton.webhooks.attempts import AttemptLog
from mirliton.webhooks.hook import Hook
from mirliton.webhooks.message import Delivery
from mirliton.webhooks.outcome import Outcome, pause
from mirliton.webhooks.waiting import Waiting

_log = structlog.get_logger(__name__)


class Sends(Protocol):
    """Tries one delivery once; `webhooks.sending.Sender` implements it."""

    async def send(self, hook: Hook, delivery: Delivery) -> Outcome:
        """What became of it."""


@dataclass(slots=True)
class Counters:
    """Since the start: deliveries that came through or were given up, attempts that failed, events lost to full queues,
    webhooks disabled after failures, webhooks beyond a limit, faults of ours."""

    delivered: int = 0
    attempts_failed: int = 0
    given_up: int = 0
    lost: int = 0
    disabled: int = 0
    not_served: int = 0
    faults: int = 0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all workers share. Times come from outside: `now` is UNIX seconds, `random` is 0 to 1."""

    settings: WebhookSettings
    sender: Sends
    log: AttemptLog
    disable: Callable[[Hook, str], Awaitable[None]]
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[object]]
    random: Callable[[], float]
    counters: Counters = field(default_factory=Counters)


class Worker:
    """Run `run` in a task; `hook` may be exchanged at any time and holds from the next attempt on."""

    def __init__(self, hook: Hook, around: Surroundings) -> None:
        self.hook = hook
        self.waiting = Waiting(around.settings.queue)
        self._around = around
        self._failures = 0

    def put(self, event: Event) -> None:
        """An event that the webhook wants."""
        if not self.waiting.put(event):
            self._around.counters.lost += 1

    def change(self, hook: Hook) -> None:
        """The document changed: what failed before may work now."""
        self.hook = hook
        self._failures = 0

    async def run(self) -> None:
        """Deliver until the queue was told to finish and is empty."""
        while (taken := await self.waiting.take()) is not None:
            event, lost = taken
            try:
                await self._deliver(Delivery(new_id(), event, lost))
            except Exception as fault:  # one event that cannot be sent must not end the webhook
                self._around.counters.faults += 1
                self.waiting.lose(lost + 1)
                _log.error("webhook met a fault", webhook_id=self.hook.id, fault=repr(fault))

    async def _deliver(self, delivery: Delivery) -> None:
        counters = self._around.counters
        failed = 0
        while not (outcome := await self._attempt(delivery, failed)).delivered:
            failed += 1
            counters.attempts_failed += 1
            if self._left(outcome, failed) == 0:
                await self._give_up(delivery, outcome)
                return
            longest = self._around.settings.max_pause_seconds
            await self._around.sleep(pause(failed, outcome.retry_after, longest, self._around.random()))
        counters.delivered += 1
        self._failures = 0

    async def _attempt(self, delivery: Delivery, failed: int) -> Outcome:
        hook = self.hook
        outcome = await self._around.sender.send(hook, delivery)
        self._around.log.add(hook, delivery, outcome, self._left(outcome, failed + 1), self._around.now())
        return outcome

    def _left(self, outcome: Outcome, tried: int) -> int:
        """How often a delivery is tried again; at the end of the server there is no time for that."""
        if outcome.final or self.waiting.finishing:
            return 0
        return max(0, self.hook.attempts - tried)

    async def _give_up(self, delivery: Delivery, outcome: Outcome) -> None:
        self._around.counters.given_up += 1
        self.waiting.lose(delivery.lost + 1)
        self._failures += 1
        if self._failures >= self._around.settings.disable_after and not self.waiting.finishing:
            await self._around.disable(self.hook, f"{self._failures} events in a row failed: {outcome.reason}")
