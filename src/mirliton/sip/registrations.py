"""The registrations of an agent at other registrars: `Registering` with a socket, a password and a clock."""

import asyncio
from collections.abc import Callable

import structlog
from sipmessage import Request, Response

from mirliton.sip.addresses import resolve, transport_of
from mirliton.sip.deadlines import Timed
from mirliton.sip.digest import put_answer
from mirliton.sip.grammar import WireURI, parse_uri
from mirliton.sip.outgoing import callable_uri
from mirliton.sip.outputs import Ask, Refused, Registered
from mirliton.sip.peer import Peer, TransportName
from mirliton.sip.registering import Output, Phase, Registering
from mirliton.sip.types import SessionRefused
from mirliton.sip.wire import Wire

log = structlog.get_logger(__name__)


class Registration:
    """One contact of ours at a registrar, refreshed until `close`.

    `on_change` is called with None when it was refreshed, and with the reason when that failed; after a reason with
    `ended` true nothing more comes.
    """

    def __init__(self, owner: "Registrations", machine: Registering, peer: Peer) -> None:
        self.machine = machine
        self.peer = peer
        self.on_change: Callable[[SessionRefused | None], None] | None = None
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.finished = asyncio.Event()
        self._owner = owner

    @property
    def expires(self) -> int:
        """Seconds that the registrar granted."""
        return self.machine.expires

    @property
    def ended(self) -> bool:
        """Refused for good, or taken back."""
        return self.machine.phase is Phase.ENDED

    async def close(self) -> None:
        """Take the contact back and wait until the registrar knows; harmless when repeated. Never raises."""
        self._owner.drive(self, self.machine.leave())
        await self.finished.wait()

    def tell(self, refusal: SessionRefused | None) -> None:
        """News. A callback that raises is our own bug: logged, and the registration goes on."""
        if not self.first.done():
            if refusal is None:
                self.first.set_result(None)
            else:
                self.first.set_exception(refusal)
        elif self.on_change is not None:
            try:
                self.on_change(refusal)
            except Exception:
                log.exception("registration callback failed")


class Registrations:
    """All of them, at most `limit`."""

    def __init__(self, wire: Wire, limit: int) -> None:
        self._wire = wire
        self._limit = limit
        self._registrations: dict[Registering, Registration] = {}

    def __len__(self) -> int:
        return len(self._registrations)

    async def register(
        self,
        aor: str,
        registrar: str | None,
        credentials: tuple[str, str] | None,
        expires: int,
        transport: TransportName,
    ) -> Registration:
        """See `SipAgent.register`."""
        name = callable_uri(aor)
        if not name.user:
            raise ValueError(f"{aor!r}: a registration needs a user name")
        if not 0 < expires < 2**31:
            raise ValueError(f"{expires}: not a number of seconds to register for")
        target = callable_uri(registrar) if registrar is not None else name
        peer = await resolve(transport_of(target, transport), target)
        if peer is None:
            raise SessionRefused(503, f"{target.host}: no such host")
        if len(self) >= self._limit or self._wire.transactions.full() or self._wire.stopping:
            raise SessionRefused(503, "too many registrations")

        def authorize(request: Request, response: Response) -> bool:
            return credentials is not None and put_answer(request, response, credentials)

        contact = self._wire.addresses.contact(peer, name.user)
        machine = Registering(_domain(name), f"sip:{_bare(name)}", contact, expires, authorize)
        registration = self._registrations[machine] = Registration(self, machine, peer)
        self.drive(registration, machine.start())
        try:
            await registration.first
        except asyncio.CancelledError:
            self.drive(registration, machine.leave())
            raise
        return registration

    def leave_all(self) -> None:
        """Take every contact back."""
        for registration in list(self._registrations.values()):
            self.drive(registration, registration.machine.leave())

    def timer(self, machine: Timed, now: float) -> None:
        """A machine came due."""
        registration = self._registrations.get(machine) if isinstance(machine, Registering) else None
        if registration is not None:
            self.drive(registration, registration.machine.timer(now))

    def disconnected(self, peer: Peer) -> None:
        """Calls came by this connection: new ones need a new one."""
        for registration in [found for found in self._registrations.values() if found.peer == peer]:
            self.drive(registration, registration.machine.flow_lost(self._wire.now()))

    def drive(self, registration: Registration, outputs: list[Output]) -> None:
        """Carry out what a machine wants, in order."""
        for output in outputs:
            match output:
                case Ask(request):
                    self._ask(registration, request)
                case Registered():
                    registration.tell(None)
                case Refused(code, reason):
                    registration.tell(SessionRefused(code, reason))
                case _:
                    self._forget(registration)
        self._wire.deadlines.watch(registration.machine)
        self._wire.arm()

    def forget_all(self) -> None:
        """Nothing more can be sent or received."""
        for registration in list(self._registrations.values()):
            self._forget(registration)

    def _forget(self, registration: Registration) -> None:
        self._registrations.pop(registration.machine, None)
        if not registration.first.done():
            registration.first.set_exception(SessionRefused(487, "given up"))
        registration.finished.set()

    def _ask(self, registration: Registration, request: Request) -> None:
        machine = registration.machine

        def on_response(response: Response) -> None:
            self.drive(registration, machine.receive_response(request, response, self._wire.now()))

        def on_failure() -> None:
            self.drive(registration, machine.request_failed(request, self._wire.now()))

        self._wire.ask(request, registration.peer, on_response, on_failure)


def _bare(name: WireURI) -> str:
    """User and host as they were written, without port and parameters (RFC 3261 section 10.2: the To of a REGISTER)."""
    user = str(name).partition(":")[2].rpartition("@")[0].partition(":")[0]
    return f"{user}@{name.host}"


def _domain(name: WireURI) -> WireURI:
    return parse_uri(f"sip:{name.host}")
