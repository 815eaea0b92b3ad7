"""Calls that come to the phone: they ring, at most so many at a time, until they are picked up, refused or given up."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from mirliton.phone.conversation import Conversation, Ear
from mirliton.phone.report import CallReport
from mirliton.phone.sdp import Agreed, AnswerUnusable, Offer, read_answer
from mirliton.sip.types import Session, SessionEnded


class PhoneClosed(Exception):
    """The phone was closed; no call will come."""


class WaitingCall:
    """One that rings. `gone` is set when the caller gives up."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.gone = asyncio.Event()
        self.since = asyncio.get_running_loop().time()

    @property
    def caller(self) -> str:
        """Who calls, for people: `Ann <100> at 192.0.2.1:5060`."""
        session = self.session
        name = f"{session.from_name} " if session.from_name else ""
        return f"{name}<{session.from_number or 'unknown'}> at {session.remote_address[0]}:{session.remote_address[1]}"

    def refuse(self, code: int) -> None:
        """Say no. Raises `ValueError` for a code that is no refusal."""
        self.session.on_ended = None
        self.session.reject(code)

    async def rings(self, seconds: float) -> bool:
        """Let it ring; False when the caller gave up before."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.gone.wait()
        return not self.gone.is_set()


class WaitingCalls:
    """At most `most` calls that nobody has picked up; more are busy, and so is a phone that takes no calls.

    `missed` callers gave up, `refused` were one too many.
    """

    def __init__(self, most: int) -> None:
        self.missed = 0
        self.refused = 0
        self._most = most
        self._calls: deque[WaitingCall] = deque()
        self._arrived = asyncio.Event()
        self._open = False
        self._closed = False

    def __len__(self) -> int:
        return len(self._calls)

    def open(self) -> None:
        """Take calls from now on. Raises `PhoneClosed` after `close`."""
        if self._closed:
            raise PhoneClosed("the phone is closed")
        self._open = True

    def close(self) -> None:
        """Take none any more; who waits for one gets `PhoneClosed`."""
        self._open, self._closed = False, True
        self._arrived.set()

    async def ring(self, session: Session) -> None:
        """A `sip.types.SessionHandler`: let it ring, or refuse it."""
        if not self._open or len(self._calls) >= self._most:
            self.refused += 1
            session.reject(486)
            return
        call = WaitingCall(session)
        self._calls.append(call)
        session.on_ended = lambda reason: self._given_up(call)
        await session.ring()
        self._arrived.set()

    def _given_up(self, call: WaitingCall) -> None:
        self.missed += 1
        call.gone.set()
        if call in self._calls:
            self._calls.remove(call)

    async def next(self) -> WaitingCall:
        """The call that waits longest. Raises `PhoneClosed`."""
        while not self._calls:
            if self._closed:
                raise PhoneClosed("the phone is closed")
            self._arrived.clear()
            await self._arrived.wait()
        return self._calls.popleft()


async def pick_up(
    waiting: WaitingCall,
    offer_at: Callable[[int], Offer],
    host: str,
    record_seconds: float,
    ring: float,
    tell: Callable[[str], None],
) -> Conversation | None:
    """Answer a call after `ring` seconds; None when it was given up, or when no codec fits (488).

    `offer_at`: what the phone can do, with its sound at this port of `host`.
    """
    session = waiting.session
    try:
        if not await waiting.rings(ring):
            tell("given up by the caller")
            return None
        transport, ear = await asyncio.get_running_loop().create_datagram_endpoint(Ear, local_addr=(host, 0))
    except BaseException:
        waiting.refuse(480)
        raise
    try:
        offer, agreed = await _answer(waiting, offer_at(int(transport.get_extra_info("sockname")[1])))
    except BaseException as failure:
        transport.close()
        await session.hang_up()
        if not isinstance(failure, AnswerUnusable | SessionEnded):
            raise
        tell(f"not answered: {failure}")
        return None
    report = CallReport(f"sip:{session.from_number}@{session.remote_address[0]}:{session.remote_address[1]}", 200)
    report.answered_after = asyncio.get_running_loop().time() - waiting.since
    call = Conversation(session, transport, ear, offer, agreed, report, record_seconds)
    tell(report.answer_line(agreed.host, agreed.port))
    return call


async def _answer(waiting: WaitingCall, able: Offer) -> tuple[Offer, Agreed]:
    """Send the 200; what both agreed on. Raises `AnswerUnusable` (a 488 was sent) or `SessionEnded`."""
    session = waiting.session
    if session.offer is None:
        return able, await _offer_in_answer(session, able)
    try:
        agreed = read_answer(session.offer, able)
    except AnswerUnusable:
        waiting.refuse(488)
        raise
    ours = able.narrowed(agreed)
    await session.answer(ours.text())
    return ours, agreed


async def _offer_in_answer(session: Session, offer: Offer) -> Agreed:
    """The caller left the offer to us: its answer comes with the ACK (RFC 3264 section 4, RFC 3261 section 13.2.1)."""
    agreed: asyncio.Future[Agreed] = asyncio.get_running_loop().create_future()

    def on_answer(sdp: bytes) -> bool:
        try:
            agreed.set_result(read_answer(sdp, offer))
        except AnswerUnusable:
            return False
        return True

    def on_ended(reason: str) -> None:
        if not agreed.done():
            agreed.set_exception(SessionEnded(reason))

    session.on_media_answer, session.on_ended = on_answer, on_ended
    await session.answer(offer.text())
    return await agreed
