"""Where requests go and what we call ourselves: our Via and Contact, and the IPv4 address behind a URI."""

import asyncio
import secrets
import socket
from ipaddress import AddressValueError, IPv4Address
from urllib.parse import quote

from mirliton.sip.grammar import WireURI
from mirliton.sip.peer import Peer, TransportName
from mirliton.sip.transaction import MAGIC_COOKIE
from mirliton.sip.transport import Transports

_USER_MARKS = "-_.!~*'()&=+$,;?/"  # RFC 3261 section 25.1 `unreserved` and `user-unreserved`


class OurAddresses:
    """Our own address as a peer shall see it: `public_address` if there is one, else what the routes say."""

    def __init__(self, transports: Transports, public_address: str | None) -> None:
        self._transports = transports
        self._public = public_address

    def host(self, peer: Peer) -> str:
        """The host part."""
        return self._public or self._transports.local_host(peer.host)

    def via(self, peer: Peer) -> str:
        """A Via value with a new branch (RFC 3261 section 8.1.1.7), asking for rport (RFC 3581)."""
        sent_by = f"{self.host(peer)}:{self._transports.listening[1]}"
        return f"SIP/2.0/{peer.transport.upper()} {sent_by};rport;branch={MAGIC_COOKIE}{secrets.token_hex(10)}"

    def contact(self, peer: Peer, user: str = "mirliton") -> str:
        """A Contact value by which `peer` reaches us; `user` as text, escaped here."""
        transport = ";transport=tcp" if peer.transport == "tcp" else ""
        return f"<sip:{quote(user, safe=_USER_MARKS)}@{self.host(peer)}:{self._transports.listening[1]}{transport}>"


def transport_of(uri: WireURI, default: TransportName) -> TransportName:
    """What a URI asks for, or the default."""
    named = (uri.parameters.get("transport") or default).lower()
    return "tcp" if named == "tcp" else "udp"


def literal(host: str) -> str | None:
    """The host when it is an IPv4 address."""
    try:
        return str(IPv4Address(host))
    except AddressValueError:
        return None


async def resolve(transport: TransportName, uri: WireURI) -> Peer | None:
    """The first IPv4 address of a host (no SRV or NAPTR), or None."""
    port = uri.port or 5060
    if (address := literal(uri.host)) is not None:
        return Peer(transport, address, port)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(uri.host, port, family=socket.AF_INET)
    except (OSError, UnicodeError):
        return None
    return Peer(transport, str(found[0][4][0]), port) if found else None
