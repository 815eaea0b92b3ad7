"""Who gets a link, and everything that ends it (semantics 2.3)."""

import asyncio

import pytest

from mirliton.links import Invitation
from mirliton.links.stored import MAX_NAMESAKES, link_secret
from mirliton.store import NotFound

from .conftest import LIFETIME, PIN, House


async def made(house: House, **keys: object) -> tuple[str, str]:
    """(token, conference id)"""
    conference = await house.conference(**keys)
    found = await house.server().redeem("acme", "board", PIN)
    assert found is not None
    return found[0], conference.id


async def test_names_and_pin_give_a_link_into_the_conference(house: House) -> None:
    token, conference_id = await made(house)
    links = house.server()
    assert await links.verify(token) == Invitation(house.account.id, conference_id, PIN)
    assert await links.verify(token, conference_id) is not None
    assert await links.verify(token, "d" * 32) is None
    assert (links.statistics.good, links.statistics.bad) == (2, 1)


@pytest.mark.parametrize(
    ("account", "conference", "pin"),
    [
        ("acne", "board", PIN), ("acme", "bored", PIN), ("acme", "BOARD", PIN), ("acme", "boar_", PIN),
        ("acme", "%", PIN), ("acme", 'board"', PIN), ("acme", "board", "2469"), ("acme", "board", "246"),
        ("acme", "board", "24680"), ("acme", "board", ""), ("acme\0", "board\0", "\0"), ("acme", "\ud800", "\ud800"),
    ],
)  # fmt: skip
async def test_anything_wrong_gives_nothing_and_is_counted(
    house: House, account: str, conference: str, pin: str
) -> None:
    await house.conference()
    links = house.server()
    assert await links.redeem(account, conference, pin) is None
    assert links.statistics.wrong_pins == 1


@pytest.mark.parametrize(
    "keys",
    [
        {"allow_shareable_link": False}, {"member": {"pins": []}}, {"member": {}},
        {"member": {"pins": ["1"]}, "moderator": {"pins": [PIN]}},
    ],
)  # fmt: skip
async def test_a_conference_that_does_not_fulfil_the_conditions_gives_no_link(
    house: House, keys: dict[str, object]
) -> None:
    await house.conference(**keys)
    assert await house.server().redeem("acme", "board", PIN) is None


async def test_the_pin_tells_conferences_of_one_name_apart_and_must_do_so(house: House) -> None:
    first = await house.conference()
    await house.conference(member={"pins": ["1357"]})
    await house.conference(allow_shareable_link=False)
    links = house.server()
    found = await links.redeem("ACME", "board", PIN)
    assert found is not None
    assert found[1].conference_id == first.id
    await house.conference(member={"pins": ["77", PIN]})
    assert await links.redeem("acme", "board", PIN) is None


@pytest.mark.parametrize("name", ['100%_/\\ "Café"', "é😀", "a" * 128])
async def test_any_name_is_found_and_only_as_it_is(house: House, name: str) -> None:
    await house.conference(name=name)
    await house.conference(name=name + "x")
    await house.conference(name="other", profile={"name": name})
    assert await house.server().redeem("acme", name, PIN) is not None


async def test_more_namesakes_than_anybody_needs_give_nothing(house: House) -> None:
    for number in range(MAX_NAMESAKES):
        await house.conference(member={"pins": [str(number)]})
    assert await house.server().redeem("acme", "board", "7") is not None
    await house.conference(member={"pins": ["x"]})
    assert await house.server().redeem("acme", "board", "7") is None


async def test_conferences_of_another_account_are_not_found(house: House) -> None:
    await house.conference()
    await house.store.accounts.create({"name": "other"})
    assert await house.server().redeem("other", "board", PIN) is None


async def test_a_link_ends_with_its_time(house: House) -> None:
    token, _ = await made(house)
    house.now += LIFETIME - 1
    assert await house.server().verify(token) is not None
    house.now += 1
    assert await house.server().verify(token) is None


@pytest.mark.parametrize(
    "change",
    [
        {"allow_shareable_link": False}, {"member": {"pins": []}}, {"member": {"pins": ["1357"]}},
        {"member": {"pins": ["1357"]}, "moderator": {"pins": [PIN]}},
    ],
)  # fmt: skip
async def test_a_change_of_flag_or_pin_ends_links_at_once_and_the_old_state_brings_them_back(
    house: House, change: dict[str, object]
) -> None:
    token, conference_id = await made(house)
    links = house.server()
    conference = await house.store.documents.get(house.account.id, conference_id)
    await house.change(conference, **change)
    assert await links.verify(token) is None
    await house.change(conference, **conference.body)
    assert await links.verify(token) is not None


async def test_another_pin_beside_the_old_one_ends_nothing(house: House) -> None:
    token, conference_id = await made(house)
    conference = await house.store.documents.get(house.account.id, conference_id)
    await house.change(conference, name="renamed", member={"pins": ["1", PIN]})
    assert await house.server().verify(token) is not None


async def test_revoking_ends_what_was_made_before_and_nothing_else(house: House) -> None:
    token, conference_id = await made(house)
    other = await house.conference(name="other")
    stays, _ = await house.server().issue(other, PIN)
    revoked = await house.server().revoke(house.account.id, conference_id)
    assert revoked.body["name"] == "board"
    links = house.server()
    assert await links.verify(token) is None
    assert await links.verify(stays) is not None
    again = await links.redeem("acme", "board", PIN)
    assert again is not None
    assert await links.verify(again[0]) is not None
    await links.revoke(house.account.id, conference_id)
    assert await links.verify(again[0]) is None
    with pytest.raises(NotFound):
        await links.revoke(house.account.id, "d" * 32)


async def test_a_deleted_conference_and_a_disabled_account_end_links(house: House) -> None:
    token, conference_id = await made(house)
    links = house.server()
    await house.change(house.account, enabled=False)
    assert await links.verify(token) is None
    assert await links.redeem("acme", "board", PIN) is None
    await house.change(house.account, enabled=True)
    assert await links.verify(token) is not None
    await house.store.documents.delete(house.account.id, conference_id)
    assert await links.verify(token) is None


async def test_servers_on_one_database_know_each_others_links_from_the_first_moment(house: House) -> None:
    secrets = await asyncio.gather(*(link_secret(house.store) for _ in range(8)))
    assert len(set(secrets)) == 1
    assert len(secrets[0]) == 32
    token, _ = await made(house)
    assert await house.server().verify(token) is not None
