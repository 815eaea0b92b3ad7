"""Links over REST: who gets one, what an attempt costs, how they end (semantics 2.3)."""

from typing import Any

import httpx
import jwt
import pytest

from mirliton.settings import LinkSettings, Settings

from .conftest import Api

PIN = "2468"
WORDS = {"account_name": "default", "conference_name": "board", "conference_pin": PIN}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A server with an address for links, and five attempts a minute."""
    links = LinkSettings(public_url="https://meet.example", lifetime_seconds=600, attempts_per_minute=5)
    return settings.model_copy(update={"links": links})


async def board(api: Api, **keys: Any) -> str:
    """A conference that lets links in; returns its id."""
    body = {"name": "board", "allow_shareable_link": True, "member": {"pins": [PIN]}} | keys
    return str((await api.make("conferences", **body))["id"])


async def redeem(api: Api, **words: Any) -> httpx.Response:
    return await api.http.put("/v2/conference_auth", json={"data": WORDS | words})


def from_address(api: Api, address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(api.app, client=(address, 1)), base_url="http://mirliton")


async def links(api: Api, verb: str, conference_id: str, body: Any = None) -> httpx.Response:
    return await api.call(verb, f"/conference_auth/{conference_id}", body)


async def test_names_and_pin_give_a_token_without_a_login(api: Api) -> None:
    conference_id = await board(api)
    answer = await redeem(api)
    assert answer.status_code == 201
    token, data = answer.json()["auth_token"], answer.json()["data"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert data == {key: claims[key] for key in data}
    assert (data["account_id"], data["conference_id"]) == (api.account.id, conference_id)
    assert data["scope"] == "crossbar:conference_join"
    assert data["exp"] == int(api.clock.now) + 600
    assert PIN not in answer.text
    assert PIN not in str(claims)


async def test_the_token_opens_nothing_of_the_api(api: Api) -> None:
    conference_id = await board(api)
    token = (await redeem(api)).json()["auth_token"]
    for path in ("", "/conferences", f"/conferences/{conference_id}", f"/conference_auth/{conference_id}"):
        answer = await api.http.get(f"/v2/accounts/{api.account.id}{path}", headers={"X-Auth-Token": token})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ({"account_name": "nobody"}, {}),
        ({"conference_name": "bored"}, {}),
        ({"conference_pin": "1"}, {}),
        ({}, {"allow_shareable_link": False}),
        ({}, {"member": {"pins": []}}),
        ({"conference_pin": "1357"}, {"moderator": {"pins": ["1357"]}}),
    ],
)
async def test_whatever_is_wrong_the_answer_is_the_same(
    api: Api, words: dict[str, str], keys: dict[str, object]
) -> None:
    await board(api, **keys)
    answer = await redeem(api, **words)
    body = answer.json()
    assert (answer.status_code, body["error"], body["message"]) == (401, "401", "invalid_credentials")
    assert body["data"] == {"message": "invalid credentials"}
    assert "auth_token" not in body


async def test_a_disabled_account_gives_the_same_answer_too(api: Api) -> None:
    await board(api)
    await api.store.documents.update(
        api.account.id, api.account.id, lambda old: ({**old.body, "enabled": False}, old.private)
    )
    answer = await redeem(api)
    assert (answer.status_code, answer.json()["message"]) == (401, "invalid_credentials")


@pytest.mark.parametrize("key", list(WORDS))
@pytest.mark.parametrize(
    ("value", "code"), [(None, "required"), (5, "type"), ("", "minLength"), ("x" * 129, "maxLength")]
)
async def test_an_incomplete_request_is_told_what_is_missing_and_is_no_attempt(
    api: Api, key: str, value: Any, code: str
) -> None:
    for _ in range(6):
        answer = await redeem(api, **{key: value})
        assert answer.status_code == 400
        assert list(answer.json()["data"]) == [key]
        assert answer.json()["data"][key][code]["message"]


async def test_after_five_wrong_pins_an_address_waits_and_others_do_not(api: Api) -> None:
    await board(api)
    for number in range(5):
        assert (await redeem(api, conference_name=f"other {number}")).status_code == 401
    answer = await redeem(api)
    assert (answer.status_code, answer.json()["message"]) == (429, "too_many_requests")
    async with from_address(api, "192.0.2.9") as elsewhere:
        assert (await elsewhere.put("/v2/conference_auth", json={"data": WORDS})).status_code == 201
    api.clock.now += int(answer.headers["retry-after"])
    assert (await redeem(api)).status_code == 201


async def test_right_pins_are_not_limited(api: Api) -> None:
    await board(api)
    for _ in range(12):
        assert (await redeem(api)).status_code == 201
    assert api.clock.slept == []


async def test_wrong_pins_from_everywhere_slow_a_conference_down_and_never_close_it(api: Api) -> None:
    await board(api)
    for number in range(100):
        async with from_address(api, f"192.0.2.{number}") as stranger:
            data = WORDS | {"conference_pin": f"{number:04}", "account_name": "DEFAULT"}
            assert (await stranger.put("/v2/conference_auth", json={"data": data})).status_code == 401
    assert api.clock.slept[:5] == [0.25, 0.5, 1.0, 2.0, 4.0]
    assert max(api.clock.slept) == 4.0
    before = len(api.clock.slept)
    assert (await redeem(api)).status_code == 201
    assert api.clock.slept[before:] == [4.0]
    await board(api, name="other")
    assert (await redeem(api, conference_name="other")).status_code == 201
    assert len(api.clock.slept) == before + 1


async def test_conferences_that_do_not_exist_slow_down_in_the_same_way(api: Api) -> None:
    for _ in range(5):
        await redeem(api, conference_name="nothing")
    assert api.clock.slept == [0.25, 0.5]


async def test_the_account_makes_a_link(api: Api) -> None:
    conference_id = await board(api)
    assert (await links(api, "GET", conference_id)).json()["data"] == {"shareable": True, "problems": {}}
    answer = await links(api, "PUT", conference_id)
    assert answer.status_code == 201
    data = answer.json()["data"]
    address, _, token = data["link"].partition("?auth=")
    assert address == "https://meet.example"
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["conference_id"], claims["exp"]) == (conference_id, data["exp"])
    assert answer.json()["auth_token"] == api.token


async def test_what_stands_against_a_link_is_told_all_at_once(api: Api) -> None:
    conference_id = await board(api, allow_shareable_link=False, member={"pins": []})
    answer = await links(api, "PUT", conference_id)
    assert (answer.status_code, answer.json()["message"]) == (400, "validation error")
    problems = answer.json()["data"]
    assert {path: list(codes) for path, codes in problems.items()} == {
        "allow_shareable_link": ["disabled"],
        "member.pins": ["missing"],
    }
    shown = (await links(api, "GET", conference_id)).json()["data"]
    assert shown == {"shareable": False, "problems": problems}


async def test_links_ask_for_a_conference_of_ones_own(api: Api) -> None:
    other = await api.store.accounts.create({"name": "other"})
    theirs = await api.store.documents.create(other.id, "conference", {"name": "theirs"})
    user = await api.make("users", username="alice", password="a secret")
    for verb in ("GET", "PUT", "DELETE"):
        for unknown in ("d" * 32, "nonsense", "%00", theirs.id, user["id"]):
            answer = await links(api, verb, unknown)
            assert (answer.status_code, answer.json()["message"]) == (404, "bad_identifier")
        answer = await api.call(verb, f"/v2/accounts/{other.id}/conference_auth/{theirs.id}")
        assert answer.status_code == 403
        answer = await api.http.request(verb, f"/v2/accounts/{api.account.id}/conference_auth/{'d' * 32}")
        assert answer.status_code == 401


async def test_revoking_keeps_the_conference_and_tells_of_the_change(api: Api) -> None:
    conference_id = await board(api)
    before = (await api.call("GET", f"/conferences/{conference_id}")).json()
    assert (await links(api, "DELETE", conference_id)).status_code == 200
    after = (await api.call("GET", f"/conferences/{conference_id}")).json()
    assert after["data"]["member"] == before["data"]["member"]
    assert after["revision"] != before["revision"]
    assert api.changes[-1] == ("changed", "conference", conference_id)
    assert "generation" not in str(after)


async def test_what_revoking_keeps_survives_other_changes_of_the_document(api: Api) -> None:
    conference_id = await board(api)
    await links(api, "DELETE", conference_id)
    body = {"name": "board", "allow_shareable_link": True, "member": {"pins": [PIN]}}
    await api.call("POST", f"/conferences/{conference_id}", {"data": body | {"bridge_username": "mixer"}})
    await api.call("PATCH", f"/conferences/{conference_id}", {"data": {"bridge_password": "tunnel"}})
    await api.call("PATCH", f"/conferences/{conference_id}", {"data": {"bridge_username": "other"}})
    token = (await redeem(api)).json()["auth_token"]
    assert jwt.decode(token, options={"verify_signature": False})["generation"] == 1


@pytest.mark.parametrize("key", list(WORDS))
@pytest.mark.parametrize("text", ["\\ud800", "\\u0000", "%", "é", "\\udfff\\ud800", "'\\\""])
async def test_odd_letters_are_wrong_like_others(api: Api, key: str, text: str) -> None:
    await board(api)
    body = '{"data": {' + ", ".join(f'"{name}": "{text if name == key else WORDS[name]}"' for name in WORDS) + "}}"
    answer = await api.http.put("/v2/conference_auth", content=body.encode())
    assert answer.status_code in (400, 401)


@pytest.mark.parametrize("name", ['Größe "50%" _\\ /', "会議室", " "])
async def test_any_name_that_a_conference_can_have_is_found(api: Api, name: str) -> None:
    await board(api, name=name)
    assert (await redeem(api, conference_name=name)).status_code == 201
