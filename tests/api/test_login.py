"""Tokens: how to get one, what it opens, how it ends."""

import hashlib

import httpx
import pytest

from .conftest import Api


async def user_auth(api: Api, username: str, password: str, method: str = "md5", **account: str) -> httpx.Response:
    text = f"{username}:{password}".encode()
    digest = hashlib.md5(text).hexdigest() if method == "md5" else hashlib.sha1(text).hexdigest()  # noqa: S324
    account = account or {"account_name": "default"}
    return await api.http.put("/v2/user_auth", json={"data": {"credentials": digest, "method": method} | account})


async def test_an_api_key_gives_a_token(api: Api) -> None:
    answer = await api.http.put("/v2/api_auth", json={"data": {"api_key": api.credentials["api_key"]}})
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert data["account_id"] == api.account.id
    assert (data["is_reseller"], data["reseller_id"], data["language"], data["apps"]) == (
        False,
        api.account.id,
        "en-us",
        [],
    )
    assert answer.json()["auth_token"]


@pytest.mark.parametrize("method", ["md5", "sha"])
@pytest.mark.parametrize("account", [{"account_name": "Default"}, {"account_realm": "Mirliton.local"}])
async def test_the_first_user_can_log_in(api: Api, method: str, account: dict[str, str]) -> None:
    answer = await user_auth(api, "admin", api.credentials["password"], method, **account)
    assert answer.status_code == 201
    assert len(answer.json()["data"]["owner_id"]) == 32
    api.token = answer.json()["auth_token"]
    assert (await api.call("GET", "/conferences")).status_code == 200


async def test_a_number_of_the_account_names_it(api: Api) -> None:
    await api.make("callflows", numbers=["5551234"], flow={"module": "conference"})
    assert (await user_auth(api, "admin", api.credentials["password"], phone_number="5551234")).status_code == 201
    assert (await user_auth(api, "admin", api.credentials["password"], phone_number="5559999")).status_code == 401


async def test_wrong_credentials_are_refused_in_the_same_way_whatever_is_wrong(api: Api) -> None:
    good = api.credentials["password"]
    answers = [
        await user_auth(api, "admin", "wrong"),
        await user_auth(api, "nobody", good),
        await user_auth(api, "admin", good, account_name="nobody"),
        await api.http.put("/v2/api_auth", json={"data": {"api_key": "0" * 64}}),
    ]
    for answer in answers:
        assert answer.status_code == 401
        body = answer.json()
        assert (body["status"], body["error"], body["message"]) == ("error", "401", "invalid_credentials")
        assert body["data"] == {"message": "invalid credentials"}


@pytest.mark.parametrize(
    ("path", "data", "key", "code"),
    [
        ("api_auth", {}, "api_key", "required"),
        ("api_auth", {"api_key": 5}, "api_key", "type"),
        ("user_auth", {"account_name": "x"}, "credentials", "required"),
        ("user_auth", {"credentials": "0" * 32}, "account_name", "required"),
        ("user_auth", {"credentials": "0" * 32, "account_name": "x", "method": "rot13"}, "method", "enum"),
        ("user_auth", {"credentials": "0" * 32, "account_name": "x", "method": ["md5"]}, "method", "enum"),
        ("user_auth", {"credentials": "0" * 32, "account_name": ["x"]}, "account_name", "type"),
    ],
)
async def test_an_incomplete_login_is_told_what_is_missing(
    api: Api, path: str, data: dict[str, object], key: str, code: str
) -> None:
    answer = await api.http.put(f"/v2/{path}", json={"data": data})
    assert answer.status_code == 400
    assert answer.json()["message"] == "validation error"
    assert answer.json()["data"][key][code]["message"]


async def test_after_five_failures_a_client_waits_and_then_may_try_again(api: Api) -> None:
    for _ in range(5):
        assert (await user_auth(api, "admin", "wrong")).status_code == 401
    answer = await user_auth(api, "admin", api.credentials["password"])
    assert (answer.status_code, answer.json()["message"]) == (429, "too_many_requests")
    assert answer.json()["tokens"]["remaining"] == 0
    api.clock.now += int(answer.headers["retry-after"])
    assert (await user_auth(api, "admin", api.credentials["password"])).status_code == 201


async def test_logins_that_succeed_are_not_limited(api: Api) -> None:
    for _ in range(12):
        await api.login()


@pytest.mark.parametrize("where", ["header", "query", "body"])
async def test_the_token_may_come_in_three_places(api: Api, where: str) -> None:
    path = f"/v2/accounts/{api.account.id}/conferences"
    body: dict[str, object] = {"data": {"name": where}}
    if where == "header":
        answer = await api.http.put(path, json=body, headers={"X-Auth-Token": api.token})
    elif where == "query":
        answer = await api.http.put(path, json=body, params={"auth_token": api.token})
    else:
        answer = await api.http.put(path, json=body | {"auth_token": api.token})
    assert answer.status_code == 201
    assert answer.json()["auth_token"] == api.token


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "é"])
async def test_without_a_living_token_nothing_opens(api: Api, token: str) -> None:
    for path in (f"/v2/accounts/{api.account.id}/conferences", f"/v2/accounts/{'0' * 32}", "/v2/token_auth"):
        answer = await api.http.get(path, headers={b"X-Auth-Token": token.encode()})
        assert (answer.status_code, answer.json()["message"]) == (401, "invalid_credentials")
        assert answer.headers["content-type"] == "application/json"


async def test_another_account_is_forbidden_and_an_unknown_one_not_found(api: Api) -> None:
    other = await api.store.accounts.create({"name": "other"})
    made = await api.store.documents.create(other.id, "conference", {"name": "theirs"})
    for path in ("", "/conferences", f"/conferences/{made.id}", "/api_key"):
        answer = await api.call("GET", f"/v2/accounts/{other.id}{path}")
        assert (answer.status_code, answer.json()["message"]) == (403, "forbidden")
    answer = await api.call("DELETE", f"/conferences/{made.id}")
    assert answer.status_code == 404
    for unknown in ("0" * 32, "nonsense", "%00"):
        answer = await api.call("GET", f"/v2/accounts/{unknown}/conferences")
        assert (answer.status_code, answer.json()["message"]) == (404, "bad_identifier")


async def test_a_disabled_account_is_locked_out(api: Api) -> None:
    await api.store.documents.update(
        api.account.id, api.account.id, lambda old: ({**old.body, "enabled": False}, old.private)
    )
    assert (await api.call("GET", "/conferences")).status_code == 423
    answer = await api.http.put("/v2/api_auth", json={"data": {"api_key": api.credentials["api_key"]}})
    assert answer.status_code == 423


async def test_a_token_lives_an_hour_from_its_last_use(api: Api) -> None:
    for _ in range(3):
        api.clock.now += 3000
        assert (await api.call("GET", "/conferences")).status_code == 200
    api.clock.now += 3601
    assert (await api.call("GET", "/conferences")).status_code == 401


async def test_a_token_can_be_looked_at_and_ended(api: Api) -> None:
    answer = await api.call("GET", f"/v2/user_auth/{api.token}")
    assert answer.json()["data"]["account_id"] == api.account.id
    assert answer.json()["data"]["method"] == "api_auth"
    assert (await api.call("GET", "/v2/token_auth")).json()["data"]["account_id"] == api.account.id
    assert (await api.call("GET", "/v2/user_auth/unknown")).status_code == 404
    assert (await api.call("DELETE", "/v2/token_auth")).status_code == 200
    assert (await api.call("GET", "/conferences")).status_code == 401


async def test_a_new_password_ends_the_old_logins_and_never_comes_back(api: Api) -> None:
    made = await api.make("users", username="Alice", password="first secret", first_name="A", last_name="B")
    assert "password" not in made
    old = (await user_auth(api, "Alice", "first secret")).json()["auth_token"]
    answer = await api.call("PATCH", f"/users/{made['id']}", {"data": {"password": "second secret"}})
    assert answer.status_code == 200
    assert "secret" not in answer.text
    assert (await api.http.get("/v2/token_auth", headers={"X-Auth-Token": old})).status_code == 401
    assert (await user_auth(api, "Alice", "first secret")).status_code == 401
    assert (await user_auth(api, "Alice", "second secret")).status_code == 201


async def test_a_replaced_user_without_password_keeps_the_old_one(api: Api) -> None:
    made = await api.make("users", username="alice", password="a secret")
    await api.call("POST", f"/users/{made['id']}", {"data": {"username": "alice", "email": "a@example.com"}})
    assert (await user_auth(api, "alice", "a secret")).status_code == 201
    answer = await api.call("PATCH", f"/users/{made['id']}", {"data": {"username": "bob"}})
    assert "required" in answer.json()["data"]["password"]


async def test_a_disabled_or_deleted_user_cannot_log_in(api: Api) -> None:
    made = await api.make("users", username="alice", password="a secret")
    token = (await user_auth(api, "alice", "a secret")).json()["auth_token"]
    await api.call("PATCH", f"/users/{made['id']}", {"data": {"enabled": False}})
    assert (await user_auth(api, "alice", "a secret")).status_code == 401
    await api.call("DELETE", f"/users/{made['id']}")
    assert (await api.http.get("/v2/token_auth", headers={"X-Auth-Token": token})).status_code == 401
