"""API keys in wrong hands: what a conference can be made to call."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from mirliton.calls.dialling.finding import Contact, Trust
from mirliton.calls.dialling.ringing import Unreached
from mirliton.calls.dialling.ways import Ways
from mirliton.outbound_http.addresses import Address

EVERYWHERE = [IPv4Network("0.0.0.0/0")]
TRUNK = "sip:trunk.example.com"
HOSTS = {"trunk.example.com": ["203.0.113.1", "203.0.113.2"], "alias.example.org": ["203.0.113.2"]}


async def lookup(host: str, _port: int) -> list[Address]:
    """The names of `HOSTS`."""
    return [IPv4Address(text) for text in HOSTS.get(host, [])]


def ways(trunk: str | None = TRUNK) -> Ways:
    """Of a server whose operator lets everything be called."""
    return Ways(EVERYWHERE, lambda: 5060, lookup, trunk=trunk)


@pytest.mark.parametrize("host", ["trunk.example.com", "203.0.113.1", "alias.example.org:5080", "203.0.113.2:5062"])
async def test_the_trunk_is_called_for_numbers_only(host: str) -> None:
    """By its address every number could be dialled, and no budget would know."""
    with pytest.raises(Unreached, match="is the trunk"):
        await ways().to(Contact(f"sip:+99900900@{host}", Trust.CHECKED))
    assert (await ways().to(Contact("sip:+4930123@trunk.example.com", Trust.TRUNK))).host == "203.0.113.1"


async def test_a_trunk_on_this_machine_leaves_its_other_ports_to_phones() -> None:
    local = ways("sip:127.0.0.1:5070")
    with pytest.raises(Unreached, match="is the trunk"):
        await local.to(Contact("sip:+99900900@127.0.0.1:5070", Trust.CHECKED))
    assert (await local.to(Contact("sip:anna@127.0.0.1:5071", Trust.CHECKED))).host == "127.0.0.1"


@pytest.mark.parametrize("host", ["0.0.0.0", "224.0.0.1", "255.255.255.255"])
async def test_only_addresses_of_machines_are_called(host: str) -> None:
    with pytest.raises(Unreached, match="may not be called"):
        await ways().to(Contact(f"sip:anna@{host}", Trust.CHECKED))
