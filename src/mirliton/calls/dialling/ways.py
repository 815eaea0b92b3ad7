"""How an address is reached, and whether it may be: tenants call only into the operator's networks."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from mirliton.calls.dialling.finding import Contact, Trust
from mirliton.calls.dialling.ringing import Unreached
from mirliton.outbound_http.lookup import Lookup, SystemLookup
from mirliton.sip.addresses import literal, transport_of
from mirliton.sip.grammar import WireURI
from mirliton.sip.outgoing import callable_uri
from mirliton.sip.peer import Peer

LOOKUP_SECONDS = 5.0
MAX_LOOKUPS = 64


@dataclass(frozen=True, slots=True)
class Way:
    """`uri` is called, at `flow` when there is one. `host`: the IP address where the signalling goes."""

    uri: str
    flow: Peer | None
    host: str


class Ways:
    """Finds them."""

    def __init__(
        self,
        networks: Sequence[IPv4Network],
        our_port: Callable[[], int],
        lookup: Lookup | None = None,
        *,
        trunk: str | None = None,
    ) -> None:
        """`networks`: where addresses that tenants name may be. `our_port`: where this server is called.

        `trunk`: a `sip:` address that tenants reach by numbers only, whatever the networks.
        """
        self._networks = networks
        self._trunk = callable_uri(trunk) if trunk is not None else None
        self._our_port = our_port
        self._tenants = lookup or SystemLookup(MAX_LOOKUPS)
        # Names that a tenant knows never to resolve must not keep the operator's trunk from being found.
        self._operators = lookup or SystemLookup(MAX_LOOKUPS)

    async def to(self, contact: Contact) -> Way:
        """Resolve once; the address that was checked is the one that is called. Raises `Unreached`."""
        if contact.flow is not None:
            return Way(contact.uri, contact.flow, contact.flow.host)
        target = callable_uri(contact.uri)
        if contact.trust is Trust.TRUNK:
            return Way(contact.uri, None, str((await _addresses(target, self._operators))[0]))
        found = await _addresses(target, self._tenants)
        address = next((one for one in found if self._may_be_called(one)), None)
        if address is None:
            raise Unreached(f"{target.host} may not be called: the operator allows other networks")
        if not contact.bridge and (target.port or 5060) == self._our_port() and _is_ours(address):
            # Our own calls come from an address that may be trusted, so they could enter any account without a
            # password. A bridge is asked for its password wherever it comes from.
            raise Unreached(f"{target.host} is this server: call a device, or link the room with `bridge`")
        if await self._is_trunk(address, target.port or 5060):
            raise Unreached(f"{target.host} is the trunk: dial the number itself")
        return _exactly_to(contact.uri, target, str(address))

    def _may_be_called(self, address: IPv4Address) -> bool:
        """Only machines: to the kernel 0.0.0.0 is this one."""
        if address.is_unspecified or address.is_multicast or address.is_reserved:
            return False
        return any(address in network for network in self._networks)

    async def _is_trunk(self, address: IPv4Address, port: int) -> bool:
        """Whoever called it by its address would dial every number there is, and no budget would know.

        It may listen on several ports; on loopback others have the same address.
        """
        if self._trunk is None or address not in await _addresses(self._trunk, self._operators):
            return False
        return not address.is_loopback or port == (self._trunk.port or 5060)


def _is_ours(address: IPv4Address) -> bool:
    """Whether this machine has the address: to itself it speaks from the very address that it speaks to."""
    if address.is_loopback:
        return True
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), 9))  # sends nothing; asks the kernel for a route
        except OSError:
            return False
        return str(probe.getsockname()[0]) == str(address)


def _exactly_to(uri: str, target: WireURI, address: str) -> Way:
    port = target.port or 5060
    if transport_of(target, "udp") == "udp":
        return Way(uri, Peer("udp", address, port), address)
    # A flow over TCP is a connection that exists already. To make one to just this address, it must be in the URI.
    userinfo, at, _ = uri[len("sip:") :].rpartition("@")
    return Way(f"sip:{userinfo}{at}{address}:{port};transport=tcp", None, address)


async def _addresses(target: WireURI, lookup: Lookup) -> list[IPv4Address]:
    """At least one."""
    if (host := literal(target.host)) is not None:
        return [IPv4Address(host)]
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            answer = await lookup(target.host, target.port or 5060)
    except (OSError, TimeoutError):
        answer = []
    found = [address for address in answer if isinstance(address, IPv4Address)]
    if not found:
        raise Unreached(f"{target.host}: no such host")
    return found
