"""The token of a link: what is in it, and that nobody else can make one."""

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.links import Invitation, LinkTokens
from mirliton.links.tokens import MAX_TOKEN_CHARACTERS, SCOPE, Claims

SECRET = b"s" * 32
NOW = 1_700_000_000.5
INVITATION = Invitation("a" * 32, "c" * 32, "2468")
TOKENS = LinkTokens(SECRET)


def claims_in(token: str) -> dict[str, Any]:
    """What anybody can read without the secret."""
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def test_a_token_names_account_conference_scope_and_end_and_not_the_pin() -> None:
    token, claims = TOKENS.issue(INVITATION, 3, NOW, 600)
    told = claims_in(token)
    assert (told["account_id"], told["conference_id"]) == ("a" * 32, "c" * 32)
    assert (told["scope"], told["exp"], told["generation"]) == (SCOPE, 1_700_000_600, 3)
    assert "2468" not in json.dumps(told)
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    assert TOKENS.read(token, NOW) == claims
    assert "pin" not in claims.public()


def test_the_token_is_found_to_be_made_with_its_pin_and_with_no_other() -> None:
    claims = TOKENS.issue(INVITATION, 0, NOW, 600)[1]
    assert TOKENS.pin_of(claims, ["1", "2468", "3"]) == "2468"
    assert TOKENS.pin_of(claims, ["246", "24680", "\ud800", ""]) is None
    assert TOKENS.pin_of(claims, []) is None


def test_two_tokens_with_the_same_pin_have_nothing_in_common_by_which_to_tell() -> None:
    first, second = (TOKENS.issue(INVITATION, 0, NOW, 600)[1] for _ in range(2))
    assert first.jti != second.jti
    assert first.pin != second.pin


def test_a_token_lives_until_its_end_and_not_a_second_longer() -> None:
    token, _ = TOKENS.issue(INVITATION, 0, NOW, 600)
    assert TOKENS.read(token, 1_700_000_599.9) is not None
    assert TOKENS.read(token, 1_700_000_600) is None


def test_another_secret_makes_other_tokens() -> None:
    token, _ = LinkTokens(b"t" * 32).issue(INVITATION, 0, NOW, 600)
    assert TOKENS.read(token, NOW) is None


def test_a_changed_claim_breaks_the_token() -> None:
    token, _ = TOKENS.issue(INVITATION, 0, NOW, 600)
    head, _, signature = token.split(".")
    forged = claims_in(token) | {"conference_id": "d" * 32}
    body = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
    assert TOKENS.read(f"{head}.{body}.{signature}", NOW) is None


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512"])
def test_no_other_algorithm_is_taken_and_none_least_of_all(algorithm: str) -> None:
    claims = claims_in(TOKENS.issue(INVITATION, 0, NOW, 600)[0])
    key = "" if algorithm == "none" else TOKENS._signing + b"\0" * 32
    assert TOKENS.read(jwt.encode(claims, key, algorithm), NOW) is None


@pytest.mark.parametrize(
    "change",
    [{"scope": "crossbar:all"}, {"exp": "soon"}, {"exp": None}, {"pin": 5}, {"generation": "0"}, {"account_id": None}],
)
def test_our_own_signature_below_something_else_is_no_link(change: dict[str, Any]) -> None:
    claims = claims_in(TOKENS.issue(INVITATION, 0, NOW, 600)[0]) | change
    assert TOKENS.read(jwt.encode(claims, TOKENS._signing, "HS256"), NOW) is None


def _encoded(value: str) -> str:
    return base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "a.b.c", "\ud800.x.y", "é.é.é", "\0.\0.\0",
        _encoded("[" * 1200) + ".e30.x", _encoded("[]") + ".e30.x", _encoded('{"alg":["HS256"]}') + ".e30.x",
        _encoded('{"alg":"HS256","crit":["x"]}') + ".e30.x", _encoded('{"alg":"HS256","b64":false}') + ".e30.x",
        "x" * (MAX_TOKEN_CHARACTERS + 1), "x" * 1_000_000,
    ],
)  # fmt: skip
def test_what_is_no_token_is_none(text: str) -> None:
    assert TOKENS.read(text, NOW) is None


@given(
    st.text(max_size=300)
    | st.lists(st.binary(max_size=60).map(lambda b: base64.urlsafe_b64encode(b).decode())).map(".".join)
)
def test_any_text_is_read_without_a_fault(text: str) -> None:
    assert TOKENS.read(text, NOW) is None


@given(st.integers(0, 500), st.characters(codec="ascii"))
def test_a_token_with_one_letter_changed_is_none_or_the_same(place: int, letter: str) -> None:
    token, claims = TOKENS.issue(INVITATION, 0, NOW, 600)
    place %= len(token)
    found = TOKENS.read(token[:place] + letter + token[place + 1 :], NOW)
    assert found in (None, claims)


def test_a_token_fits_its_bound_with_the_longest_ids() -> None:
    longest = Invitation("a" * 32, "c" * 64, "9" * 128)
    token, claims = TOKENS.issue(longest, 2**53, NOW, 10**9)
    assert isinstance(claims, Claims)
    assert len(token) < MAX_TOKEN_CHARACTERS
