"""All webhooks of this node: reads them from the store, hands them the events, and keeps one worker for each."""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mirliton.calls.events import EventFeed, Subscription
from mirliton.outbound_http import client
from mirliton.settings import WebhookSettings
from mirliton.store import Document, NotFound, StaleRevision, Store
from mirliton.webhooks.attempts import AttemptLog
from mirliton.webhooks.hook import KIND, Hook, hook_of
from mirliton.webhooks.sending import Sender
from mirliton.webhooks.stored import stored_webhooks
from mirliton.webhooks.worker import Surroundings, Worker

DRAIN_SECONDS = 1.0
"""At the end: for the events that still wait, such as those of the rooms that just ended."""
_CLOSE_SECONDS = 0.5
_MAX_GONE = 1000

_log = structlog.get_logger(__name__)


class Webhooks:
    """`start` it before requests come and `close` it after the rooms. Needs a running event loop.

    `now` (UNIX s), `sleep` and `jitter` (0 to 1) are for tests.
    """

    def __init__(
        self,
        store: Store,
        feed: EventFeed,
        settings: WebhookSettings,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._feed = feed
        self._settings = settings
        self._http = client(settings.networks, timeout=settings.timeout_seconds, max_connections=settings.max_active)
        self._around = Surroundings(
            settings,
            Sender(self._http, settings.timeout_seconds, now),
            AttemptLog(settings.max_active, settings.kept_attempts),
            self._disable,
            now,
            sleep,
            jitter,
        )
        self._workers: dict[str, dict[str, Worker]] = {}
        self._tasks: dict[Worker, asyncio.Task[None]] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._subscription: Subscription | None = None
        self._handing_out: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve every enabled webhook in the store."""
        self._subscription = self._feed.subscribe(self._settings.backlog)
        async for document in stored_webhooks(self._store):
            self._serve(document)
        self._handing_out = asyncio.create_task(self._hand_out(self._subscription), name="webhooks")

    def changed(self, event: str, document: Document) -> None:
        """For `api.call.OnDocumentChange`: follow the document. Other kinds are ignored."""
        if document.type != KIND:
            return
        if event == "deleted":
            self._stop(document.account_id, document.id)
            self._around.log.forget(document.account_id, document.id)
            self._remember_gone(document.id)
        else:
            self._serve(document)

    def attempts(self, account_id: str, hook_id: str | None = None) -> list[dict[str, Any]]:
        """The last attempts of one webhook, or of all of the account, newest first: `webhooks.attempts.Attempt`."""
        return self._around.log.of(account_id, hook_id)

    def statistics(self) -> dict[str, int]:
        """Counters of `webhooks.worker.Counters`; how many webhooks are served, and how many events wait for them."""
        waiting = sum(len(worker.waiting) for worker in self._tasks)
        return asdict(self._around.counters) | {"active": len(self._tasks), "waiting": waiting}

    async def close(self) -> None:
        """Deliver what waits if that works at once, then end. Takes less than two seconds, whatever servers do."""
        if self._handing_out is not None and self._subscription is not None:
            await asyncio.sleep(0)  # events that were raised just now are handed out
            self._subscription.close()
            await _ended([self._handing_out])
        tasks = list(self._tasks.values())
        for worker in self._tasks:
            worker.waiting.finish()
        if tasks:
            await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
        await _ended(tasks)
        self._tasks.clear()
        self._workers.clear()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._http.aclose()
        except TimeoutError:
            _log.warning("connections of webhooks did not close in time")

    async def _hand_out(self, subscription: Subscription) -> None:
        known_lost = 0
        while True:
            event = await subscription.get()
            if subscription.lost != known_lost:  # nobody knows whose events these were
                for worker in self._tasks:
                    worker.waiting.lose(subscription.lost - known_lost)
                self._around.counters.lost += subscription.lost - known_lost
                known_lost = subscription.lost
            for worker in self._workers.get(event.get("account_id", ""), {}).values():
                if worker.hook.wants(event):
                    worker.put(event)

    def _serve(self, document: Document) -> None:
        """Follow a document, unless a newer state of it is known."""
        account_id, hook_id = document.account_id, document.id
        worker = self._workers.get(account_id, {}).get(hook_id)
        if hook_id in self._gone or (worker is not None and _count(worker.hook.revision) > _count(document.revision)):
            return
        if not document.body["enabled"]:
            self._stop(account_id, hook_id)
            return
        hook = hook_of(document, self._settings.attempts)
        if worker is not None:
            worker.change(hook)
        elif self._has_room(hook):
            self._begin(hook)

    def _has_room(self, hook: Hook) -> bool:
        mine = len(self._workers.get(hook.account_id, {}))
        if mine < self._settings.max_per_account and len(self._tasks) < self._settings.max_active:
            return True
        self._around.counters.not_served += 1
        _log.error(
            "a webhook is not served: raise webhooks.max_per_account or webhooks.max_active",
            account_id=hook.account_id,
            webhook_id=hook.id,
        )
        return False

    def _begin(self, hook: Hook) -> None:
        worker = Worker(hook, self._around)
        self._workers.setdefault(hook.account_id, {})[hook.id] = worker
        self._tasks[worker] = asyncio.create_task(worker.run(), name=f"webhook {hook.id}")

    def _stop(self, account_id: str, hook_id: str) -> None:
        """Send nothing more; what waits is dropped."""
        mine = self._workers.get(account_id, {})
        worker = mine.pop(hook_id, None)
        if worker is None:
            return
        if not mine:
            del self._workers[account_id]
        worker.waiting.drop()
        self._tasks.pop(worker).cancel()

    def _remember_gone(self, hook_id: str) -> None:
        """A change that was stored before the deletion may be told of after it."""
        self._gone[hook_id] = None
        if len(self._gone) > _MAX_GONE:
            self._gone.popitem(last=False)

    async def _disable(self, hook: Hook, why: str) -> None:
        """Write into the document that the webhook is disabled, and why, unless somebody just changed it."""
        try:
            document = await self._store.documents.update(
                hook.account_id,
                hook.id,
                lambda old: (old.body | {"enabled": False, "disable_message": why}, old.private),
                kind=KIND,
                expected=hook.revision,
            )
        except (StaleRevision, NotFound):
            return
        except SQLAlchemyError as error:  # the next delivery that fails tries again
            _log.error("a failing webhook could not be disabled", webhook_id=hook.id, reason=type(error).__name__)
            return
        self._around.counters.disabled += 1
        _log.warning("webhook disabled", account_id=hook.account_id, webhook_id=hook.id, reason=why)
        self._serve(document)  # cancels the worker that called


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            _log.error("a task of webhooks had ended with a fault", fault=repr(result))


def _count(revision: str) -> int:
    return int(revision.partition("-")[0])
