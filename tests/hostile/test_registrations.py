"""Registrations of one account leave some for the others, and none takes much memory."""

import pytest

from mirliton.sip.registrar import LONGEST_CONTACT, MAX_CONTACTS, Registrar
from mirliton.sip.types import Device
from tests.sip.test_registrar import register, uris

MODEST = Device("modest", "phone", None, "phone")


def greedy(number: int) -> Device:
    """One of the many phones of the other account."""
    return Device("greedy", f"phone-{number}", None, f"phone-{number}")


def contacts(count: int, seconds: int = 300) -> str:
    """A Contact header of so many addresses."""
    return "Contact: " + ", ".join(f"<sip:a{number}@192.0.2.1>;expires={seconds}" for number in range(count))


def registrar(most: int, share: int) -> Registrar:
    """For so many, and so many of one account."""
    return Registrar(max_bindings=most, max_per_account=share, default_expires=3600, min_expires=60)


def test_one_account_cannot_have_all_registrations() -> None:
    where = registrar(10_000, 5000)
    codes = [register(where, contacts(MAX_CONTACTS), device=greedy(number)).code for number in range(1000)]
    assert codes == [200] * 500 + [503] * 500
    assert register(where, contacts(1), device=MODEST).code == 200
    assert register(where, contacts(MAX_CONTACTS), device=greedy(0), cseq=2).code == 200
    # What it has it can keep, and give up.
    register(where, "Contact: *", "Expires: 0", device=greedy(0), cseq=3)
    assert register(where, contacts(MAX_CONTACTS), device=greedy(999)).code == 200
    assert len(where) == 5001


def test_registrations_that_expired_are_nobodys_share() -> None:
    where = registrar(100, 20)
    for number in range(2):
        assert register(where, contacts(MAX_CONTACTS), device=greedy(number)).code == 200
    assert register(where, contacts(1), device=greedy(2), now=299).code == 503
    assert register(where, contacts(1), device=greedy(2), now=300).code == 200
    assert len(where) == 1


@pytest.mark.parametrize("excess", [0, 1])
def test_long_addresses_are_not_kept(excess: int) -> None:
    where = registrar(100, 20)
    uri = "sip:a@192.0.2.1;x="
    long = uri + "y" * (LONGEST_CONTACT - len(uri) + excess)
    assert register(where, f"Contact: <{long}>").code == (400 if excess else 200)
    assert uris(where) == ([] if excess else [long])
