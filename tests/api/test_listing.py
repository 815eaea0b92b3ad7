"""Pages, order and filters of lists."""

from typing import Any

import pytest

from .conftest import Api


async def names(api: Api, **query: str) -> list[str]:
    answer = await api.call("GET", "/conferences", params=query)
    assert answer.status_code == 200, answer.text
    return [row["name"] for row in answer.json()["data"]]


async def test_pages_follow_each_other_to_the_end(api: Api) -> None:
    for n in range(7):
        await api.make("conferences", name=str(n))
    seen: list[str] = []
    query: dict[str, Any] = {"page_size": "3", "ascending": "true"}
    sizes = []
    while True:
        body = (await api.call("GET", "/conferences", params=query)).json()
        seen += [row["name"] for row in body["data"]]
        sizes.append(body["page_size"])
        if "next_start_key" not in body:
            break
        assert body["start_key"] == query.get("start_key", body["start_key"])
        query["start_key"] = body["next_start_key"]
    assert (seen, sizes) == ([str(n) for n in range(7)], [3, 3, 1])


async def test_the_newest_come_first_unless_asked_otherwise(api: Api) -> None:
    for name in "abc":
        await api.make("conferences", name=name)
    assert await names(api) == ["c", "b", "a"]
    assert await names(api, descending="true") == ["c", "b", "a"]
    assert await names(api, ascending="true") == await names(api, descending="false") == ["a", "b", "c"]


async def test_the_page_size_has_an_upper_bound_and_paginate_false_refuses_to_break_it(api: Api) -> None:
    for n in range(20):
        await api.store.documents.create(api.account.id, "conference", {"name": str(n)})
    assert len(await names(api, paginate="false")) == 20
    await api.make("conferences", name="one more")
    assert len(await names(api, page_size="1000")) == 20
    answer = await api.call("GET", "/conferences", params={"paginate": "false"})
    assert (answer.status_code, answer.json()["error"]) == (416, "416")


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"page_size": "x"}, "page_size"), ({"page_size": "0"}, "page_size"), ({"page_size": "-1"}, "page_size"),
        ({"page_size": "9" * 99}, "page_size"), ({"start_key": "nonsense"}, "start_key"),
        ({"start_key": "é"}, "start_key"),
        ({"start_key": "OTk5OTk5OTk5OTk5OTk5OTk5OS54"}, "start_key"), ({"created_from": "today"}, "created_from"),
        ({f"filter_{n}": "x" for n in range(60)}, "filter"),
    ],
)  # fmt: skip
async def test_a_query_that_cannot_be_understood_is_told(api: Api, query: dict[str, str], path: str) -> None:
    answer = await api.call("GET", "/conferences", params=query)
    assert answer.status_code == 400
    assert path in answer.json()["data"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"filter_name": "a"}, "a"),
        ({"filter_not_name": "a"}, "bc"),
        ({"filter_play_name": "true"}, "b"),
        ({"filter_max_participants": "5"}, "c"),
        ({"filter_member.pins": "12"}, "a"),
        ({"filter_language": "de-de", "filter_name": "a"}, ""),
        ({"has_key": "language"}, "c"),
        ({"key_missing": "language"}, "ab"),
        ({"has_value": "member.pins"}, "a"),
        ({"missing_value": "member.pins"}, "bc"),
        ({"has_key": "member.pins.0.x"}, ""),
        ({"filter_name": "a", "unknown": "x"}, "a"),
        ({"created_from": "63867219201"}, "bc"),
        ({"created_to": "63867219200"}, "a"),
        ({"created_from": "63867219201", "created_to": "63867219201"}, "b"),
        ({"modified_from": "63867219202"}, "ac"),
    ],
)
async def test_filters(api: Api, query: dict[str, str], expected: str) -> None:
    made = await api.make("conferences", name="a", member={"pins": ["12"]})
    api.clock.now += 1
    await api.make("conferences", name="b", play_name=True)
    api.clock.now += 1
    await api.make("conferences", name="c", max_participants=5, language="de-de")
    await api.call("PATCH", f"/conferences/{made['id']}", {"data": {"x": 1}})
    assert "".join(sorted(await names(api, **query))) == expected


async def test_a_filter_by_id_finds_the_document(api: Api) -> None:
    made = await api.make("conferences", name="a")
    await api.make("conferences", name="b")
    assert await names(api, filter_id=made["id"]) == ["a"]


async def test_filters_do_not_see_what_is_private(api: Api) -> None:
    await api.make("conferences", name="a", bridge_username="u", bridge_password="secret")
    assert await names(api, filter_bridge_password="secret") == []
    assert await names(api, has_key="bridge_password") == []
