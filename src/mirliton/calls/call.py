"""One call: its SIP session and its media leg, as the dialogue's `Caller` (conference.ports)."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from mirliton.calls.digits import DigitEntry, DigitSources
from mirliton.calls.leg_sounds import LegSounds
from mirliton.calls.negotiation import Negotiation, NotAcceptable, Repertoire
from mirliton.calls.ports import SoundLibrary
from mirliton.calls.quality import quality
from mirliton.calls.sound_queue import SoundStatistics
from mirliton.conference.ports import CallerInfo, HungUp, Recorded, Sound
from mirliton.media.types import Leg, MediaAgreement, MediaFull
from mirliton.recording.listening import Listener
from mirliton.sip.types import Session, SessionEnded

_log = structlog.get_logger(__name__)

MAX_TYPED = 64
LISTENING_SECONDS = 0.1
TOLD_LATE = 0.05  # s; how much later than it is heard we learn of the end of a sound


class AnsweredSession(Session, Protocol):
    """A session that we began and the other side answered."""

    @property
    def answer_sdp(self) -> bytes | None:
        """Their SDP."""


class Call:
    """A call from its first ring to its end; after the end it holds no leg, task, timer or callback."""

    def __init__(
        self,
        session: Session,
        leg: Leg,
        info: CallerInfo,
        *,
        local_address: str,
        sounds: SoundLibrary,
        sound_statistics: SoundStatistics,
        settle_seconds: float = 0.0,
        repertoire: Repertoire | None = None,
        negotiation: Negotiation | None = None,
    ) -> None:
        """`local_address`: where the other side shall send its RTP to. Needs a running event loop.

        `repertoire`: the codecs of a call that came to us. `negotiation`: what was said so far, for a call that we
        made; see `answered`.

        `settle_seconds`: between the answer and the first sound, because phones open their ears a little after the 200;
        and after a sound that is to be heard to its end, because its last packets still lie in their jitter buffers.
        """
        self.leg = leg
        self.on_digit: Callable[[str], None] | None = None  # set while in a room; else digits are kept for entries
        self._on_gone: Callable[[], None] | None = None
        self.on_hold: Callable[[bool], None] | None = None  # set while in a room
        self.held = False
        self._sound_expected_since: float | None = None
        self.refused_with: int | None = None
        self._info = info
        self._session = session
        self._negotiation = negotiation or Negotiation(
            local_address, leg.local_port, session.remote_address[0], repertoire
        )
        self._loop = asyncio.get_running_loop()
        self._settle_seconds = settle_seconds
        self._sounds = LegSounds(leg, sounds, info.account_id, sound_statistics, self._tell)
        self._digits = DigitSources()
        self._typed: list[str] = []
        self._barge_in = True
        self._answered = False
        self._connected = False
        self._ended: str | None = None
        self._onward: str | None = None
        self._waiting: list[asyncio.Future[None]] = []
        leg.on_digit = lambda digit: self._pressed("rtp", digit)
        session.on_digit = lambda digit: self._pressed("info", digit)
        session.on_media_change = self._media_changed
        session.on_media_answer = self._media_answered
        session.on_ended = self._end

    @classmethod
    def answered(
        cls,
        session: AnsweredSession,
        leg: Leg,
        info: CallerInfo,
        negotiation: Negotiation,
        *,
        local_address: str,
        sounds: SoundLibrary,
        sound_statistics: SoundStatistics,
        settle_seconds: float = 0.0,
    ) -> "Call":
        """A call that we made and the other side took; `negotiation` made the offer that `session` answers.

        Raises `NotAcceptable` when their answer cannot be used: session and leg are then left to whoever made them.
        """
        agreement = negotiation.accept(session.answer_sdp or b"")
        call = cls(
            session,
            leg,
            info,
            local_address=local_address,
            sounds=sounds,
            sound_statistics=sound_statistics,
            settle_seconds=settle_seconds,
            negotiation=negotiation,
        )
        call._answered = True
        call._connect(agreement)
        return call

    @property
    def info(self) -> CallerInfo:
        """Who calls, or who was called."""
        return self._info

    @property
    def on_gone(self) -> Callable[[], None] | None:
        """Called just before the leg is closed; set while, and only while, the call is in a room."""
        return self._on_gone

    @on_gone.setter
    def on_gone(self, callback: Callable[[], None] | None) -> None:
        self._on_gone = callback
        self._tell()

    @property
    def ended(self) -> bool:
        """Whether the call is over."""
        return self._ended is not None

    @property
    def silent_seconds(self) -> float:
        """How long no packet has come although the other side means to send; 0 on hold and before media flow."""
        since = self._sound_expected_since
        if since is None or self.ended:
            return 0.0
        return min(self._loop.time() - since, self.leg.statistics().silent_for_ms / 1000)

    # The caller's dialogue

    async def answer(self) -> None:
        """Answer with our media. Raises `HungUp`, also after refusing (488) media that we cannot speak."""
        self._check()
        if self._answered:
            return
        try:
            sdp = self._first_media()
        except NotAcceptable as refusal:
            _log.info("call refused: no media in common", call_id=self._info.call_id, reason=str(refusal))
            self.refuse(488, headers={"Warning": f'399 mirliton "{refusal.reason}"'})
            raise HungUp from refusal
        self._answered = True
        try:
            await self._session.answer(sdp)
        except SessionEnded as end:
            self._end(end.reason)
            raise HungUp from end
        self._check()
        if self._settle_seconds:
            await self.pause(self._settle_seconds)

    def refuse(self, code: int, reason: str | None = None, *, headers: Mapping[str, str] | None = None) -> None:
        """A final SIP answer to a call that was not answered."""
        if not self._answered and not self.ended:
            self.refused_with = code
            self._session.reject(code, reason, headers)
            self._end(f"refused with {code}")

    def play(self, sounds: Sequence[Sound], language: str, done: Callable[[], None] | None = None) -> None:
        """Queue sounds; they wait until media flow. `done` hears that the last one was played to its end."""
        self._sounds.play(sounds, language, done)

    async def play_to_end(self, sounds: Sequence[Sound], language: str) -> None:
        """Queue sounds and wait until media flow and all is silent; keys do not cut these short."""
        if await self._play_out(sounds, language) and self._settle_seconds:
            await self.pause(self._settle_seconds)

    async def _play_out(self, sounds: Sequence[Sound], language: str) -> bool:
        """Returns, when the last sound is out, whether there was any."""
        self._check()
        self._barge_in = False
        try:
            self.play(sounds, language)
            silent = self._sounds.quiet
            while not (self._sounds.quiet and self._connected):
                await self._next()
        finally:
            self._barge_in = True
        return not silent

    async def collect(
        self,
        sounds: Sequence[Sound],
        language: str,
        *,
        max_digits: int,
        terminator: str,
        first_digit_ms: int,
        interdigit_ms: int,
    ) -> str:
        """One entry. A prompt is left out when the caller has begun to type."""
        self._check()
        entry = DigitEntry(
            max_digits=max_digits, terminator=terminator, first_digit_ms=first_digit_ms, interdigit_ms=interdigit_ms
        )
        self._feed(entry)
        if not entry.started:
            self.play(sounds, language)
        while not entry.complete:
            if self._sounds.quiet:
                entry.prompt_finished(self._loop.time())
            await self._next(entry.deadline)
            self._feed(entry)
            entry.expire(self._loop.time())
        return entry.digits

    async def record(
        self, sounds: Sequence[Sound], language: str, *, max_seconds: float, silence_score: int, silence_seconds: float
    ) -> Recorded | None:
        """See `conference.ports.Caller`. Listens from the end of the last sound on, as people answer a beep at once.

        The tap is open before: opened then, it would miss the beginning.
        """
        self._check()
        try:
            tap = self.leg.tap()
        except MediaFull as full:
            _log.warning("caller cannot be recorded", call_id=self._info.call_id, reason=str(full))
            return None
        listener = Listener(max_seconds, silence_score, silence_seconds)
        try:
            await self._play_out(sounds, language)
            self.forget_typed()
            listener.hear((), time.monotonic_ns() - round(TOLD_LATE * 1e9))
            while not (listener.hear(tap.read(), time.monotonic_ns()) or self._typed):
                await self._next(self._loop.time() + LISTENING_SECONDS)
        finally:
            tap.close()
        self.forget_typed()
        return listener.recorded()

    async def pause(self, seconds: float) -> None:
        """Let time pass. Raises `HungUp`."""
        until = self._loop.time() + seconds
        self._check()
        while self._loop.time() < until:
            await self._next(until)

    async def until_in_room(self) -> bool:
        """Return when a room has the call (True), or when it is over without one (False)."""
        while self._on_gone is None and not self.ended:
            await self._wait(None)
        return not self.ended

    async def until_released(self) -> str | None:
        """Return when the call is over (None), or when the room lets it go on to a number (that)."""
        while not self.ended and self._onward is None:
            await self._wait(None)
        onward, self._onward = self._onward, None
        return None if self.ended else onward

    def release(self, number: str) -> None:
        """The room is done with the call, which goes on to a number."""
        self._onward = number
        self._tell()

    async def hang_up(self) -> None:
        """End the call; never raises. What is still playing stops."""
        self._end("hung up here")
        await self._session.hang_up()

    def forget_typed(self) -> None:
        """Digits typed so far are for nobody."""
        self._typed.clear()

    # Sounds

    async def sounds_found(self) -> None:
        """Return when every sound asked for is in the leg's queue."""
        await self._sounds.found()

    def stop_sounds(self) -> None:
        """Throw away what plays or waits on this leg."""
        self._sounds.stop()

    # Digits

    def _pressed(self, source: str, digit: str) -> None:
        if self.ended or not self._digits.is_new(source, digit, self._loop.time()):
            return
        if self.on_digit is not None:
            self.on_digit(digit)
            return
        self._typed = [*self._typed[1 - MAX_TYPED :], digit]
        if self._barge_in:
            self.stop_sounds()
        self._tell()

    def _feed(self, entry: DigitEntry) -> None:
        while self._typed and not entry.complete:
            entry.press(self._typed.pop(0), self._loop.time())

    # Media

    def _first_media(self) -> bytes:
        offer = self._session.offer
        if offer is None:
            return self._negotiation.offer()
        sdp, agreement = self._negotiation.answer(offer)
        self._connect(agreement)
        return sdp

    def _media_changed(self, offer: bytes | None) -> bytes | None:
        """A re-INVITE or UPDATE: hold, resume, another address or codec. None refuses it and changes nothing."""
        if self.ended:
            return None
        if offer is None:
            return self._negotiation.offer()
        try:
            sdp, agreement = self._negotiation.answer(offer)
        except NotAcceptable as refusal:
            _log.info("media change refused", call_id=self._info.call_id, reason=str(refusal))
            return None
        self._connect(agreement)
        return sdp

    def _media_answered(self, answer: bytes) -> bool:
        """The answer to an offer of ours."""
        if self.ended:
            return False
        try:
            self._connect(self._negotiation.accept(answer))
        except NotAcceptable as refusal:
            _log.info("media answer cannot be used", call_id=self._info.call_id, reason=str(refusal))
            return False
        return True

    def _connect(self, agreement: MediaAgreement) -> None:
        self.leg.connect(agreement)
        held = not agreement.send
        if held != self.held:
            self.held = held
            self.leg.set(held=held)
            if self.on_hold is not None:
                self.on_hold(held)
        expected = agreement.receive and not held
        if not expected:
            self._sound_expected_since = None
        elif self._sound_expected_since is None:
            self._sound_expected_since = self._loop.time()
        self._connected = True
        self._sounds.flow()
        self._tell()

    # The end, and waiting

    def _end(self, reason: str) -> None:
        if self.ended:
            return
        self._ended = reason
        self._sounds.close()
        gone, self.on_gone, self.on_digit, self.on_hold = self.on_gone, None, None, None
        try:
            if gone is not None:
                gone()
        finally:
            self.leg.on_digit = None
            self._log_quality(reason)
            self.leg.close()
            self.leg.on_talking = None
            self._tell()

    def _log_quality(self, reason: str) -> None:
        """One line a call for the operator: how it sounded, and how it ended."""
        seen = self.leg.statistics()
        _log.info("call ended", call_id=self._info.call_id, reason=reason, lost=seen.packets_lost, **quality(seen))

    def _check(self) -> None:
        if self._ended is not None:
            raise HungUp(self._ended)

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for news in waiting:
            _wake(news)

    async def _next(self, deadline: float | None = None) -> None:
        """Something may have changed, or the time is up. Raises `HungUp`."""
        await self._wait(deadline)
        self._check()

    async def _wait(self, deadline: float | None) -> None:
        """Every call waits here for most of its time: it takes no more than a future of its own."""
        news = self._loop.create_future()
        self._waiting.append(news)
        timer = None if deadline is None else self._loop.call_at(deadline, _wake, news)
        try:
            await news
        finally:
            if timer is not None:
                timer.cancel()
            if news in self._waiting:
                self._waiting.remove(news)


def _wake(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)
