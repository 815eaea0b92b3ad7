"""One answered call of the phone: the RTP socket, the tick that sends, and the ends."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mirliton.phone.codecs import open_codec
from mirliton.phone.encryption import Cipher
from mirliton.phone.hearing import Hearer
from mirliton.phone.playing import load
from mirliton.phone.report import CallReport
from mirliton.phone.sdp import Agreed, AnswerUnusable, Offer, read_answer
from mirliton.phone.talking import Talker
from mirliton.sip.types import Session

Samples = npt.NDArray[np.int16]

MOST_LATE = 0.5  # s; a sender held up for longer leaves a gap instead of sending all at once


class Ear(asyncio.DatagramProtocol):
    """The RTP socket; `on_packet` is set once the call is answered, what comes before has no time to lie at."""

    def __init__(self) -> None:
        self.on_packet: Callable[[bytes], None] | None = None
        self.errors = 0

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        """A datagram from anybody: the phone is a test tool and shows what comes."""
        if self.on_packet is not None:
            self.on_packet(data)

    def error_received(self, exc: Exception) -> None:
        """The other side's port is closed, for example after its BYE."""
        self.errors += 1


class Conversation:
    """Talk, press, listen, hang up. `report` is complete once `ended` is set. Times are seconds since the answer."""

    def __init__(
        self,
        session: Session,
        transport: asyncio.DatagramTransport,
        ear: Ear,
        offer: Offer,
        agreed: Agreed,
        report: CallReport,
        record_seconds: float,
    ) -> None:
        self.report = report
        self.ended = asyncio.Event()
        self._session = session
        self._transport = transport
        self._offer = offer
        self._agreed = agreed
        codec = open_codec(agreed.codec, agreed.payload_type)
        event_type = agreed.event_type if offer.events else None
        self._talker = Talker(codec, agreed.ptime, event_type, agreed.event_clock)
        self._hearer = Hearer(open_codec(agreed.codec, agreed.payload_type), agreed.event_type, record_seconds)
        report.codec, report.rate, report.ptime = codec.name, codec.rate, agreed.ptime
        report.digits_as_events = offer.events and agreed.event_type is not None
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._said = asyncio.Event()
        self._cipher = Cipher(*agreed.keys) if agreed.keys else None
        report.encryption = agreed.keys[0].suite if agreed.keys else ""
        ear.on_packet = self._receive
        session.on_media_change = self._media_changed
        session.on_ended = self._ended
        self._ticking = asyncio.create_task(self._tick())

    @property
    def rate(self) -> int:
        """Hz of the samples of `say` and `heard`."""
        return self.report.rate

    @property
    def seconds(self) -> float:
        """Time since the answer; stands still after the end."""
        return self.report.seconds if self.ended.is_set() else self._loop.time() - self._start

    @property
    def session(self) -> Session:
        """The SIP side: who called (`from_number`, `from_name`), its `headers` and `call_id`."""
        return self._session

    def say(self, what: str | Path | Samples, *, forever: bool | None = None) -> None:
        """Queue a file, `tone:440`, or mono samples at `rate`. Raises `CannotPlay` or `SoundNotFound`."""
        if isinstance(what, np.ndarray):
            self._talker.say(what, forever=bool(forever))
        else:
            played = load(what, self.rate)
            self._talker.say(played.samples, forever=played.forever if forever is None else forever)
        self._said.clear()

    def press(self, digits: str, at: float = 0.0) -> None:
        """Queue keys, not before `at`. Raises `ValueError` for what is no key."""
        self._talker.press(digits, at)
        self._said.clear()

    @property
    def digits_heard(self) -> str:
        """The keys that the other side has sent so far (RFC 4733)."""
        return self._hearer.digits

    async def said(self) -> None:
        """Wait until all that was queued is sent (or the call is over); what never ends does not count."""
        await self._said.wait()

    def heard(self, start: float = 0.0, end: float | None = None) -> Samples:
        """The sound heard between two times."""
        end = self.seconds if end is None else end
        return self._hearer.recording(end)[round(start * self.rate) : round(end * self.rate)]

    async def hang_up(self) -> None:
        """End the call from our side; harmless after the end."""
        if not self.ended.is_set():
            self._finish(by_us=True, reason="hung up")
            await self._session.hang_up()
        await asyncio.gather(self._ticking, return_exceptions=True)

    async def _tick(self) -> None:
        """Send on time; a late tick does not move the next."""
        interval, count = self._agreed.ptime / 1000, 0
        while True:
            late = self._loop.time() - self._start - count * interval
            if late > MOST_LATE:
                missed = int(late / interval)
                self._talker.skip(missed)
                count += missed
            await asyncio.sleep(max(0.0, -late))
            for data in self._talker.next():
                sealed = self._cipher.seal(data) if self._cipher else data
                self._transport.sendto(sealed, (self._agreed.host, self._agreed.port))
            count += 1
            if self._talker.silent:
                self._said.set()

    def _receive(self, data: bytes) -> None:
        packet = self._cipher.open(data) if self._cipher else data
        if packet is None:
            self.report.packets_refused += 1
        else:
            self._hearer.receive(packet, self.seconds)

    def _media_changed(self, sdp: bytes | None) -> bytes | None:
        """A re-INVITE: send where it says, as long as it is the codec that we speak."""
        if sdp is not None:
            try:
                agreed = read_answer(sdp, self._offer)
            except AnswerUnusable:
                return None
            if (agreed.codec, agreed.payload_type) != (self._agreed.codec, self._agreed.payload_type):
                return None
            if agreed.keys != self._agreed.keys:
                self._cipher = Cipher(*agreed.keys) if agreed.keys else None
            self._agreed = agreed
            return self._offer.narrowed(agreed).text()
        return self._offer.text()

    def _ended(self, reason: str) -> None:
        self._finish(by_us=False, reason=reason)

    def _finish(self, *, by_us: bool, reason: str) -> None:
        if self.ended.is_set():
            return
        report, seconds = self.report, self.seconds
        report.seconds, report.ended_by_us, report.reason = seconds, by_us, reason
        report.packets_sent, report.digits_sent = self._talker.packets_sent, self._talker.digits_sent
        report.received, report.digits_heard = self._hearer.statistics, self._hearer.digits
        report.heard = self._hearer.recording(seconds)
        self.ended.set()
        self._said.set()
        self._ticking.cancel()
        self._transport.close()
