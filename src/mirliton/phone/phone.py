"""`Phone`: a SIP phone as an asynchronous object, for tests, the demo and the command line.

async with Phone() as phone:
    call = await phone.call("sip:3000@127.0.0.1:5060")
    call.press("2468#", at=1.0)
    call.say("tone:440")
    await asyncio.sleep(5)
    await call.hang_up()
    print(find_tones(call.report.heard, call.rate))

async with Phone() as phone:
    await phone.register("sip:127.0.0.1:5060", "mirliton.local", "desk", "secret")  # or: await phone.listen()
    call = await phone.next_call(ring=1.0)
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network
from types import TracebackType
from typing import Self
from urllib.parse import quote

from mirliton.phone.answering import WaitingCalls, pick_up
from mirliton.phone.conversation import Conversation, Ear
from mirliton.phone.encryption import new_keys
from mirliton.phone.report import CallReport
from mirliton.phone.sdp import Agreed, AnswerUnusable, Offer, read_answer
from mirliton.settings import SipSettings
from mirliton.sip.agent import SipAgent
from mirliton.sip.call import SipSession
from mirliton.sip.outgoing import callable_uri
from mirliton.sip.registrations import Registration
from mirliton.sip.types import Credential, Session, SessionEnded, SessionRefused

Tell = Callable[[str], None]

PATIENCE = 3.0  # s without any reply before the user is told; SIP itself goes on for half a minute


class CallFailed(Exception):
    """The call was refused, or nobody answered. `report` has the SIP code and the reason."""

    def __init__(self, report: CallReport) -> None:
        super().__init__(f"{report.code} {report.reason}")
        self.report = report


@dataclass(frozen=True, slots=True)
class PhoneSettings:
    """How the phone speaks. `bind` "HOST:PORT" of SIP; port 0 takes any free one, and RTP always does.

    `bind` None: the address that leads to whom is called. `events` False: digits as sound. `most_waiting`: calls that
    ring at a time; more get 486. `srtp`: sound is encrypted, or there is no call.
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
    most_waiting: int = 8
    srtp: bool = False


class _NoAccounts:
    """The phone lets nobody register at it."""

    async def realm_for(self, domain: str) -> str:
        return "phone"

    async def credential(self, realm: str, username: str) -> Credential | None:
        return None


class Phone:
    """Makes calls, and takes them once it listens or is registered; several at once if wanted.

    Use it as an asynchronous context.
    """

    def __init__(self, settings: PhoneSettings | None = None) -> None:
        self.settings = settings or PhoneSettings()
        self._agent: SipAgent | None = None
        self._opening = asyncio.Lock()
        self._host = ""
        self._calls: list[Conversation] = []
        self.waiting = WaitingCalls(self.settings.most_waiting)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up all calls and close the phone; harmless when repeated."""
        self.waiting.close()
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
        offer = self._offer(port)
        report = CallReport(uri)
        try:
            tell(f"calling {uri}")
            session = await self._invite(agent, uri, offer, report, tell, answer_within)
            agreed = await self._agree(session, session.answer_sdp or b"", offer, report)
        except BaseException:
            transport.close()
            raise
        call = Conversation(session, transport, ear, offer, agreed, report, self.settings.record_seconds)
        tell(report.answer_line(agreed.host, agreed.port))
        self._keep(call)
        return call

    def _keep(self, call: Conversation) -> None:
        self._calls = [other for other in self._calls if not other.ended.is_set()] + [call]

    # -- being called --------------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """HOST:PORT at which a phone that is open can be called. Raises `RuntimeError` for one that is not."""
        if self._agent is None:
            raise RuntimeError("the phone is not open: listen, register or call first")
        return "{}:{}".format(*self._agent.listening)

    async def listen(self) -> str:
        """Take calls at our own address, which comes back as `address`; loopback without `bind`.

        Raises `OSError`, or `PhoneClosed` after `close`.
        """
        self.waiting.open()
        await self._started("sip:127.0.0.1")
        return self.address

    async def register(
        self, server: str, domain: str, user: str, password: str, *, expires: int = 3600
    ) -> Registration:
        """Take calls for a device: `server` is the registrar's SIP URI, `domain` the account's realm or any other.

        It stays registered until the phone is closed. Raises `SessionRefused`, `ValueError`, `OSError` or
        `PhoneClosed`.
        """
        self.waiting.open()
        agent = await self._started(server)
        return await agent.register(
            f"sip:{quote(user, safe='')}@{domain}",
            registrar=server,
            credentials=(user, password),
            expires=expires,
            transport="tcp" if self.settings.transport == "tcp" else "udp",
        )

    async def next_call(self, *, ring: float = 0.0, tell: Tell | None = None) -> Conversation:
        """Wait for the next call and answer it after so many seconds of ringing.

        Callers that give up before, or have no codec of ours (488), are passed over. Raises `PhoneClosed`.
        """
        tell = tell or (lambda line: None)
        await self.listen()
        while True:
            waiting = await self.waiting.next()
            tell(f"ringing: {waiting.caller}")
            call = await pick_up(waiting, self._offer, self._host, self.settings.record_seconds, ring, tell)
            if call is not None:
                self._keep(call)
                return call

    async def refuse_call(self, code: int = 486) -> str:
        """Wait for the next call and refuse it with a code from 400 to 699; who it was. Raises `PhoneClosed`."""
        await self.listen()
        waiting = await self.waiting.next()
        waiting.refuse(code)
        return waiting.caller

    # -- inside --------------------------------------------------------------------------------------------------------

    def _offer(self, port: int) -> Offer:
        settings = self.settings
        keys = new_keys() if settings.srtp else ()
        return Offer(self._host, port, settings.codecs, settings.ptime, settings.events, keys=keys)

    async def _started(self, uri: str) -> SipAgent:
        """The SIP agent, opened at the first call because only then it is known which way calls go."""
        async with self._opening:
            if self._agent is not None:
                return self._agent
            host, _, port = (self.settings.bind or f"{local_address_towards(uri)}:0").rpartition(":")
            self._host = host or "127.0.0.1"
            sip = SipSettings(listen=f"{self._host}:{port}", trusted=[IPv4Network("0.0.0.0/0")])
            agent = SipAgent(sip, self.waiting.ring, _NoAccounts())
            try:
                await agent.start()
            except OSError as problem:
                text = f"SIP on {self._host}:{port}: {problem.strerror or problem}; choose another --bind"
                raise OSError(text) from problem
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


def local_address_towards(uri: str) -> str:
    """The address of this machine from which packets to a SIP URI's host leave. Raises `ValueError`."""
    target = callable_uri(uri)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target.host, target.port or 5060))  # sends nothing: it only asks the routing table
        except OSError as error:
            raise ValueError(f"{uri!r}: there is no way to {target.host}: {error}") from error
        return str(probe.getsockname()[0])
