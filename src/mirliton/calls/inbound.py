"""Calls that come in: from an INVITE to an account, a callflow, and the end (design section 2)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from mirliton.calls.call import Call
from mirliton.calls.negotiation import Repertoire
from mirliton.calls.ports import CallData, Route, SoundLibrary
from mirliton.calls.sound_queue import SoundStatistics
from mirliton.conference.defaults import LANGUAGE
from mirliton.conference.ports import CallerInfo, HungUp
from mirliton.media.types import MediaEngine, MediaFull
from mirliton.sip.types import Session

_log = structlog.get_logger(__name__)

SWEEP_SECONDS = 5.0


FlowRunner = Callable[[Call, Route, str], Awaitable[None]]
"""Walks a route's callflow with a call, in the account's language, to the end. May raise `HungUp`."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where a call goes: in which account, and what sees it through to its end (may raise `HungUp`).

    `trunk`: another server is at the other end, and the codecs are those of trunks.
    """

    account_id: str
    run: Callable[[Call], Awaitable[None]]
    trunk: bool = False


Arrival = Callable[[Session], Awaitable[Way | None]]
"""The way of a kind of call (a trunk, a link); None for calls of other kinds."""


@dataclass(slots=True)
class CallStatistics:
    """Counters since the start, and `active` as of now."""

    received: int = 0
    active: int = 0
    unknown_number: int = 0
    media_full: int = 0
    not_acceptable: int = 0
    silent: int = 0
    failed: int = 0


class InboundCalls:
    """A `sip.types.SessionHandler`."""

    def __init__(
        self,
        engine: MediaEngine,
        sounds: SoundLibrary,
        data: CallData,
        run_flow: FlowRunner,
        *,
        media_address: str,
        rtp_timeout_seconds: float = 60,
        retry_after_seconds: int = 5,
        settle_seconds: float = 0.0,
        sound_statistics: SoundStatistics | None = None,
        arrivals: Sequence[Arrival] = (),
        repertoire: Repertoire | None = None,
        trunk_repertoire: Repertoire | None = None,
    ) -> None:
        """`media_address`: the IP address that callers shall send RTP to. `rtp_timeout_seconds` 0: never hang up.

        `settle_seconds`: see `Call`. `arrivals` are asked in turn before the number is looked up.
        `trunk_repertoire`: the codecs of trunks, as `repertoire` unless given.
        """
        self.statistics = CallStatistics()
        self._engine = engine
        self._sounds = sounds
        self._data = data
        self._run_flow = run_flow
        self._arrivals = (*arrivals, self._by_number)
        self._media_address = media_address
        self._rtp_timeout = rtp_timeout_seconds
        self._retry_after = retry_after_seconds
        self._settle_seconds = settle_seconds
        self._sound_statistics = sound_statistics or SoundStatistics()
        self._repertoire = repertoire or Repertoire()
        self._trunk_repertoire = trunk_repertoire or self._repertoire
        self._calls: dict[Call, float] = {}  # and until when none has been silent for too long
        self._sweeping: asyncio.TimerHandle | None = None
        self._endings: set[asyncio.Task[None]] = set()

    async def __call__(self, session: Session) -> None:
        """See one call through; returns when it is over and nothing of it is left."""
        self.statistics.received += 1
        try:
            way = await self._way(session)
        except Exception:
            self.statistics.failed += 1
            _log.exception("call cannot be routed", call_id=session.call_id)
            session.reject(500)
            return
        if way is None:
            self.statistics.unknown_number += 1
            session.reject(404)
            return
        try:
            leg = self._engine.open_leg(session.call_id)
        except MediaFull as error:
            self.statistics.media_full += 1
            _log.warning("call refused: media full", call_id=session.call_id, reason=str(error))
            session.reject(503, headers={"Retry-After": str(self._retry_after)})
            return
        call = Call(
            session,
            leg,
            _info(session, way.account_id),
            local_address=self._media_address,
            sounds=self._sounds,
            sound_statistics=self._sound_statistics,
            settle_seconds=self._settle_seconds,
            repertoire=self._trunk_repertoire if way.trunk else self._repertoire,
        )
        await self._see_through(call, way)

    async def close(self) -> None:
        """Hang every call up."""
        await asyncio.gather(*(call.hang_up() for call in list(self._calls)))

    async def _way(self, session: Session) -> Way | None:
        for arrival in self._arrivals:
            way = await arrival(session)
            if way is not None:
                return way
        return None

    async def _by_number(self, session: Session) -> Way | None:
        account = await self._data.account_for(session.request_host.lower())
        if account is None:
            return None
        route = await self._data.callflow_for(account.account_id, session.request_user)
        if route is None:
            return None
        return Way(account.account_id, lambda call: self._run_flow(call, route, account.language or LANGUAGE))

    async def _see_through(self, call: Call, way: Way) -> None:
        self._calls[call] = asyncio.get_running_loop().time() + self._rtp_timeout
        self.statistics.active += 1
        self._sweep_later()
        try:
            await way.run(call)
        except HungUp:
            pass  # the caller may leave at any moment: there is nobody left to tell
        except Exception:
            self.statistics.failed += 1
            _log.exception("call failed", call_id=call.info.call_id)
            call.refuse(500)
        finally:
            del self._calls[call]
            self.statistics.active -= 1
            self.statistics.not_acceptable += call.refused_with == 488
            await call.hang_up()

    def _sweep_later(self) -> None:
        if self._sweeping is None and self._calls and self._rtp_timeout > 0:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Hang up calls whose phone has gone: no packet for a long time, and not on hold.

        Silence grows no faster than time, so a call that was heard just now need not be looked at for a while.
        """
        self._sweeping = None
        now = asyncio.get_running_loop().time()
        for call in [call for call, look_at in self._calls.items() if look_at <= now]:
            silent = call.silent_seconds
            self._calls[call] = now + self._rtp_timeout - silent
            if silent > self._rtp_timeout:
                self._hang_up_silent(call)
        self._sweep_later()

    def _hang_up_silent(self, call: Call) -> None:
        self.statistics.silent += 1
        _log.info("call hung up: no sound arrives", call_id=call.info.call_id)
        ending = asyncio.get_running_loop().create_task(call.hang_up())
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)


def _info(session: Session, account_id: str) -> CallerInfo:
    device = session.device
    return CallerInfo(
        call_id=session.call_id,
        account_id=account_id,
        caller_id_name=session.from_name,
        caller_id_number=session.from_number,
        device_id=device.device_id if device else None,
        owner_id=device.owner_id if device else None,
        inbound=session.inbound,
    )
