"""Calls that were answered: in the room until they end, and out of it when nobody is there or nobody pays."""

import asyncio

import structlog

from mirliton.calls.call import Call
from mirliton.calls.dialling.ports import Budgets, DialledRooms
from mirliton.calls.dialling.shares import Shares
from mirliton.calls.dialling.statistics import DialStatistics
from mirliton.calls.linked import GoOn
from mirliton.conference.entry import Admission
from mirliton.conference.ports import HungUp

_log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
MINUTE = 60.0


class AnsweredCalls:
    """Each call has a task of its own, from the answer to the end."""

    def __init__(
        self,
        rooms: DialledRooms,
        budgets: Budgets,
        shares: Shares,
        statistics: DialStatistics,
        *,
        rtp_timeout_seconds: float,
        settle_seconds: float,
        go_on: GoOn | None = None,
    ) -> None:
        """`rtp_timeout_seconds` 0: never hang up. `settle_seconds`: between the answer and the room.

        `go_on`: takes a call that is transferred to its number; without it such calls are hung up.
        """
        self._go_on = go_on
        self._rooms, self._budgets, self._shares, self._statistics = rooms, budgets, shares, statistics
        self._rtp_timeout = rtp_timeout_seconds
        self._settle_seconds = settle_seconds
        self._calls: dict[Call, asyncio.Task[None]] = {}

    def start(self, call: Call, admission: Admission, *, pays: str | None) -> None:
        """Put the call into the room. `pays`: the account whose minutes it uses up."""
        self._calls[call] = asyncio.get_running_loop().create_task(self._see_through(call, admission, pays))

    async def close(self) -> None:
        """Hang every call up; returns when nothing of them is left."""
        tasks = list(self._calls.values())
        await asyncio.gather(*(call.hang_up() for call in list(self._calls)))
        await asyncio.gather(*tasks)

    async def _see_through(self, call: Call, admission: Admission, pays: str | None) -> None:
        """From the answer to the end; nothing of the call is left then."""
        self._statistics.active += 1
        attending = asyncio.get_running_loop().create_task(self._attend(call, admission))
        try:
            await self._watch(call, attending, pays)
        except Exception:
            self._failed(call)
        finally:
            await call.hang_up()
            await asyncio.wait([attending])
            del self._calls[call]
            self._shares.give_back(admission.room.account_id)
            self._statistics.active -= 1

    async def _attend(self, call: Call, admission: Admission) -> None:
        try:
            if self._settle_seconds:
                await call.pause(self._settle_seconds)
            onward = await self._rooms.attend(call, admission)
            if onward is not None and self._go_on is not None:
                await self._go_on(call, onward)
        except HungUp:
            pass  # whoever was called may leave at any moment: there is nobody left to tell
        except Exception:
            self._failed(call)

    async def _watch(self, call: Call, attending: asyncio.Task[None], pays: str | None) -> None:
        """Hang up a call whose phone is gone, and one on the trunk whose account cannot pay the next minute."""
        loop = asyncio.get_running_loop()
        paid_until = loop.time()
        while not (attending.done() or call.ended):
            if pays is not None and loop.time() >= paid_until:
                paid_until += MINUTE
                if not await self._budgets.spend(pays, minutes=1):
                    self._statistics.over_budget += 1
                    _log.warning("call hung up: no minutes left", call_id=call.info.call_id, account_id=pays)
                    await call.hang_up()
            silent = call.silent_seconds
            if 0 < self._rtp_timeout < silent:
                self._statistics.silent += 1
                _log.info("call hung up: no sound arrives", call_id=call.info.call_id)
                await call.hang_up()
            due = paid_until - loop.time() if pays is not None else MINUTE
            await asyncio.wait([attending], timeout=max(LOOK_SECONDS, min(due, self._unheard_for(silent))))

    def _unheard_for(self, silent: float) -> float:
        """How long it takes at least until a call that has been silent for so long is so for too long; in seconds."""
        return self._rtp_timeout - silent if self._rtp_timeout > 0 else MINUTE

    def _failed(self, call: Call) -> None:
        """Only where an exception is at hand."""
        self._statistics.failed += 1
        _log.exception("dialled call failed", call_id=call.info.call_id)
