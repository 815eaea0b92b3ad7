"""A store with one account, a feed of events, and webhooks between the two whose pauses take no time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from mirliton.calls.events import EventFeed
from mirliton.schemas import validate
from mirliton.settings import WebhookSettings
from mirliton.store import Document, Store, bootstrap
from mirliton.webhooks import Webhooks

from .receiver import PATIENCE

HERE = [IPv4Network("127.0.0.1/32")]
SECRET = "a secret of thirty-two characters"


@dataclass
class Time:
    """UNIX seconds; a pause moves them on at once."""

    now: float = 1_700_000_000.0
    pauses: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Note the pause."""
        self.pauses.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@dataclass
class House:
    """What a test needs. Make documents with `hook`, then `serving` serves them."""

    store: Store
    account_id: str
    feed: EventFeed = field(default_factory=EventFeed)
    time: Time = field(default_factory=Time)

    async def hook(self, uri: str, **more: Any) -> Document:
        """A stored webhook."""
        body = validate("webhooks", {"name": "test", "uri": uri, "hook": "conference", **more})
        return await self.store.documents.create(self.account_id, "webhook", body, {"secret": SECRET})

    @asynccontextmanager
    async def serving(self, jitter: Callable[[], float] = lambda: 1.0, **settings: Any) -> AsyncIterator[Webhooks]:
        """Started webhooks; the network of this machine is allowed unless `networks` says otherwise."""
        webhooks = Webhooks(
            self.store,
            self.feed,
            WebhookSettings(**{"networks": HERE, **settings}),
            now=self.time,
            sleep=self.time.sleep,
            jitter=jitter,
        )
        await webhooks.start()
        try:
            yield webhooks
        finally:
            await webhooks.close()

    def tell(self, *names: str, **more: Any) -> None:
        """Raise events of the account; `number` counts them."""
        for number, name in enumerate(names):
            event = {"event": name, "number": number, "account_id": self.account_id, "conference_id": "room"}
            self.feed.publish(event | more)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An account without webhooks."""
    store = Store(None, tmp_path)
    await store.open()
    account = await bootstrap(store, tmp_path)
    yield House(store, account.id)
    await store.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what follows from the work of others."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - conditions of others set no event
            await asyncio.sleep(0.001)
