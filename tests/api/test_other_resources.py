"""Callflows, users, devices, the account, its configuration, and the schemas."""

import json

import pytest

from mirliton.store.credentials import ha1

from .conftest import Api


async def test_a_pattern_that_would_not_run_is_refused(api: Api) -> None:
    body = {"data": {"patterns": ["^1$", "(a)\\1"], "flow": {"module": "conference"}}}
    answer = await api.call("PUT", "/callflows", body)
    assert answer.status_code == 400
    assert list(answer.json()["data"]) == ["patterns.1"]


async def test_a_callflow_number_is_unique(api: Api) -> None:
    await api.make("callflows", numbers=["no_match"], flow={"module": "conference"})
    answer = await api.call("PUT", "/callflows", {"data": {"numbers": ["no_match"], "flow": {"module": "conference"}}})
    assert answer.json()["data"]["numbers"]["unique"]["cause"] == "no_match"


async def test_a_conference_inside_a_flow_is_validated(api: Api) -> None:
    flow = {"module": "conference", "data": {"config": {"name": "x", "member": {"pins": ["x"]}}}}
    answer = await api.call("PUT", "/callflows", {"data": {"flow": flow}})
    assert list(answer.json()["data"]) == ["flow.data.config.member.pins.0"]


async def test_a_devices_password_becomes_digests_for_the_accounts_realm(api: Api) -> None:
    made = await api.make("devices", name="phone", sip={"username": "alice", "password": "wonderland"})
    assert made["sip"] == {"username": "alice", "method": "password"}
    stored = await api.store.sip_credential("mirliton.local", "alice")
    assert stored is not None
    assert stored.ha1 == ha1("alice", "mirliton.local", "wonderland")
    assert "wonderland" not in json.dumps(stored.holder.body | stored.holder.private)


async def test_a_device_keeps_its_password_until_another_or_a_new_name_comes(api: Api) -> None:
    made = await api.make("devices", name="phone", sip={"username": "alice", "password": "wonderland"})
    path = f"/devices/{made['id']}"
    await api.call("POST", path, {"data": {"name": "phone 2", "sip": {"username": "alice"}}})
    kept = await api.store.sip_credential("mirliton.local", "alice")
    assert kept is not None
    assert kept.ha1 == ha1("alice", "mirliton.local", "wonderland")
    answer = await api.call("PATCH", path, {"data": {"sip": {"username": "bob"}}})
    assert "required" in answer.json()["data"]["sip.password"]
    await api.call("PATCH", path, {"data": {"sip": {"username": "bob", "password": "builder"}}})
    assert await api.store.sip_credential("mirliton.local", "alice") is None
    assert await api.store.sip_credential("mirliton.local", "bob") is not None
    await api.call("PATCH", path, {"data": {"sip": {"username": None}}})
    assert await api.store.sip_credential("mirliton.local", "bob") is None


async def test_a_sip_user_name_belongs_to_one_device(api: Api) -> None:
    await api.make("devices", name="phone", sip={"username": "alice", "password": "wonderland"})
    body = {"data": {"name": "other", "sip": {"username": "alice", "password": "wonderland"}}}
    assert "unique" in (await api.call("PUT", "/devices", body)).json()["data"]["sip.username"]


@pytest.mark.parametrize("sip", [{"username": "alice"}, {"password": "wonderland"}])
async def test_half_a_credential_is_refused(api: Api, sip: dict[str, str]) -> None:
    assert (await api.call("PUT", "/devices", {"data": {"name": "x", "sip": sip}})).status_code == 400
    user = {key: value for key, value in sip.items() if key == "password"}
    if user:
        assert (await api.call("PUT", "/users", {"data": user})).status_code == 400


async def test_the_account_can_be_renamed_and_keeps_its_secrets(api: Api) -> None:
    data = (await api.call("PATCH", "", {"data": {"name": "Acme", "language": "de-de"}})).json()["data"]
    assert (data["name"], data["language"], data["realm"], data["id"]) == (
        "Acme",
        "de-de",
        "mirliton.local",
        api.account.id,
    )
    assert api.credentials["api_key"] not in json.dumps(data)
    assert (await api.call("GET", "/api_key")).json()["data"] == {"api_key": api.credentials["api_key"]}
    data = (await api.call("POST", "", {"data": {"name": "Acme 2"}})).json()["data"]
    assert data["realm"] == "mirliton.local"


async def test_the_realm_changes_only_while_no_device_depends_on_it(api: Api) -> None:
    data = (await api.call("PATCH", "", {"data": {"realm": "New.Example"}})).json()["data"]
    assert data["realm"] == "new.example"
    assert await api.store.accounts.by_realm("mirliton.local") is None
    made = await api.make("devices", name="phone", sip={"username": "alice", "password": "wonderland"})
    answer = await api.call("PATCH", "", {"data": {"realm": "other.example"}})
    assert (answer.status_code, list(answer.json()["data"]["realm"])) == (400, ["forbidden"])
    await api.call("DELETE", f"/devices/{made['id']}")
    assert (await api.call("PATCH", "", {"data": {"realm": "other.example"}})).status_code == 200


async def test_an_account_cannot_lock_itself_out(api: Api) -> None:
    answer = await api.call("PATCH", "", {"data": {"enabled": False}})
    assert (answer.status_code, list(answer.json()["data"]["enabled"])) == (400, ["forbidden"])
    assert (await api.call("PATCH", "", {"data": {"enabled": True}})).status_code == 200


async def test_two_accounts_cannot_share_a_realm(api: Api) -> None:
    await api.store.accounts.create({"name": "other", "realm": "other.example"})
    answer = await api.call("PATCH", "", {"data": {"realm": "OTHER.example"}})
    assert list(answer.json()["data"]["realm"]) == ["unique"]


async def test_the_configuration_is_empty_at_first_and_then_merged(api: Api) -> None:
    path = "/config/conferences"
    assert (await api.call("GET", path)).json()["data"] == {"id": "conferences"}
    answer = await api.call("PATCH", path, {"data": {"pin_timeout": "3000", "profiles": {"loud": {"energy-level": 0}}}})
    assert answer.status_code == 200
    await api.call("PATCH", path, {"data": {"entry_tone": "silence_stream://1", "profiles": {"loud": {"rate": 8000}}}})
    data = (await api.call("GET", path)).json()["data"]
    assert (data["pin_timeout"], data["profiles"]) == (3000, {"loud": {"energy-level": 0, "rate": 8000}})
    assert (await api.store.config(api.account.id, "conferences"))["entry_tone"] == "silence_stream://1"
    data = (await api.call("POST", path, {"data": {"number_timeout": 1000}})).json()["data"]
    assert "pin_timeout" not in data
    assert [change[:2] for change in api.changes] == [
        ("created", "config"),
        ("changed", "config"),
        ("changed", "config"),
    ]


async def test_a_bad_configuration_and_an_unknown_category_are_refused(api: Api) -> None:
    body = {"data": {"profiles": {"x": {"interval": 5}}, "controls": {"g": [{"digits": "1"}]}}}
    answer = await api.call("PATCH", "/config/conferences", body)
    assert set(answer.json()["data"]) == {"profiles.x.interval", "controls.g.0.action"}
    assert (await api.call("GET", "/config/songs")).status_code == 404
    answer = await api.call("POST", "/config/conferences", {"data": {}}, headers={"If-Match": '"1-x"'})
    assert answer.status_code == 409


async def test_schemas_can_be_read_without_a_token(api: Api) -> None:
    ids = (await api.http.get("/v2/schemas")).json()["data"]
    assert {"conferences", "conferences.profile", "callflows.conference"} <= set(ids)
    for schema_id in ids:
        data = (await api.http.get(f"/v2/schemas/{schema_id}")).json()["data"]
        assert (data["id"], data["type"]) == (schema_id, "object")
    assert (await api.http.get("/v2/schemas/songs")).status_code == 404


async def test_a_document_can_be_tried_without_storing_it(api: Api) -> None:
    path = "/v2/schemas/conferences/validation"
    answer = await api.http.put(path, json={"data": {"name": "x"}})
    assert answer.json()["data"]["member"]["join_muted"] is True
    assert (await api.http.put(path, json={"data": {}})).status_code == 400
    assert (await api.http.put("/v2/schemas/songs/validation", json={"data": {}})).status_code == 404


@pytest.mark.parametrize("collection", ["conferences", "callflows", "media", "users", "devices"])
async def test_every_collection_lists_reads_and_deletes_the_same_way(api: Api, collection: str) -> None:
    made = await api.make(collection, name="x", flow={"module": "conference"})
    assert (await api.call("GET", f"/{collection}/{made['id']}")).json()["data"]["id"] == made["id"]
    assert made["id"] in [row["id"] for row in (await api.call("GET", f"/{collection}")).json()["data"]]
    assert (await api.call("PATCH", f"/{collection}/{made['id']}", {"data": {"own": 1}})).json()["data"]["own"] == 1
    deleted = await api.call("DELETE", f"/{collection}/{made['id']}")
    assert deleted.json()["data"]["_read_only"]["deleted"] is True
    assert (await api.call("PATCH", f"/{collection}/{made['id']}", {"data": {}})).status_code == 404


async def test_devices_and_bridges_share_the_sip_user_names_of_an_account(api: Api) -> None:
    await api.make("devices", name="phone", sip={"username": "alice", "password": "wonderland"})
    made = await api.make("conferences", name="x", bridge_username="trunk", bridge_password="long enough")
    for path, data, key in (
        ("/conferences", {"name": "y", "bridge_username": "alice", "bridge_password": "p"}, "bridge_username"),
        ("/devices", {"name": "z", "sip": {"username": "trunk", "password": "wonderland"}}, "sip.username"),
    ):
        answer = await api.call("PUT", path, {"data": data})
        assert answer.status_code == 400
        assert list(answer.json()["data"][key]) == ["unique"]
    again = await api.call("PATCH", f"/conferences/{made['id']}", {"data": {"bridge_password": "another one"}})
    assert again.status_code == 200
