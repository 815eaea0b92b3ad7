"""What a dialled number, a conference number and a SIP user name lead to."""

import time

import pytest

from mirliton.store import Document, Store
from mirliton.store.credentials import ha1
from mirliton.store.patterns import BadPattern, check_pattern, match


async def callflow(store: Store, account: Document, name: str, **body: list[str]) -> Document:
    return await store.documents.create(account.id, "callflow", {"name": name, **body})


async def test_a_listed_number_wins_over_patterns_and_no_match(store: Store, account: Document) -> None:
    await callflow(store, account, "any", patterns=["^.*$"])
    await callflow(store, account, "rest", numbers=["no_match"])
    exact = await callflow(store, account, "exact", numbers=["3000", "+15551234"])
    for number in ("3000", "+15551234"):
        found = await store.callflow_for(account.id, number)
        assert found is not None
        assert (found.callflow.id, found.captured) == (exact.id, None)


async def test_a_pattern_gives_its_captures(store: Store, account: Document) -> None:
    by_id = await callflow(store, account, "by id", patterns=["(.{32})"])
    found = await store.callflow_for(account.id, "a" * 32)
    assert found is not None
    assert (found.callflow.id, found.captured) == (by_id.id, ("a" * 32,))


async def test_the_pattern_that_captures_most_wins(store: Store, account: Document) -> None:
    await callflow(store, account, "short", patterns=[r"^\*3(\d)"])
    long = await callflow(store, account, "long", patterns=[r"^9$", r"^\*3(\d+)$"])
    found = await store.callflow_for(account.id, "*31234")
    assert found is not None
    assert (found.callflow.id, found.captured) == (long.id, ("1234",))


async def test_the_no_match_callflow_takes_the_rest_else_nothing_does(store: Store, account: Document) -> None:
    assert await store.callflow_for(account.id, "404") is None
    rest = await callflow(store, account, "rest", numbers=["no_match"])
    found = await store.callflow_for(account.id, "404")
    assert found is not None
    assert found.callflow.id == rest.id


async def test_patterns_follow_changes_and_deletion(store: Store, account: Document) -> None:
    flow = await callflow(store, account, "x", patterns=["^1$"])
    await store.documents.replace(account.id, flow.id, {"patterns": ["^2$"]})
    assert await store.callflow_for(account.id, "1") is None
    assert await store.callflow_for(account.id, "2") is not None
    await store.documents.delete(account.id, flow.id)
    assert await store.callflow_for(account.id, "2") is None


@pytest.mark.parametrize("number", ["", "\x00", "1" * 100_000, "\U0001f600", "'; DROP TABLE claims; --"])
async def test_any_text_may_be_dialled(store: Store, account: Document, number: str) -> None:
    await callflow(store, account, "x", patterns=["(a+)+$"])
    assert await store.callflow_for(account.id, number) is None
    assert await store.conference_by_number(account.id, number) == []


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?=a)", "(", "a{1001}", "((a{100}){100}){100}"])
def test_expressions_that_could_run_away_are_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        check_pattern(pattern)


def test_an_exponential_expression_is_no_slower_than_the_text_is_long() -> None:
    started = time.process_time()
    assert match("(a+)+b", "a" * 100) is None
    assert match("(a*)*(a*)*(a*)*c", "a" * 128) is None
    assert time.process_time() - started < 30  # backtracking would need longer than the universe is old


def test_an_empty_match_is_none_and_groups_that_took_no_part_are_empty() -> None:
    assert match("x*", "123") is None
    assert match("^(1)|(2)$", "1") == ("1", "")
    assert match("^12", "123") == ("12",)


async def test_sip_credentials_are_found_by_realm_and_user_name(store: Store, account: Document) -> None:
    digests = ha1("alice", "acme.example", "secret")
    device = await store.documents.create(
        account.id, "device", {"name": "phone", "sip": {"username": "alice"}}, {"ha1": digests}
    )
    found = await store.sip_credential("ACME.example", "alice")
    assert found is not None
    assert (found.account.id, found.holder.id, found.ha1) == (account.id, device.id, digests)
    assert await store.sip_credential("acme.example", "bob") is None
    assert await store.sip_credential("other.example", "alice") is None


async def test_a_disabled_device_cannot_authenticate(store: Store, account: Document) -> None:
    body = {"name": "phone", "enabled": False, "sip": {"username": "alice"}}
    await store.documents.create(account.id, "device", body, {"ha1": ha1("alice", "acme.example", "secret")})
    assert await store.sip_credential("acme.example", "alice") is None


def test_ha1_is_what_rfc_7616_prints() -> None:
    assert ha1("Mufasa", "http-auth@example.org", "Circle of Life") == {
        "MD5": "3d78807defe7de2157e2b0b6573a855f",
        "SHA-256": "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232",
    }
