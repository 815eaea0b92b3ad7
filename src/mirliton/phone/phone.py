"""`Phone`: a SIP phone as an asynchronous object, for tests, the demo and the command line.

async with Phone() as phone:
    call = await phone.call("sip:3000@127.0.0.1:5060")
    call.press("2468#", at=1.0)
    call.say("tone:440")
    await asyncio.sleep(5)
    await call.hang_up()
    print(find_tones(call.report.heard, call.rate))
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from mirliton.phone.codecs import open_codec
from mirliton.phone.conversation import Conversation, Ear
from mirliton.phone.report import CallReport
from mirliton.phone.sdp import Agreed, AnswerUnusable, Offer, read_answer
from mirliton.settings import SipSettings
from mirliton.sip.agent import SipAgent
from mirliton.sip.call import SipSession
from mirliton.sip.grammar import Malformed, parse_uri
from mirliton.sip.types import Credential, Session, SessionEnded, SessionRefused

Tell = Callable[[str], None]
Result = TypeVar("Result")

PATIENCE = 3.0  # s without any reply before the user is told; SIP itself goes on for half a minute
LAST_WORDS = 1.0  # s that a call goes on after the last thing said, so that an answer to it can be heard


class CallFailed(Exception):
    """The call was refused, or nobody answered. `report` has the SIP code and the reason."""

    def __init__(self, report: CallReport) -> None:
        super().__init__(f"{report.code} {report.reason}")
        self.report = report


@dataclass(frozen=True, slots=True)
class PhoneSettings:
    """How the phone speaks. `bind` "HOST:PORT" of SIP; port 0 takes any free one, and RTP always does.

    `bind` None: the address that leads to whom is called. `events` False: digits as sound.
    """

    bind: str | None = None
    user: str | None = None
    password: str | None = None
    display: str = ""
    transport: str = "udp"
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    ptime: int = 20
    events: bool = True
    record_seconds: float = 3600.0


class _NobodyCalls:
    """The phone has no accounts: it calls, and refuses to be called."""

    async def realm_for(self, domain: str) -> str:
        return "phone"

    async def credential(self, realm: str, username: str) -> Credential | None:
        return None


class Phone:
    """Makes calls, several at once if wanted. Use it as an asynchronous context."""

    def __init__(self, settings: PhoneSettings | None = None) -> None:
        self.settings = settings or PhoneSettings()
        self._agent: SipAgent | None = None
        self._opening = asyncio.Lock()
        self._host = ""
        self._calls: list[Conversation] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up all calls and close the phone; harmless when repeated."""
        await asyncio.gather(*(call.hang_up() for call in self._calls))
        agent, self._agent = self._agent, None
        if agent is not None:
            await agent.stop()

    async def call(self, uri: str, *, tell: Tell | None = None, answer_within: float = 60.0) -> Conversation:
        """Call and wait for the answer. Raises `CallFailed`, `ValueError` (unusable URI), `OSError` (cannot bind).

        `tell` gets a line of text for each thing that happens.
        """
        tell = tell or (lambda line: None)
        agent = await self._started(uri)
        transport, ear = await asyncio.get_running_loop().create_datagram_endpoint(Ear, local_addr=(self._host, 0))
        port = int(transport.get_extra_info("sockname")[1])
        offer = Offer(self._host, port, self.settings.codecs, self.settings.ptime, self.settings.events)
        report = CallReport(uri)
        try:
            tell(f"calling {uri}")
            session = await self._invite(agent, uri, offer, report, tell, answer_within)
            agreed = await self._agree(session, session.answer_sdp or b"", offer, report)
        except BaseException:
            transport.close()
            raise
        call = Conversation(session, transport, ear, offer, agreed, report, self.settings.record_seconds)
        tell(f"answered: {report.codec}, {report.ptime} ms, sound to {agreed.host}:{agreed.port}")
        self._calls = [other for other in self._calls if not other.ended.is_set()] + [call]
        return call

    async def _started(self, uri: str) -> SipAgent:
        """The SIP agent, opened at the first call because only then it is known which way calls go."""
        async with self._opening:
            if self._agent is not None:
                return self._agent
            host, _, port = (self.settings.bind or f"{local_address_towards(uri)}:0").rpartition(":")
            self._host = host or "127.0.0.1"
            sip = SipSettings(listen=f"{self._host}:{port}", trusted=[])
            agent = SipAgent(sip, _refuse, _NobodyCalls())
            await agent.start()
            self._agent = agent
            return agent

    async def _invite(
        self, agent: SipAgent, uri: str, offer: Offer, report: CallReport, tell: Tell, answer_within: float
    ) -> SipSession:
        start = asyncio.get_running_loop().time()
        patience = asyncio.get_running_loop().call_later(
            PATIENCE, tell, "no reply so far: is the server running, and is this its SIP address?"
        )

        def progress(code: int) -> None:
            patience.cancel()
            if code == 180 and report.ringing_after is None:
                report.ringing_after = asyncio.get_running_loop().time() - start
                tell("ringing")

        settings = self.settings
        try:
            session = await agent.invite(
                uri,
                offer.text(),
                from_uri=f"sip:{settings.user}@{self._host}" if settings.user else None,
                display=settings.display,
                credentials=(settings.user, settings.password or "") if settings.user else None,
                transport="tcp" if settings.transport == "tcp" else "udp",
                timeout=answer_within,
                on_progress=progress,
            )
        except SessionRefused as refusal:
            report.code, report.reason = refusal.code, refusal.reason
            raise CallFailed(report) from refusal
        except SessionEnded as end:
            report.code, report.reason = 487, end.reason
            raise CallFailed(report) from end
        finally:
            patience.cancel()
        report.answered_after = asyncio.get_running_loop().time() - start
        report.code = 200
        return session

    async def _agree(self, session: Session, answer: bytes, offer: Offer, report: CallReport) -> Agreed:
        try:
            return read_answer(answer, offer)
        except AnswerUnusable as error:
            await session.hang_up()
            report.code, report.reason = 488, str(error)
            raise CallFailed(report) from error


async def _refuse(session: Session) -> None:
    session.reject(486)


def local_address_towards(uri: str) -> str:
    """The address of this machine from which packets to a SIP URI's host leave. Raises `ValueError`."""
    try:
        target = parse_uri(uri)
    except Malformed as malformed:
        raise ValueError(f"{uri!r}: {malformed.reason}") from malformed
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target.host, target.port or 5060))  # sends nothing: it only asks the routing table
        except OSError as error:
            raise ValueError(f"{uri!r}: there is no way to {target.host}: {error}") from error
        return str(probe.getsockname()[0])


async def place_call(
    uri: str,
    *,
    settings: PhoneSettings | None = None,
    play: str | Path = "silence",
    digits: Sequence[tuple[str, float]] = (),
    seconds: float | None = None,
    hang_up_after_digits: bool = False,
    tell: Tell | None = None,
    stop: asyncio.Event | None = None,
) -> CallReport:
    """One whole call: talk and press, then hang up after `seconds`, or when all was said, or when the others do.

    Setting `stop` gives up calling, or hangs up.

    `digits`: pairs of keys and the time of the first in seconds. Without `seconds`, a call that plays a file ends a
    second after it, any other call when the other side ends it. Never raises for a refused call: see the report.
    """
    for codec in (settings or PhoneSettings()).codecs:
        open_codec(codec)  # a missing package is said before anybody's phone rings
    stop = stop or asyncio.Event()
    async with Phone(settings) as phone:
        try:
            call = await _unless(stop, phone.call(uri, tell=tell))
        except CallFailed as failure:
            return failure.report
        if call is None:
            return CallReport(uri, 487, "given up before anybody answered")
        call.say(play)
        for keys, at in digits:
            call.press(keys, at)
        await _unless(stop, _until_over(call, seconds, hang_up_after_digits, finite=_ends(play)))
        await call.hang_up()
        return call.report


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """The result of `work`, or None when `stop` is set first and the work is given up."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.wait({working, stopping})


async def _until_over(call: Conversation, seconds: float | None, after_digits: bool, *, finite: bool) -> None:
    """Wait for the first reason to hang up."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            if after_digits or (seconds is None and finite):
                await call.said()
                await asyncio.wait_for(call.ended.wait(), LAST_WORDS)
            await call.ended.wait()


def _ends(play: str | Path) -> bool:
    return isinstance(play, Path) or not (play == "silence" or play.startswith("tone:"))
