"""Work that several ask for at the same time is done once, and no more pieces of it than allowed are under way."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Generic, TypeVar

Result = TypeVar("Result")


class TooMuchWork(Exception):
    """As many pieces of work as allowed are under way, and the one asked for is none of them."""


class Shares:
    """How many pieces of work each account has under way, so that none takes up all there may be."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, account_id: str) -> Iterator[None]:
        """One piece of work of an account. Raises `TooMuchWork`."""
        if self._taken[account_id] >= self._most:
            raise TooMuchWork
        self._taken[account_id] += 1
        try:
            yield
        finally:
            self._taken[account_id] -= 1
            if not self._taken[account_id]:
                del self._taken[account_id]


class Turns:
    """At most `at_a_time` pieces of work of each account run; up to `most` wait or run, so that all are done soon."""

    def __init__(self, at_a_time: int, most: int) -> None:
        self._at_a_time = at_a_time
        self._shares = Shares(most)
        self._gates: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def one(self, account_id: str) -> AsyncIterator[None]:
        """One piece of work, once its turn has come. Raises `TooMuchWork` at once when too many wait."""
        with self._shares.one(account_id), self._gate(account_id) as gate:
            async with gate:
                yield

    @contextmanager
    def _gate(self, account_id: str) -> Iterator[asyncio.Semaphore]:
        gate, users = self._gates.get(account_id, (asyncio.Semaphore(self._at_a_time), 0))
        self._gates[account_id] = gate, users + 1
        try:
            yield gate
        finally:
            _, users = self._gates.pop(account_id)
            if users > 1:
                self._gates[account_id] = gate, users - 1


class SharedWork(Generic[Result]):
    """Pieces of work by key. One who stops waiting does not take the result from others who wait for it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way: dict[str, asyncio.Task[Result]] = {}

    async def result(self, key: str, start: Callable[[], Awaitable[Result]]) -> Result:
        """What `start` gives, or gave to somebody who asked before. Raises what it raises, and `TooMuchWork`."""
        task = self._under_way.get(key)
        if task is None:
            if len(self._under_way) >= self._most:
                raise TooMuchWork
            task = asyncio.create_task(self._work(key, start))
            task.add_done_callback(_seen)
            self._under_way[key] = task
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Give everything up that is under way; those who wait get `CancelledError`."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, key: str, start: Callable[[], Awaitable[Result]]) -> Result:
        try:
            return await start()
        finally:
            del self._under_way[key]


def _seen(task: "asyncio.Task[Result]") -> None:
    """Take the error out of a task whose every waiter hung up meanwhile; those who wait get it themselves."""
    if not task.cancelled():
        task.exception()
