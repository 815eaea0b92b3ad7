"""Digest (RFC 7616, RFC 8760): the RFC's own numbers, then nonces, counts and memory."""

import pytest

from mirliton.sip.digest import (
    Answer,
    Challenger,
    Verdict,
    answer_challenges,
    ha1,
    parse_answer,
    response_for,
)
from mirliton.sip.types import Credential, Device

REALM = "mirliton.local"
ALICE = Credential(
    Device("account", "device", None, "alice"),
    {name: ha1(name, "alice", REALM, "secret") for name in ("MD5", "SHA-256")},
)


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, expected: str) -> None:
    secret = ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
    nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    assert response_for(algorithm, secret, nonce, "00000001", cnonce, "GET", "/dir/index.html") == expected


def answered(challenges: list[str], password: str | None = None) -> Answer:
    value = answer_challenges(challenges, "INVITE", "sip:1000@mirliton.local", "alice", password or "secret")
    assert value is not None
    answer = parse_answer(value)
    assert answer is not None
    return answer


def counted(answer: Answer, count: int) -> Answer:
    """The same nonce, used once more."""
    nc = f"{count:08x}"
    secret = ALICE.ha1[answer.algorithm]
    right = response_for(answer.algorithm, secret, answer.nonce, nc, answer.cnonce, "INVITE", answer.uri)
    return Answer("alice", REALM, answer.nonce, answer.uri, right, answer.algorithm, answer.cnonce, nc)


def check(challenger: Challenger, answer: Answer, now: float = 1.0, method: str = "INVITE") -> Verdict:
    return challenger.check(answer, method, REALM, ALICE, now)


@pytest.mark.parametrize("index", [0, 1])
def test_a_right_answer_to_either_challenge_is_accepted(index: int) -> None:
    challenger = Challenger(300)
    challenge = challenger.challenges(REALM, 0)[index]
    assert check(challenger, answered([challenge])) is Verdict.ACCEPTED


def test_the_better_algorithm_comes_first_and_is_taken() -> None:
    assert answered(Challenger(300).challenges(REALM, 0)).algorithm == "SHA-256"


def test_a_wrong_password_or_another_method_or_user_is_wrong() -> None:
    challenger = Challenger(300)
    challenges = challenger.challenges(REALM, 0)
    assert check(challenger, answered(challenges, "guess")) is Verdict.WRONG
    assert check(challenger, answered(challenges), method="REGISTER") is Verdict.WRONG
    assert challenger.check(answered(challenges), "INVITE", REALM, None, 1) is Verdict.WRONG
    assert challenger.check(answered(challenges), "INVITE", "other", ALICE, 1) is Verdict.WRONG
    assert challenger.remembered == 0


def test_an_old_nonce_is_stale_not_wrong() -> None:
    challenger = Challenger(300)
    answer = answered(challenger.challenges(REALM, 0))
    assert check(challenger, answer, now=301) is Verdict.STALE
    assert all("stale=true" in challenge for challenge in challenger.challenges(REALM, 301, stale=True))


def test_a_nonce_of_somebody_else_is_stale() -> None:
    assert check(Challenger(300), answered(Challenger(300).challenges(REALM, 0))) is Verdict.STALE


def test_a_repeated_count_is_refused_and_higher_or_reordered_ones_are_not() -> None:
    challenger = Challenger(300)
    first = answered(challenger.challenges(REALM, 0))
    assert check(challenger, first) is Verdict.ACCEPTED
    assert check(challenger, first) is Verdict.STALE
    assert check(challenger, counted(first, 5)) is Verdict.ACCEPTED
    assert check(challenger, counted(first, 3)) is Verdict.ACCEPTED
    assert check(challenger, counted(first, 3)) is Verdict.STALE
    assert check(challenger, counted(first, 5)) is Verdict.STALE
    assert check(challenger, counted(first, 500)) is Verdict.ACCEPTED
    assert check(challenger, counted(first, 4)) is Verdict.STALE
    assert check(challenger, counted(first, 0)) is Verdict.STALE


def test_memory_is_bounded_and_what_was_forgotten_cannot_be_replayed() -> None:
    challenger = Challenger(300, max_nonces=2)
    answers = [answered(challenger.challenges(REALM, at)) for at in (0, 1, 2)]
    assert [check(challenger, answer, 3) for answer in answers] == [Verdict.ACCEPTED] * 3
    assert challenger.remembered == 2
    assert check(challenger, answers[0], 3) is Verdict.STALE


def test_expired_nonces_are_forgotten() -> None:
    challenger = Challenger(10)
    check(challenger, answered(challenger.challenges(REALM, 0)), 1)
    check(challenger, answered(challenger.challenges(REALM, 20)), 20)
    assert challenger.remembered == 1


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Digest",
        "Basic YTpi",
        'Digest username="alice", realm="r"',
        'Digest username="a", realm="r", nonce="n", uri="u", response="x", cnonce="c", nc=00000001',
        'Digest username="a", realm="r", nonce="n", uri="u", response="é", cnonce="c", nc=00000001, qop=auth',
        'Digest username="a", realm="r", nonce="n", uri="u", response="x", cnonce="c", nc=1, qop=auth',
        'Digest username="a", realm="r", nonce="n", uri="u", response="x", cnonce="c", nc=00000001, qop=auth, '
        "algorithm=SHA-1",
    ],
)
def test_incomplete_answers_are_no_answers(value: str) -> None:
    assert parse_answer(value) is None


@pytest.mark.parametrize("nonce", ["", "x", "é", "AAAA", "====", "MTIz.YWJj"])
def test_hostile_nonces_are_stale(nonce: str) -> None:
    answer = counted(Answer("alice", REALM, nonce, "u", "", "MD5", "c", "00000001"), 1)
    assert check(Challenger(300), answer) is Verdict.STALE


def test_a_challenge_with_a_list_of_qops_or_none_is_answered() -> None:
    listed = answer_challenges(['Digest realm="r", nonce="n", qop="auth-int,auth"'], "BYE", "sip:x", "a", "b")
    assert listed is not None and "qop=auth," in listed
    old = answer_challenges(['Digest realm="r", nonce="n", opaque="o"'], "BYE", "sip:x", "a", "b")
    assert old is not None and "cnonce" not in old and 'opaque="o"' in old
    assert answer_challenges(['Digest realm="r", nonce="n", algorithm=AKA'], "BYE", "sip:x", "a", "b") is None
