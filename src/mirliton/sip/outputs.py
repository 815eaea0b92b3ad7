"""What a session wants done (messages) and has to tell (news): the outputs of `session`, carried out by `agent`."""

from dataclasses import dataclass

from sipmessage import Request, Response


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer `request` through its server transaction (again, when it is a repeated 2xx)."""

    request: Request
    response: Response


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a new request through a client transaction."""

    request: Request


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Send an ACK of a 2xx, past the transactions. The same object comes again for a repeated 2xx."""

    request: Request


@dataclass(frozen=True, slots=True)
class Cancel:
    """Send a CANCEL for this INVITE of ours."""

    invite: Request


@dataclass(frozen=True, slots=True)
class Connected:
    """The dialog exists from now on (calling side)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A provisional response (calling side)."""

    code: int


@dataclass(frozen=True, slots=True)
class Offered:
    """The other side wants new media (None: wants our offer); answer with `answer_offer`."""

    request: Request
    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to an offer of ours that nobody waits for: it came in an ACK, or to a refresh."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class Reinvited:
    """Our re-INVITE was accepted with this answer."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """Our (re-)INVITE was refused."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Registered:
    """Our REGISTER was accepted for so many seconds."""

    expires: int


@dataclass(frozen=True, slots=True)
class Digit:
    """A key press by INFO."""

    digit: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; comes once."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing can follow: forget the usage."""


Output = (
    Reply
    | Ask
    | Acknowledge
    | Cancel
    | Connected
    | Progress
    | Offered
    | Answered
    | Reinvited
    | Refused
    | Digit
    | Ended
    | Finished
)
