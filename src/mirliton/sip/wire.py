"""What every part of an agent stands on: the clock and its alarm, sockets, transactions, tasks and counters."""

import asyncio
import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Protocol

from sipmessage import Request, Response

from mirliton.settings import SipSettings, split_address
from mirliton.sip.addresses import OurAddresses
from mirliton.sip.alarm import Alarm
from mirliton.sip.deadlines import Deadlines
from mirliton.sip.message import branch, prepend_via
from mirliton.sip.peer import Peer
from mirliton.sip.session import Policy
from mirliton.sip.session_timer import TimerPolicy
from mirliton.sip.transaction import Timing
from mirliton.sip.transactions import OnFailure, OnResponse, Transactions
from mirliton.sip.transport import Transports

_STOP_SECONDS = 2.5


class Owner(Protocol):
    """The agent, as its wire knows it."""

    def received(self, data: bytes, source: Peer) -> None:
        """A message came."""

    def woken(self) -> None:
        """The earliest deadline has come."""

    def disconnected(self, peer: Peer) -> None:
        """A TCP connection was closed, by whomever."""

    @property
    def idle(self) -> bool:
        """Whether no call is left."""


class Wire:
    """Sockets, transactions and time of one agent. `clock` is in seconds; the event loop's unless given."""

    def __init__(
        self, settings: SipSettings, owner: Owner, *, clock: Callable[[], float] | None, timing: Timing | None
    ) -> None:
        self.settings = settings
        self.count: Counter[str] = Counter()
        self.deadlines = Deadlines()
        self.policy = Policy(
            timing=timing or Timing(),
            timer=TimerPolicy(settings.session_expires_seconds, settings.min_session_expires_seconds),
        )
        self.transports = Transports(
            owner.received,
            self._unreachable,
            self.count,
            max_connections=settings.max_connections,
            max_message_bytes=settings.max_message_bytes,
            closed=owner.disconnected,
        )
        self.transactions = Transactions(
            self.policy.timing, settings.max_transactions, self.transports.send, self.deadlines, self.count
        )
        self.addresses = OurAddresses(self.transports, settings.public_address)
        self.stopping = False
        self._owner = owner
        self._clock = clock
        self._alarm = Alarm(self.now, owner.woken)
        self._tag_secret = secrets.token_bytes(16)
        self._tasks: set[asyncio.Task[None]] = set()
        self._quiet = asyncio.Event()

    def now(self) -> float:
        """Seconds of the agent's clock."""
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()

    async def start(self) -> None:
        """Open the sockets. Raises `OSError` or `ValueError` (settings)."""
        await self.transports.start(*split_address(self.settings.listen))

    async def stop(self) -> None:
        """Wait a moment for the last answers, then close; takes less than 3 s. The owner has ended its calls."""
        self.arm()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await self._quiet.wait()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=0.4)
        self._alarm.stop()
        await self.transports.stop()

    def arm(self) -> None:
        """To be called after anything that may have changed a deadline."""
        if self.stopping and self._owner.idle and not self.transactions.waiting:
            self._quiet.set()
        self._alarm.set(self.deadlines.next)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside; `stop` ends it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def reply(self, request: Request, response: Response) -> None:
        """Answer a request through its transaction."""
        self.transactions.respond(request, response, self.now())
        self.arm()

    def refuse(self, request: Request, response: Response) -> None:
        """Answer, and count it as a refusal."""
        self.count[f"rejected: {response.code}"] += 1
        self.reply(request, response)

    def ask(self, request: Request, peer: Peer, on_response: OnResponse, on_failure: OnFailure) -> None:
        """Send a request of ours with a new Via; a CANCEL has that of its INVITE."""
        if request.method != "CANCEL":
            prepend_via(request, self.addresses.via(peer))
        self.transactions.ask(request, peer, on_response, on_failure, self.now())

    def stateless_tag(self, request: Request) -> str:
        """A To tag that the same request gets again, without our remembering it (RFC 3261 section 8.2.7)."""
        return hmac.new(self._tag_secret, branch(request).encode(), hashlib.sha256).hexdigest()[:16]

    @property
    def retry_after(self) -> dict[str, str]:
        """The header of a refusal that is over soon."""
        return {"Retry-After": str(self.settings.retry_after_seconds)}

    def _unreachable(self, peer: Peer) -> None:
        self.transactions.unreachable(peer)
        self.arm()
