"""What counts as an endpoint, a number and a number that may be dialled."""

from typing import Any

import pytest

from mirliton.calls.dialling.endpoints import ByAddress, ById, ByNumber, may_be_dialled, read_endpoint


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("0123456789abcdef" * 2, ById("0123456789abcdef" * 2)),
        ("x" * 32, ById("x" * 32)),
        ("5551212", ByNumber("5551212")),
        ("+49 (30) 12-34.5/6", ByNumber("+4930123456")),
        ("7", ByNumber("7")),
        ("*97", ByNumber("*97")),
        ("sip:anna@example.com", ByAddress("sip:anna@example.com", "sip:anna@example.com")),
        ("SIP:a@b", ByAddress("SIP:a@b", "SIP:a@b")),
    ],
)
def test_a_text_is_an_id_a_number_or_an_address(given: str, meant: Any) -> None:
    assert read_endpoint(given) == meant


@pytest.mark.parametrize(
    "given",
    [
        "", " ", "anna", "abcd", "1" * 16, "+", "12345#", "sip:", "sip:a b@c", "sip:a@b\r\nX: y", "sips:a@b",
        "tel:5551212", "http://a", "sip:a@b?Route=%3Csip:c%3E", "sip:" + "a" * 600 + "@b",
        "\u0663\u0664\u0665\u0666\u0667",
        None, 5, [], {}, {"sip": "x"}, {"sip": {"route": "tel:1"}}, {"sip": {"route": 5}}, {"name": "x"},
    ],
)  # fmt: skip
def test_anything_else_is_no_endpoint(given: Any) -> None:
    assert read_endpoint(given) is None


def test_a_password_is_not_shown() -> None:
    read = read_endpoint({"sip": {"route": "sip:a@b", "username": "u", "password": "hunter22"}})
    assert isinstance(read, ByAddress)
    assert read.credentials == ("u", "hunter22")
    assert "hunter22" not in repr(read)


@pytest.mark.parametrize(
    ("number", "beginnings", "may"),
    [
        ("+4930123", ["+49"], True),
        ("+4930123", ["+49 (30)"], True),
        ("004930123", ["+49"], False),
        ("+4430123", ["+49", "+44"], True),
        ("+4930123", [], False),
        ("+4930123", [""], False),
        ("+4", ["+49"], False),
    ],
)
def test_only_the_beginnings_that_the_operator_lists_may_be_dialled(
    number: str, beginnings: list[str], may: bool
) -> None:
    assert may_be_dialled(number, beginnings) is may
