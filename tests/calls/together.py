"""Scenarios that run at the same time in one event loop, and are reported as a test each.

Calls take real time; one after the other they would take minutes.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from .measuring import load_recordings
from .rest import Rest
from .serving import Server
from .switchboard import Switchboard

Scenario = Callable[[Switchboard], Awaitable[None]]
Test = Callable[[pytest.FixtureRequest], None]

SCENARIO_SECONDS = 60.0


class Together:
    """Makes tests of scenarios. All of one instance that were selected run when the first is asked for.

    `at_once` bounds how many run at a time; `server` names the fixture that they call.
    """

    def __init__(self, at_once: int = 8, server: str = "server") -> None:
        self._at_once = at_once
        self._server = server
        self._scenarios: dict[str, Scenario] = {}
        self._outcomes: dict[str, BaseException | None] | None = None

    def __call__(self, scenario: Scenario) -> Test:
        name = scenario.__name__
        self._scenarios[name] = scenario

        def test(request: pytest.FixtureRequest) -> None:
            if self._outcomes is None:
                selected = [item.name for item in request.session.items if item.name in self._scenarios]
                server: Server = request.getfixturevalue(self._server)
                self._outcomes = asyncio.run(self._run(server, selected))
            error = self._outcomes[name]
            if error is not None:
                raise error

        test.__name__, test.__doc__, test.__module__ = name, scenario.__doc__, scenario.__module__
        return pytest.mark.slow(test)

    async def _run(self, server: Server, names: list[str]) -> dict[str, BaseException | None]:
        accounts = (server.account, server.other_account)
        rests = {a.account_id: await asyncio.to_thread(Rest, server.http, a.account_id, a.api_key) for a in accounts}
        await asyncio.to_thread(load_recordings)  # not during calls: decoding takes its time
        turnstile = asyncio.Semaphore(self._at_once)
        watch = Punctuality()

        async def one(name: str) -> None:
            async with turnstile, asyncio.timeout(SCENARIO_SECONDS), Switchboard(server, rests) as board:
                try:
                    await self._scenarios[name](board)
                except AssertionError as failure:
                    failure.add_note(await board.look())
                    raise

        try:
            outcomes = await asyncio.gather(*(one(name) for name in names), return_exceptions=True)
        finally:
            watch.stop()
            for rest in rests.values():
                rest.close()
        for outcome in outcomes:
            if outcome is not None:
                outcome.add_note(f"the phones' own process was late by up to {watch.latest * 1000:.0f} ms")
        return dict(zip(names, outcomes, strict=True))


class Punctuality:
    """How late the loop of the phones runs: a phone that is held up sounds broken whatever the server does."""

    def __init__(self) -> None:
        self.latest = 0.0
        self._ticking = asyncio.create_task(self._tick())

    def stop(self) -> None:
        """No more of it."""
        self._ticking.cancel()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.02)
            self.latest = max(self.latest, loop.time() - before - 0.02)
