"""What dialling needs of the rest of the house, as protocols."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mirliton.calls.call import AnsweredSession, Call
from mirliton.conference.entry import Admission, RunningRooms
from mirliton.conference.reading import Document
from mirliton.sip.peer import Peer, TransportName
from mirliton.sip.registrar import Binding


class Registrations(Protocol):
    """Where devices can be reached; `sip.registrar.Registrar` knows."""

    def lookup(self, account_id: str, device_id: str, now: float) -> Sequence[Binding]:
        """The valid bindings of a device, latest registration first."""


class SipCalls(Protocol):
    """Makes SIP calls; `sip.agent.SipAgent` is one."""

    @property
    def registrar(self) -> Registrations:
        """The registrations."""

    @property
    def listening(self) -> tuple[str, int]:
        """The address and port that it is called at."""

    def now(self) -> float:
        """Seconds of the clock that registrations are measured with."""

    async def invite(
        self,
        uri: str,
        sdp: bytes,
        *,
        from_uri: str | None = None,
        display: str = "",
        headers: Mapping[str, str] | None = None,
        credentials: tuple[str, str] | None = None,
        transport: TransportName = "udp",
        timeout: float = 60.0,  # noqa: ASYNC109 - ends the call by CANCEL, not only the waiting
        call_id: str | None = None,
        flow: Peer | None = None,
    ) -> AnsweredSession:
        """Call somebody; returns when they answered. Cancelling it cancels the call.

        Raises `sip.types.SessionRefused`, `sip.types.SessionEnded`, `ValueError`.
        """


@dataclass(frozen=True, slots=True)
class Stored:
    """A document of the account: its id, its type (`device`, `user`, …) and its body."""

    document_id: str
    kind: str
    body: Document


class Callees(Protocol):
    """Whom an account can call; implemented over the store. Nothing of another account is ever found."""

    async def realm(self, account_id: str) -> str | None:
        """The account's SIP domain."""

    async def document(self, account_id: str, document_id: str) -> Stored | None:
        """The document with this id, of whatever type."""

    async def owned_devices(self, account_id: str) -> Mapping[str, Sequence[Stored]]:
        """The devices of every user, by user id."""

    async def extension(self, account_id: str, number: str) -> str | None:
        """The id of the device or user that an internal number stands for."""


class Budgets(Protocol):
    """What accounts may spend on the trunk in 24 hours."""

    async def spend(self, account_id: str, *, calls: int = 0, minutes: int = 0) -> bool:
        """Take from the account's budget; False, and nothing is taken, when it is used up.

        A call also needs a minute that is left.
        """


class DialledRooms(RunningRooms, Protocol):
    """The rooms that answered calls join; `calls.rooms.Rooms` are some."""

    async def attend(self, call: Call, admission: Admission) -> str | None:
        """Be in the room until the call ends (None) or is let go to another number (that).

        Who cannot come in is told why and hung up.
        """
