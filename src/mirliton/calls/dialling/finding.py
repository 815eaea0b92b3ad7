"""From the endpoints of a request to the SIP addresses that will ring (semantics 6.7)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import quote

from mirliton.calls.dialling.endpoints import (
    ByAddress,
    ById,
    ByNumber,
    is_address,
    may_be_dialled,
    read_endpoint,
    shown,
    wants_srtp,
)
from mirliton.calls.dialling.ports import Callees, SipCalls, Stored
from mirliton.calls.live import BadEndpoints
from mirliton.conference.reading import Document, flag, text
from mirliton.settings import DialSettings
from mirliton.sip.outgoing import callable_uri
from mirliton.sip.peer import Peer

MAX_CONTACTS = 20


class Trust(Enum):
    """Why an address may be called."""

    REGISTERED = "registered"  # a phone that has proved its password: it is called where it registered from
    CHECKED = "checked"  # a tenant named it: only inside the operator's networks
    TRUNK = "trunk"  # the operator named it


@dataclass(frozen=True, slots=True)
class Contact:
    """One address that rings. `flow` is there for registered phones. `srtp`: it wants its sound encrypted."""

    uri: str
    trust: Trust
    flow: Peer | None = None
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    bridge: bool = False
    srtp: bool = False
    device_id: str | None = None
    owner_id: str | None = None


@dataclass(frozen=True, slots=True)
class Callee:
    """One endpoint, ready to be called; or `unreachable` says why it is not."""

    endpoint_id: str
    name: str
    number: str
    contacts: tuple[Contact, ...] = ()
    bridge: bool = False
    unreachable: str = ""

    @property
    def by_trunk(self) -> bool:
        """Whether the call costs money."""
        return any(contact.trust is Trust.TRUNK for contact in self.contacts)


class Finder:
    """Asks the account's documents and the registrations."""

    def __init__(self, callees: Callees, sip: SipCalls, settings: DialSettings) -> None:
        self._callees = callees
        self._sip = sip
        self._settings = settings

    async def find(self, account_id: str, endpoints: Sequence[object]) -> list[Callee]:
        """Whom to call, in order; unknown ids are left out. Raises `BadEndpoints` with every problem."""
        most = self._settings.max_endpoints
        if len(endpoints) > most:
            raise BadEndpoints([(None, "maxItems", f"one request calls at most {most} endpoints: send several")])
        search = _Search(account_id, self._callees, self._sip, self._settings)
        found: list[Callee] = []
        problems: list[tuple[int | None, str, str]] = []
        for position, endpoint in enumerate(endpoints, 1):
            try:
                callee = await search.find(endpoint)
            except _Problem as problem:
                problems.append((position, problem.code, str(problem)))
            else:
                found += [callee] if callee is not None else []
        if not problems and not found:
            problems.append((None, "minItems", "nothing is left to call: the account has none of these ids"))
        if problems:
            raise BadEndpoints(problems)
        return found


class _Search:
    """One request's endpoints in one account."""

    def __init__(self, account_id: str, callees: Callees, sip: SipCalls, settings: DialSettings) -> None:
        self._account_id = account_id
        self._callees = callees
        self._sip = sip
        self._settings = settings
        self._owned: Mapping[str, Sequence[Stored]] | None = None

    async def find(self, given: object) -> Callee | None:
        match read_endpoint(given):
            case ById(document_id):
                return await self._by_id(document_id)
            case ByNumber(number):
                return await self._by_number(number)
            case ByAddress() as address:
                return _by_address(address)
            case None:
                raise _Problem("enum", "must be a device id, a user id, a number, a sip: address or a device object")

    async def _by_id(self, document_id: str) -> Callee | None:
        stored = await self._callees.document(self._account_id, document_id)
        if stored is None:
            return None
        if stored.kind == "device" and _enabled(stored):
            return self._devices(stored, [stored], text(stored.body, "sip.username") or "")
        if stored.kind == "device":
            raise _Problem("not_found", "this device is disabled: enable it first")
        if stored.kind == "user":
            return await self._user(stored)
        raise _Problem("not_found", f"this id belongs to a {stored.kind}: name a device or a user")

    async def _user(self, user: Stored) -> Callee:
        if self._owned is None:  # asked once a request, however many users it names
            self._owned = await self._callees.owned_devices(self._account_id)
        devices = [device for device in self._owned.get(user.document_id, ()) if _enabled(device)]
        if not devices:
            raise _Problem("minItems", "this user has no device that is enabled: add one")
        return self._devices(user, devices, text(user.body, "username") or "")

    def _devices(self, named: Stored, devices: Iterable[Stored], number: str) -> Callee:
        contacts = [contact for device in devices for contact in self._contacts(device)]
        return Callee(
            endpoint_id=named.document_id,
            name=shown(_name(named.body) or number),
            number=number,
            contacts=tuple(contacts[:MAX_CONTACTS]),
            unreachable="" if contacts else "not registered",
        )

    def _contacts(self, device: Stored) -> list[Contact]:
        own_id, owner, srtp = device.document_id, text(device.body, "owner_id"), wants_srtp(device.body)
        bindings = self._sip.registrar.lookup(self._account_id, own_id, self._sip.now())
        if bindings:
            return [
                Contact(binding.uri, Trust.REGISTERED, binding.flow, srtp=srtp, device_id=own_id, owner_id=owner)
                for binding in bindings
            ]
        route = text(device.body, "sip.route") or ""
        if not is_address(route):
            return []
        return [Contact(route, Trust.CHECKED, srtp=srtp, device_id=own_id, owner_id=owner)]

    async def _by_number(self, number: str) -> Callee:
        if (document_id := await self._callees.extension(self._account_id, number)) is not None:
            callee = await self._by_id(document_id)
            if callee is None:
                raise _Problem("not_found", "the device or user behind this number is gone: change its callflow")
            return callee
        trunk = self._settings.trunk
        if trunk is None:
            return _unreachable(number, "no extension has this number, and the server has no trunk")
        if not may_be_dialled(number, self._settings.numbers):
            return _unreachable(number, "this number may not be dialled: the operator allows others")
        return Callee(number, number, number, (self._on_trunk(number, trunk),))

    def _on_trunk(self, number: str, trunk: str) -> Contact:
        username, password = self._settings.trunk_username, self._settings.trunk_password
        _, _, host = trunk.rpartition("@")
        uri = f"sip:{quote(number, safe='+*')}@{host.removeprefix('sip:')}"
        credentials = (username, password) if username and password else None
        return Contact(uri, Trust.TRUNK, credentials=credentials)


class _Problem(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _by_address(address: ByAddress) -> Callee:
    user = shown(callable_uri(address.uri).user or "")  # it may have been written with escapes
    contact = Contact(
        address.uri, Trust.CHECKED, credentials=address.credentials, bridge=address.bridge, srtp=address.srtp
    )
    return Callee(address.endpoint_id, address.name or user, user, (contact,), bridge=address.bridge)


def _unreachable(number: str, why: str) -> Callee:
    return Callee(number, number, number, unreachable=why)


def _enabled(stored: Stored) -> bool:
    return flag(stored.body, "enabled") is not False


def _name(body: Document) -> str:
    person = " ".join(part for key in ("first_name", "last_name") if (part := text(body, key)))
    return text(body, "name") or person
