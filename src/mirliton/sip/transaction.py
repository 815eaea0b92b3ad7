"""The four transaction machines of RFC 3261 section 17, with the Accepted states of RFC 6026.

Pure: the time is given, and every call returns what shall happen. A machine is `finished` when its owner may forget
it; `next_deadline` says when `timer` wants to be called.
"""

from dataclasses import dataclass
from enum import Enum, auto

from sipmessage import Headers, Request, Response

from mirliton.sip.deadlines import Timers
from mirliton.sip.message import Message, branch, call_id, cseq, from_tag, respond, to_wire, top_via

MAGIC_COOKIE = "z9hG4bK"


@dataclass(frozen=True, slots=True)
class Timing:
    """The base timers of RFC 3261 section 17.1.1.1, in seconds."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    ringing: float = 300.0  # how long an INVITE of ours may stay provisional (the like of timer C)
    trying_after: float = 0.2  # section 17.2.1: a 100 is due when nothing else was said by then

    @property
    def give_up(self) -> float:
        """64*T1: timers B, F, H, J, L and M."""
        return 64 * self.t1


@dataclass(frozen=True, slots=True)
class Transmit:
    """Put these bytes on the wire; `repeat` marks a retransmission."""

    data: bytes
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class Deliver:
    """Give this message to the transaction user."""

    message: Message


@dataclass(frozen=True, slots=True)
class TimedOut:
    """Nobody answered (client: no final response; INVITE server: no ACK for a refusal)."""


Output = Transmit | Deliver | TimedOut


class State(Enum):
    """States of RFC 3261 figures 5 to 8 and RFC 6026."""

    TRYING = auto()  # "Calling" for an INVITE client
    PROCEEDING = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()


def server_key(request: Request) -> tuple[str, ...]:
    """What a request shares with its retransmissions and the ACK of its refusal (RFC 3261 section 17.2.3)."""
    return _key(request, "INVITE" if request.method == "ACK" else request.method)


def cancelled_key(cancel: Request) -> tuple[str, ...]:
    """The key of the INVITE that a CANCEL means (section 9.2)."""
    return _key(cancel, "INVITE")


def _key(request: Request, method: str) -> tuple[str, ...]:
    via = top_via(request)
    sent_by = f"{via.host.lower()}:{via.port or 5060}"
    name = branch(request)
    if name.startswith(MAGIC_COOKIE):
        return name, sent_by, method
    return "", sent_by, method, name, call_id(request), from_tag(request), str(cseq(request)[0])


def client_key(message: Message) -> tuple[str, str]:
    """What a response shares with its request (RFC 3261 section 17.1.3)."""
    return branch(message), cseq(message)[1]


class _Machine:
    def __init__(self, request: Request, reliable: bool, timing: Timing, state: State) -> None:
        self.request = request
        self.state = state
        self._reliable = reliable
        self._timing = timing
        self._timers = Timers()

    @property
    def finished(self) -> bool:
        return self.state is State.TERMINATED

    @property
    def next_deadline(self) -> float | None:
        return self._timers.next_deadline

    def timer(self, now: float) -> list[Output]:
        """Call at or after `next_deadline`."""
        outputs: list[Output] = []
        for name in self._timers.due(now):
            outputs += self._fired(name, now)
        return outputs

    def _fired(self, name: str, now: float) -> list[Output]:
        raise NotImplementedError

    def _terminate(self) -> None:
        self.state = State.TERMINATED
        self._timers.stop_all()

    def _linger(self, name: str, seconds: float, now: float) -> None:
        # Over reliable transports nothing can come again, so timers D, I, J and K are zero.
        if self._reliable:
            self._terminate()
        else:
            self._timers.start(name, now + seconds)


class InviteServer(_Machine):
    """Server transaction of an INVITE (section 17.2.1, RFC 6026 section 7.1). The ACK of a refusal ends here."""

    def __init__(self, request: Request, reliable: bool, now: float, timing: Timing) -> None:
        super().__init__(request, reliable, timing, State.PROCEEDING)
        self._last: bytes | None = None
        self._interval = timing.t1
        self._timers.start("trying", now + timing.trying_after)

    def receive(self, request: Request, now: float) -> list[Output]:
        """A retransmitted INVITE or an ACK."""
        if request.method == "ACK":
            return self._acknowledged(request, now)
        if self.state in (State.PROCEEDING, State.COMPLETED) and self._last is not None:
            return [Transmit(self._last, repeat=True)]
        return []

    def _acknowledged(self, request: Request, now: float) -> list[Output]:
        if self.state is State.ACCEPTED:
            return [Deliver(request)]
        if self.state is State.COMPLETED:
            self.state = State.CONFIRMED
            self._timers.stop_all()
            self._linger("I", self._timing.t4, now)
        return []

    def send(self, response: Response, now: float) -> list[Output]:
        """A response of the transaction user; what no longer fits the state is dropped."""
        if self.state is State.ACCEPTED and 200 <= response.code < 300:
            return [Transmit(to_wire(response), repeat=True)]
        if self.state is not State.PROCEEDING:
            return []
        data = to_wire(response)
        self._timers.stop("trying")
        accepted = 200 <= response.code < 300
        self._last = None if accepted else data  # a 2xx is the session's to repeat
        if accepted:
            self.state = State.ACCEPTED
            self._timers.start("L", now + self._timing.give_up)
        elif response.code >= 300:
            self.state = State.COMPLETED
            self._timers.start("H", now + self._timing.give_up)
            if not self._reliable:
                self._timers.start("G", now + self._interval)
        return [Transmit(data)]

    def _fired(self, name: str, now: float) -> list[Output]:
        if name == "trying":
            return self.send(respond(self.request, 100), now)
        if name == "G" and self._last is not None:
            self._interval = min(2 * self._interval, self._timing.t2)
            self._timers.start("G", now + self._interval)
            return [Transmit(self._last, repeat=True)]
        self._terminate()
        return [TimedOut()] if name == "H" else []


class PlainServer(_Machine):
    """Server transaction of any other request (section 17.2.2)."""

    def __init__(self, request: Request, reliable: bool, now: float, timing: Timing) -> None:
        super().__init__(request, reliable, timing, State.TRYING)
        self._last: bytes | None = None
        self._timers.start("abandoned", now + 2 * timing.give_up)

    def receive(self, request: Request, now: float) -> list[Output]:
        """A retransmission."""
        return [Transmit(self._last, repeat=True)] if self._last is not None else []

    def send(self, response: Response, now: float) -> list[Output]:
        """A response of the transaction user; nothing can follow a final one."""
        if self.state not in (State.TRYING, State.PROCEEDING):
            return []
        self._last = to_wire(response)
        self.state = State.PROCEEDING
        if response.code >= 200:
            self.state = State.COMPLETED
            self._timers.stop_all()
            self._linger("J", self._timing.give_up, now)
        return [Transmit(self._last)]

    def _fired(self, name: str, now: float) -> list[Output]:
        self._terminate()
        return []


class _Client(_Machine):
    def __init__(self, request: Request, reliable: bool, timing: Timing) -> None:
        super().__init__(request, reliable, timing, State.TRYING)
        self._data = to_wire(request)
        self._interval = timing.t1

    def start(self, now: float) -> list[Output]:
        """Send the request the first time."""
        self._timers.start("give up", now + self._timing.give_up)
        if not self._reliable:
            self._timers.start("repeat", now + self._interval)
        return [Transmit(self._data)]

    @property
    def answered(self) -> bool:
        """Whether a final response came (or nobody waits for one any more)."""
        return self.state not in (State.TRYING, State.PROCEEDING)

    def _give_up(self) -> list[Output]:
        self._terminate()
        return [TimedOut()]


class InviteClient(_Client):
    """Client transaction of an INVITE (section 17.1.1, RFC 6026 section 7.2). It acknowledges refusals itself."""

    def __init__(self, request: Request, reliable: bool, timing: Timing) -> None:
        super().__init__(request, reliable, timing)
        self._ack = b""

    def receive(self, response: Response, now: float) -> list[Output]:
        """A response whose branch is ours."""
        if self.state in (State.TRYING, State.PROCEEDING):
            return self._first(response, now)
        if self.state is State.ACCEPTED and 200 <= response.code < 300:
            return [Deliver(response)]
        if self.state is State.COMPLETED and response.code >= 300:
            return [Transmit(self._ack, repeat=True)]
        return []

    def _first(self, response: Response, now: float) -> list[Output]:
        self._timers.stop_all()
        if response.code < 200:
            self.state = State.PROCEEDING
            self._timers.start("give up", now + self._timing.ringing)
            return [Deliver(response)]
        if response.code < 300:
            self.state = State.ACCEPTED
            self._timers.start("M", now + self._timing.give_up)
            return [Deliver(response)]
        self._ack = to_wire(acknowledge_refusal(self.request, response))
        self.state = State.COMPLETED
        self._linger("D", self._timing.give_up, now)
        return [Transmit(self._ack), Deliver(response)]

    def _fired(self, name: str, now: float) -> list[Output]:
        if name == "repeat":
            self._interval *= 2
            self._timers.start("repeat", now + self._interval)
            return [Transmit(self._data, repeat=True)]
        if name == "give up":
            return self._give_up()
        self._terminate()
        return []


class PlainClient(_Client):
    """Client transaction of any other request (section 17.1.2)."""

    def receive(self, response: Response, now: float) -> list[Output]:
        """A response whose branch is ours."""
        if self.state not in (State.TRYING, State.PROCEEDING):
            return []
        if response.code < 200:
            self.state = State.PROCEEDING
            return [Deliver(response)]
        self.state = State.COMPLETED
        self._timers.stop_all()
        self._linger("K", self._timing.t4, now)
        return [Deliver(response)]

    def _fired(self, name: str, now: float) -> list[Output]:
        if name == "repeat":
            doubled = min(2 * self._interval, self._timing.t2)
            self._interval = self._timing.t2 if self.state is State.PROCEEDING else doubled
            self._timers.start("repeat", now + self._interval)
            return [Transmit(self._data, repeat=True)]
        if name == "give up":
            return self._give_up()
        self._terminate()
        return []


ServerTransaction = InviteServer | PlainServer
ClientTransaction = InviteClient | PlainClient
Transaction = ServerTransaction | ClientTransaction


def _sibling(invite: Request, method: str) -> Request:
    request = Request(method, invite.uri)
    request.headers = Headers()
    request.headers.add("Via", invite.headers["Via"])
    for route in invite.headers.getlist("Route"):
        request.headers.add("Route", route)
    request.headers.add("Max-Forwards", "70")
    for name in ("From", "To", "Call-ID"):
        request.headers.add(name, invite.headers[name])
    request.headers.add("CSeq", f"{cseq(invite)[0]} {method}")
    return request


def acknowledge_refusal(invite: Request, response: Response) -> Request:
    """The ACK of a final response of 300 or more (section 17.1.1.3)."""
    request = _sibling(invite, "ACK")
    request.headers.set("To", response.headers["To"])
    return request


def cancel_of(invite: Request) -> Request:
    """The CANCEL of an INVITE of ours (section 9.1)."""
    return _sibling(invite, "CANCEL")
