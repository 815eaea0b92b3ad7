"""Registrations in pure time."""

from typing import Any

import pytest
from sipmessage import Response

from mirliton.sip.message import read_message, values
from mirliton.sip.peer import Peer
from mirliton.sip.registrar import MAX_CONTACTS, Registrar
from mirliton.sip.types import Device

ALICE = Device("account", "alice-phone", None, "alice")
BOB = Device("account", "bob-phone", None, "bob")
SOURCE = Peer("udp", "192.0.2.200", 6000)


def registrar(**settings: Any) -> Registrar:
    return Registrar(**({"max_bindings": 100, "default_expires": 3600, "min_expires": 60} | settings))


def register(
    where: Registrar, *headers: str, device: Device = ALICE, now: float = 0, cseq: int = 1, call: str = "r"
) -> Response:
    lines = [
        "REGISTER sip:mirliton.local SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKr",
        "From: <sip:alice@mirliton.local>;tag=1",
        "To: <sip:alice@mirliton.local>",
        f"Call-ID: {call}",
        f"CSeq: {cseq} REGISTER",
        *headers,
    ]
    request = read_message("\r\n".join([*lines, "", ""]).encode())
    assert not isinstance(request, Response)
    return where.register(request, device, SOURCE, now, "tag")


def uris(where: Registrar, device: Device = ALICE, now: float = 0) -> list[str]:
    return [binding.uri for binding in where.lookup(device.account_id, device.device_id, now)]


def test_a_device_is_found_until_its_binding_expires() -> None:
    where = registrar()
    response = register(where, "Contact: <sip:alice@192.0.2.1>;expires=120")
    assert values(response, "Contact") == ["<sip:alice@192.0.2.1>;expires=120"]
    (binding,) = where.lookup("account", "alice-phone", 119)
    assert (binding.uri, binding.flow) == ("sip:alice@192.0.2.1", SOURCE)
    assert uris(where, now=120) == uris(where, BOB) == []


def test_the_latest_contact_comes_first_and_a_query_lists_all() -> None:
    where = registrar()
    register(where, "Contact: <sip:a@192.0.2.1>, <sip:a@192.0.2.2>", "Expires: 300")
    register(where, "Contact: <sip:a@192.0.2.1>", now=100, cseq=2)
    assert uris(where, now=100) == ["sip:a@192.0.2.1", "sip:a@192.0.2.2"]
    listed = values(register(where, now=100, cseq=3), "Contact")
    assert listed == ["<sip:a@192.0.2.2>;expires=200", "<sip:a@192.0.2.1>;expires=3600"]


def test_expires_zero_and_star_remove() -> None:
    where = registrar()
    register(where, "Contact: <sip:a@192.0.2.1>, <sip:a@192.0.2.2>")
    register(where, "Contact: <sip:a@192.0.2.1>;expires=0", cseq=2)
    assert uris(where) == ["sip:a@192.0.2.2"]
    assert register(where, "Contact: *", cseq=3).code == 400
    assert register(where, "Contact: *", "Expires: 0", cseq=4).code == 200
    assert uris(where) == [] and len(where) == 0


def test_a_too_short_binding_is_refused_whole() -> None:
    where = registrar()
    response = register(where, "Contact: <sip:a@192.0.2.1>, <sip:a@192.0.2.2>;expires=59")
    assert (response.code, response.headers["Min-Expires"]) == (423, "60")
    assert uris(where) == []


def test_an_older_request_cannot_undo_a_newer_one() -> None:
    where = registrar()
    register(where, "Contact: <sip:a@192.0.2.1>", cseq=5)
    assert register(where, "Contact: <sip:a@192.0.2.1>;expires=0", cseq=4).code == 500
    assert register(where, "Contact: *", "Expires: 0", cseq=5).code == 500
    assert uris(where) == ["sip:a@192.0.2.1"]
    assert register(where, "Contact: *", "Expires: 0", cseq=1, call="restarted").code == 200


def test_bindings_are_bounded_for_a_device_and_for_all() -> None:
    where = registrar(max_bindings=MAX_CONTACTS + 1)
    many = ", ".join(f"<sip:a@192.0.2.{host}>" for host in range(MAX_CONTACTS + 1))
    assert register(where, f"Contact: {many}").code == 403
    full = ", ".join(f"<sip:a@192.0.2.{host}>" for host in range(MAX_CONTACTS))
    assert register(where, f"Contact: {full}", "Expires: 60").code == 200
    assert register(where, "Contact: <sip:b@192.0.2.1>, <sip:b@192.0.2.2>", device=BOB).code == 503
    assert register(where, "Contact: <sip:b@192.0.2.1>, <sip:b@192.0.2.2>", device=BOB, now=61).code == 200
    assert len(where) == 2


@pytest.mark.parametrize("contact", ["<sip:", '"x', "<tel:+31>", "<http:x>"])
def test_unreadable_contacts_are_refused(contact: str) -> None:
    assert register(registrar(), f"Contact: {contact}").code == 400
