"""What the layers above see of SIP: sessions (INVITE dialogs) in both directions, and who may call.

The agent (`sip.agent.SipAgent`) owns sockets, transactions and dialogs. It calls a `SessionHandler` for each new
INVITE and hands out `Session` objects. Nothing here knows about media beyond the text of an SDP body.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


class SessionEnded(Exception):
    """The session is over (BYE, CANCEL, failure): the operation can no longer happen. `reason` says how it ended."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Device:
    """An authenticated or registered device of an account, as the credential source knows it."""

    account_id: str
    device_id: str
    owner_id: str | None
    username: str


BRIDGE_HEADER = "X-Mirliton-Bridge"
"""An INVITE with this header comes from a bridge, which proves it by its password even from a trusted network."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """Another media server that joins one conference with its bridge credentials (semantics 2.3)."""

    account_id: str
    conference_id: str


@dataclass(frozen=True, slots=True)
class Credential:
    """What digest (RFC 8760) needs to check an answer: HA1 hex by algorithm name ("MD5", "SHA-256").

    `who` has this password. A bridge may call; it cannot register.
    """

    who: Device | Bridge
    ha1: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Link:
    """What an INVITE says that came by a public link (semantics 1.1, 2.3). Not checked: whoever uses it checks it.

    `token` as it came; `conference` from the user part `conference+<id>`, None for `conference` alone.
    """

    token: str
    conference: str | None


class CredentialSource(Protocol):
    """Where device credentials come from; implemented over the store."""

    async def realm_for(self, domain: str) -> str:
        """The digest realm for a Request-URI domain: an account's realm, else the default account's."""

    async def credential(self, realm: str, username: str) -> Credential | None:
        """The device or bridge with this SIP user name in the account with this realm."""


Admits = Callable[[Link], Awaitable[bool]]
"""Whether a stranger's call by this link needs no password."""


class Session(Protocol):
    """One INVITE dialog, early or confirmed, either direction. All callbacks run on the event loop."""

    call_id: str
    inbound: bool
    request_user: str  # user part of the Request-URI: the dialled number
    request_host: str
    from_number: str
    from_name: str
    to_number: str
    remote_address: tuple[str, int]  # source of the signalling
    device: Device | None  # set when a device's digest answer was accepted
    bridge: Bridge | None  # set when a bridge's digest answer was accepted
    link: Link | None  # what the INVITE says of a link, whoever sent it
    headers: Mapping[str, str]  # of the initial INVITE, names in lower case, first value
    offer: bytes | None  # SDP of the initial INVITE; None: we offer in the 200 and the ACK answers
    on_media_change: Callable[[bytes | None], bytes | None] | None
    """A re-INVITE or UPDATE came: given its SDP (None: make an offer), returns our SDP, or None for 488."""
    on_media_answer: Callable[[bytes], bool] | None
    """The remote's answer to an offer of ours arrived in an ACK (late offer). False ends the call with BYE."""
    on_digit: Callable[[str], None] | None  # SIP INFO application/dtmf-relay or application/dtmf
    on_ended: Callable[[str], None] | None  # exactly once, after which nothing more is called; the reason as text

    async def ring(self) -> None:
        """Send 180."""

    async def answer(self, sdp: bytes) -> None:
        """Send the 200 with our SDP, repeated until the ACK (or BYE after 64*T1). Returns when sent, not at the ACK.

        Raises `SessionEnded` when a CANCEL or failure came first.
        """

    def reject(self, code: int, reason: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        """Refuse an inbound INVITE that was not answered; harmless afterwards."""

    async def reinvite(self, sdp: bytes) -> bytes:
        """Offer new media; returns the answer. Raises `SessionEnded`, or `SessionRefused` (the old media go on)."""

    async def hang_up(self) -> None:
        """BYE, CANCEL or a final refusal, as the state demands. Never raises."""


class SessionRefused(Exception):
    """The other side answered a request of ours with a final error."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


SessionHandler = Callable[[Session], Awaitable[None]]
"""Called as its own task for each new inbound INVITE that passed authentication; must answer or reject it."""
