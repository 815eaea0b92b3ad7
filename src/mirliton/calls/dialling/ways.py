"""How an address is reached, and whether it may be: tenants call only into the operator's networks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from mirliton.calls.dialling.finding import Contact, Trust
from mirliton.calls.dialling.ringing import Unreached
from mirliton.sip.addresses import transport_of
from mirliton.sip.grammar import WireURI
from mirliton.sip.outgoing import callable_uri
from mirliton.sip.peer import Peer, TransportName

RESOLVE_SECONDS = 5.0

Resolve = Callable[[TransportName, WireURI], Awaitable[Peer | None]]
"""The address behind a URI; `sip.addresses.resolve`."""


@dataclass(frozen=True, slots=True)
class Way:
    """`uri` is called, at `flow` when there is one. `host`: the IP address where the signalling goes."""

    uri: str
    flow: Peer | None
    host: str


async def way_to(contact: Contact, networks: Sequence[IPv4Network], resolve: Resolve) -> Way:
    """Resolve once; the address that was checked is the one that is called. Raises `Unreached`."""
    if contact.flow is not None:
        return Way(contact.uri, contact.flow, contact.flow.host)
    target = callable_uri(contact.uri)
    peer = await _resolved(target, resolve)
    if contact.trust is Trust.TRUNK:
        return Way(contact.uri, None, peer.host)
    if not any(IPv4Address(peer.host) in network for network in networks):
        raise Unreached(f"{target.host} may not be called: the operator allows other networks")
    if peer.transport == "udp":
        return Way(contact.uri, peer, peer.host)
    # A flow over TCP is a connection that exists already. To make one to just this address, it must be in the URI.
    userinfo, at, _ = contact.uri[len("sip:") :].rpartition("@")
    return Way(f"sip:{userinfo}{at}{peer.host}:{peer.port};transport=tcp", None, peer.host)


async def _resolved(target: WireURI, resolve: Resolve) -> Peer:
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            peer = await resolve(transport_of(target, "udp"), target)
    except TimeoutError:
        peer = None
    if peer is None:
        raise Unreached(f"{target.host}: no such host")
    return peer
