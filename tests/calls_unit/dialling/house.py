"""A server without sockets that can call: phones by SIP address, documents and budgets in memory."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_address
from typing import Any

from mirliton.calls.dialling.dialler import Dialler
from mirliton.calls.dialling.ports import Stored
from mirliton.calls.negotiation import Repertoire
from mirliton.calls.rooms import Rooms
from mirliton.outbound_http.addresses import Address
from mirliton.settings import DialSettings
from mirliton.sip.peer import Peer, TransportName
from mirliton.sip.registrar import Binding
from mirliton.sip.sdp import answer_offer
from mirliton.sip.types import SessionRefused

from ..fakes import FakeData, FakeEngine, FakeSession, FakeSounds

ROOM = "c" * 32
ACCOUNT, OTHER_ACCOUNT = "acc", "other"
CONFERENCE: dict[str, Any] = {
    "id": ROOM,
    "name": "sales",
    "profile": {"enter-sound": "", "exit-sound": "", "alone-sound": "", "moh-sound": ""},
}


class AnsweredCall(FakeSession):
    """A phone that took our call."""

    inbound = False

    def __init__(self, call_id: str, sdp: bytes | None) -> None:
        super().__init__(call_id, sdp=None)
        self.answer_sdp = sdp


@dataclass
class Phone:
    """What happens when it is called: it answers after `seconds`, or refuses with `code`. `sdp`: its answer."""

    seconds: float = 1.0
    code: int | None = None
    sdp: bytes | None = None


@dataclass
class Invite:
    """One call that was made, and what became of it."""

    uri: str
    options: dict[str, Any]
    at: float
    cancelled: bool = False
    session: AnsweredCall | None = None


class FakeSip:
    """Makes calls to `phones`; addresses that are not there never answer."""

    def __init__(self) -> None:
        self.phones: dict[str, Phone] = {}
        self.invites: list[Invite] = []
        self.bindings: dict[tuple[str, str], list[Binding]] = {}
        self.registrar = self
        self.listening = ("0.0.0.0", 5099)

    def lookup(self, account_id: str, device_id: str, now: float) -> Sequence[Binding]:
        return self.bindings.get((account_id, device_id), [])

    def now(self) -> float:
        return 0.0

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
        timeout: float = 60.0,  # noqa: ASYNC109
        call_id: str | None = None,
        flow: Peer | None = None,
    ) -> AnsweredCall:
        assert call_id
        options = {
            "from_uri": from_uri, "display": display, "credentials": credentials, "call_id": call_id, "flow": flow,
            "timeout": timeout, "headers": dict(headers or {}), "sdp": sdp,
        }  # fmt: skip
        invite = Invite(uri, options, asyncio.get_running_loop().time())
        self.invites.append(invite)
        phone = self.phones.get(uri, Phone(seconds=1e6))
        try:
            async with asyncio.timeout(timeout):
                await asyncio.sleep(phone.seconds)
        except TimeoutError:
            raise SessionRefused(408, "nobody answered") from None
        except asyncio.CancelledError:
            invite.cancelled = True
            raise
        if phone.code is not None:
            raise SessionRefused(phone.code, "Whatever Phrase")
        answer = phone.sdp if phone.sdp is not None else answer_offer(sdp, "192.0.2.7", 40_000, 1, 1)[0]
        invite.session = AnsweredCall(call_id, answer)
        return invite.session

    @property
    def called(self) -> list[str]:
        """Every address that rang, in order."""
        return [invite.uri for invite in self.invites]


class FakeCallees:
    """Documents by account and id; the keys of `extensions` are account and number."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], Stored] = {}
        self.extensions: dict[tuple[str, str], str] = {}
        self.listings = 0

    def put(self, document_id: str, kind: str, account_id: str = ACCOUNT, **body: Any) -> str:
        self.documents[account_id, document_id] = Stored(document_id, kind, body)
        return document_id

    async def realm(self, account_id: str) -> str | None:
        return "acc.example.org" if account_id == ACCOUNT else None

    async def document(self, account_id: str, document_id: str) -> Stored | None:
        return self.documents.get((account_id, document_id))

    async def owned_devices(self, account_id: str) -> Mapping[str, Sequence[Stored]]:
        self.listings += 1
        found: dict[str, list[Stored]] = {}
        for (account, _), stored in self.documents.items():
            if account == account_id and stored.kind == "device" and "owner_id" in stored.body:
                found.setdefault(stored.body["owner_id"], []).append(stored)
        return found

    async def extension(self, account_id: str, number: str) -> str | None:
        return self.extensions.get((account_id, number))


@dataclass
class FakeBudgets:
    """Counts down."""

    calls: int = 10
    minutes: int = 10
    spent: list[tuple[str, int, int]] = field(default_factory=list)

    async def spend(self, account_id: str, *, calls: int = 0, minutes: int = 0) -> bool:
        if calls > self.calls or max(minutes, 1) > self.minutes:
            return False
        self.calls -= calls
        self.minutes -= minutes
        self.spent.append((account_id, calls, minutes))
        return True


class House:
    """`hosts`: what a name resolves to, answer by answer; several addresses with a blank between them."""

    def __init__(
        self,
        *,
        engine: FakeEngine | None = None,
        conference: dict[str, Any] | None = None,
        settle_seconds: float = 0.0,
        **dial: Any,
    ):
        self.sip, self.callees, self.budgets = FakeSip(), FakeCallees(), FakeBudgets()
        self.engine = engine or FakeEngine()
        self.rooms = Rooms(self.engine, FakeSounds())
        self.hosts: dict[str, list[str]] = {}
        settings = DialSettings(**({"uri_networks": [IPv4Network("192.0.2.0/24")]} | dial))
        self.dialler = Dialler(
            self.sip,
            self.engine,
            FakeSounds(),
            self.rooms,
            FakeData({**CONFERENCE, **(conference or {})}),
            self.callees,
            self.budgets,
            settings,
            media_address="127.0.0.1",
            settle_seconds=settle_seconds,
            lookup=self.lookup,
            repertoire=Repertoire(("OPUS", "PCMU")),
            trunk_repertoire=Repertoire(("L16/16000", "PCMU")),
        )

    async def lookup(self, host: str, port: int) -> list[Address]:
        """The next answer for a name each time, as a name server that lies would give it."""
        if host not in self.hosts:
            raise OSError("no such host")
        return [ip_address(address) for address in self.hosts[host].pop(0).split()]

    def device(self, number: int, *uris: str, account_id: str = ACCOUNT, seconds: float = 1.0, **body: Any) -> str:
        """A device with a registered phone at each address."""
        document_id = self.callees.put(f"{number:032d}", "device", account_id, name=f"device {number}", **body)
        flow = Peer("udp", "198.51.100.9", 5060)
        self.sip.bindings[account_id, document_id] = [Binding(uri, flow, 1e9, "c", 1) for uri in uris]
        for uri in uris:
            self.sip.phones[uri] = Phone(seconds)
        return document_id

    async def dial(
        self, *endpoints: Any, room: str = ROOM, account: str = ACCOUNT, **request: Any
    ) -> list[dict[str, Any]]:
        return await self.dialler.dial(account, room, {"endpoints": list(endpoints), **request})

    def participants(self, room: str = ROOM, account: str = ACCOUNT) -> list[dict[str, Any]]:
        return self.rooms.participants(account, room)
