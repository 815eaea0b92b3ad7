"""Which addresses a request of a tenant may reach (RFC 6890: special-purpose addresses are not the Internet)."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpx

Address = IPv4Address | IPv6Address

# A table of our own: what `is_global` says differs between the releases of Python 3.11.
_NOT_PUBLIC_4 = [
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
_UNICAST_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = [IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16")]
_NAT64 = IPv6Network("64:ff9b::/96")


class AddressNotAllowed(httpx.TransportError):
    """The host leads only to addresses that are not public; the text names them and their networks."""


def allowed(host: str, addresses: Sequence[Address], networks: Sequence[IPv4Network]) -> list[Address]:
    """Those of the host's addresses that may be connected to, in their order; raises `AddressNotAllowed` for none."""
    problems: list[str] = []
    good: list[Address] = []
    for address in addresses:
        if (network := _not_public(address, networks)) is None:
            good.append(address)
        else:
            problems.append(f"{address} in {network}")
    if not good:
        raise AddressNotAllowed(f"{host} is {', '.join(problems)}: not public, and not in a network that is allowed")
    return good


def parsed(text: str) -> Address:
    """An address as `getaddrinfo` writes it; the zone of a link-local one goes."""
    return ip_address(text.partition("%")[0])


def _not_public(address: Address, networks: Sequence[IPv4Network]) -> IPv4Network | IPv6Network | None:
    """The special network in which the address is, or None when it may be reached."""
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        return _not_public_6(address) if inner is None else _not_public(inner, networks)
    if any(address in network for network in networks):
        return None
    return next((network for network in _NOT_PUBLIC_4 if address in network), None)


def _not_public_6(address: IPv6Address) -> IPv6Network | None:
    if address not in _UNICAST_6:
        return IPv6Network((address, 16), strict=False)
    return next((network for network in _NOT_PUBLIC_6 if address in network), None)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to this one reach in the end (RFC 4291 2.5.5.2, RFC 3056, RFC 6052)."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
