"""Which addresses tenants can reach."""

from ipaddress import IPv4Network, ip_address

import pytest

from mirliton.outbound_http import AddressNotAllowed
from mirliton.outbound_http.addresses import allowed

PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.31.255.255",
    "192.0.0.8",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.251",
    "255.255.255.255",
    "::",
    "::1",
    "fc00::1",
    "fd12::1",
    "fe80::1",
    "ff02::1",
    "2001:db8::1",
    "2001:0:1::",
    "64:ff9b:1::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "::7f00:1",
]
PUBLIC = [
    "8.8.8.8",
    "172.32.0.1",
    "223.255.255.254",
    "2606:4700::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::",
]


@pytest.mark.parametrize("text", PRIVATE)
def test_a_special_address_is_refused_with_its_network(text: str) -> None:
    with pytest.raises(AddressNotAllowed, match=r"hook\.example is .* in .*/\d+: not public"):
        allowed("hook.example", [ip_address(text)], [])


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_allowed(text: str) -> None:
    assert allowed("hook.example", [ip_address(text)], []) == [ip_address(text)]


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203"])
def test_a_network_of_the_operator_is_allowed_however_it_is_written(text: str) -> None:
    assert allowed("hook.example", [ip_address(text)], [IPv4Network("10.1.0.0/16")])
    with pytest.raises(AddressNotAllowed, match=r"10\.0\.0\.0/8"):
        allowed("hook.example", [ip_address(text)], [IPv4Network("10.2.0.0/16")])


def test_of_mixed_addresses_only_the_public_ones_stay_in_their_order() -> None:
    mixed = [ip_address(text) for text in ("127.0.0.1", "8.8.8.8", "::1", "1.1.1.1")]
    assert allowed("hook.example", mixed, []) == [ip_address("8.8.8.8"), ip_address("1.1.1.1")]
