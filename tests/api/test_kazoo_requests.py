"""Every request of `kazoo-requests.md` that this version serves, row by row."""

from typing import Any

import pytest

from .conftest import Api

ROLES = {"numbers": ["1000"], "pins": ["1234"], "join_muted": False, "join_deaf": False}
READ_ONLY = {"members", "admins", "moderators", "duration", "is_locked"}


async def test_row_1_the_list_has_the_documented_keys(api: Api) -> None:
    owner = "ab" * 16
    made = await api.make("conferences", name="Conf", owner_id=owner, member=ROLES)
    rows = (await api.call("GET", "/conferences")).json()["data"]
    assert len(rows) == 1
    assert set(rows[0]) >= {"id", "name", "owner_id", "member", "moderator"} | READ_ONLY
    assert rows[0]["id"] == made["id"]
    assert rows[0]["member"] == ROLES
    assert set(rows[0]["moderator"]) == {"join_muted", "join_deaf", "numbers", "pins"}
    assert (rows[0]["members"], rows[0]["admins"], rows[0]["is_locked"]) == (0, 0, False)


async def test_row_1_a_running_room_stands_in_its_row(api: Api) -> None:
    made = await api.make("conferences", name="Conf")
    api.rooms.open(api.account.id, made["id"], True, False, False)
    row = (await api.call("GET", "/conferences")).json()["data"][0]
    assert (row["members"], row["admins"]) == (2, 1)
    live = row["_read_only"]
    assert (live["members"], live["moderators"], live["participant_count"]) == (2, 1, 3)
    assert (live["run_time"], live["start_time"]) == (7, 1_700_000_000 + 62_167_219_200)
    assert (live["switch_hostname"], live["uuid"]) == ("node-1", "u-1")


async def test_row_2_creation_answers_with_the_document_and_its_defaults(api: Api) -> None:
    answer = await api.call("PUT", "/conferences", {"data": {"name": "Conf", "flags": ["x"], "own key": {"a": 1}}})
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert answer.headers["location"] == data["id"]
    assert len(data["id"]) == 32
    assert (data["name"], data["flags"], data["own key"]) == ("Conf", ["x"], {"a": 1})
    assert data["member"] == {"join_muted": True, "join_deaf": False, "numbers": [], "pins": []}
    assert data["moderator"] == {"join_muted": False, "join_deaf": False, "numbers": [], "pins": []}
    assert (data["play_name"], data["conference_numbers"], data["allow_shareable_link"]) == (False, [], False)


async def test_row_3_the_document_has_the_live_block(api: Api) -> None:
    made = await api.make("conferences", name="Conf")
    api.rooms.open(api.account.id, made["id"], True, False)
    data = (await api.call("GET", f"/conferences/{made['id']}")).json()["data"]
    live = data["_read_only"]
    assert data["focus"] == "node-1"
    assert (live["members"], live["admins"], live["duration"], live["is_locked"]) == (1, 1, 7, False)
    assert set(live["participants"][0]) >= {
        "call_id", "conference_name", "conference_uuid", "switch_hostname", "floor", "hear", "speak", "talking",
        "mute_detect", "participant_id", "energy_level", "current_energy", "video", "is_moderator", "join_time",
        "duration", "conference_channel_vars",
    }  # fmt: skip


async def test_row_4_a_merge_changes_only_what_it_names_and_null_removes(api: Api) -> None:
    made = await api.make("conferences", name="Conf", language="de-de", member={"pins": ["1"]}, own=1)
    patch = {"data": {"language": None, "own": None, "member": {"join_muted": False}, "moderator": {"pins": ["2"]}}}
    answer = await api.call("PATCH", f"/conferences/{made['id']}", patch)
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert "language" not in data
    assert "own" not in data
    assert (data["name"], data["member"]["pins"], data["member"]["join_muted"]) == ("Conf", ["1"], False)
    assert data["moderator"]["pins"] == ["2"]
    assert data == (await api.call("GET", f"/conferences/{made['id']}")).json()["data"]


async def test_row_5_a_replacement_forgets_the_rest_and_writes_defaults_again(api: Api) -> None:
    made = await api.make("conferences", name="Conf", language="de-de", member={"join_muted": False})
    answer = await api.call("POST", f"/conferences/{made['id']}", {"data": {"name": "New"}})
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert data["id"] == made["id"]
    assert data["name"] == "New"
    assert "language" not in data
    assert data["member"]["join_muted"] is True


async def test_row_6_deletion_answers_with_the_last_document(api: Api) -> None:
    made = await api.make("conferences", name="Conf")
    answer = await api.call("DELETE", f"/conferences/{made['id']}")
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert (data["name"], data["_read_only"]["deleted"]) == ("Conf", True)
    assert (await api.call("GET", "/conferences")).json()["data"] == []
    assert (await api.call("DELETE", f"/conferences/{made['id']}")).status_code == 404


async def test_rows_7_and_8_lock_and_unlock(api: Api) -> None:
    made = await api.make("conferences", name="Conf")
    api.rooms.open(api.account.id, made["id"], False)
    for action, locked in (("lock", True), ("unlock", False)):
        answer = await api.call("PUT", f"/conferences/{made['id']}", {"action": action, "data": {}})
        assert (answer.status_code, answer.json()["data"], answer.json()["status"]) == (202, "ok", "success")
        data = (await api.call("GET", f"/conferences/{made['id']}")).json()["data"]
        assert data["_read_only"]["is_locked"] is locked


@pytest.mark.parametrize(
    "body",
    [
        {"action": "play", "data": {"media_id": "M"}},
        {"action": "play", "data": {"data": {"media_id": "M"}}},
        {"data": {"action": "play", "data": {"media_id": "M"}}},
        {"data": {"action": "play", "media_id": "M"}},
    ],
)
async def test_rows_9_and_10_play_in_every_shape_of_body(api: Api, body: dict[str, Any]) -> None:
    api.rooms.open(api.account.id, "adhoc", False)
    for path in ("/conferences/adhoc", "/conferences/adhoc/participants", "/conferences/adhoc/participants/1"):
        answer = await api.call("PUT", path, body)
        assert (answer.status_code, answer.json()["data"]) == (202, "ok")
    assert api.rooms.commands == [
        ("adhoc", "play", {"media_id": "M"}),
        ("adhoc", None, "play", {"media_id": "M"}),
        ("adhoc", 1, "play", {"media_id": "M"}),
    ]


@pytest.mark.parametrize("action", ["mute", "unmute", "deaf", "undeaf", "kick"])
async def test_row_17_an_action_on_many_answers_with_the_conference(api: Api, action: str) -> None:
    made = await api.make("conferences", name="Conf")
    api.rooms.open(api.account.id, made["id"], False)
    answer = await api.call("PUT", f"/conferences/{made['id']}/participants", {"data": {"action": action}})
    assert answer.status_code == 200
    assert answer.json()["data"]["name"] == "Conf"
    assert api.rooms.commands == [(made["id"], None, action, {})]


@pytest.mark.parametrize("action", ["mute", "unmute", "deaf", "undeaf", "kick"])
@pytest.mark.parametrize("query", ["", "?random=x"])
async def test_rows_19_and_20_an_action_on_one_participant(api: Api, action: str, query: str) -> None:
    made = await api.make("conferences", name="Conf")
    api.rooms.open(api.account.id, made["id"], True)
    path = f"/conferences/{made['id']}/participants/1{query}"
    answer = await api.call("PUT", path, {"data": {"action": action}})
    assert (answer.status_code, answer.json()["data"]) == (202, "ok")
    assert api.rooms.commands == [(made["id"], 1, action, {})]


async def test_row_21_play_to_one_participant(api: Api) -> None:
    api.rooms.open(api.account.id, "adhoc", False)
    body = {"data": {"action": "play", "data": {"media_id": "M"}}}
    answer = await api.call("PUT", "/conferences/adhoc/participants/1", body)
    assert answer.status_code == 202
    assert api.rooms.commands == [("adhoc", 1, "play", {"media_id": "M"})]


async def test_row_22_participants_as_a_list_and_one_by_one(api: Api) -> None:
    api.rooms.open(api.account.id, "adhoc", False, True)
    listed = (await api.call("GET", "/conferences/adhoc/participants")).json()["data"]
    assert [one["participant_id"] for one in listed] == [1, 2]
    one = (await api.call("GET", "/conferences/adhoc/participants/2")).json()["data"]
    assert one == listed[1]
    assert one["is_moderator"] is one["conference_channel_vars"]["is_moderator"] is True
    assert (await api.call("GET", "/conferences/idle/participants")).json()["data"] == []


@pytest.mark.parametrize(
    "document",
    [
        {"numbers": ["3000"], "flow": {"module": "conference", "data": {"id": "c" * 32}, "children": {}}},
        {"patterns": ["(.{32})"], "flow": {"module": "conference_feature", "data": {}}},
        {"flow": {"module": "conference", "data": {"config": {"name": "adhoc", "play_name": True}}}},
        {"flow": {"module": "conference", "data": {}}},
    ],
)
async def test_rows_24_to_27_callflows_are_stored_as_they_are(api: Api, document: dict[str, Any]) -> None:
    made = await api.make("callflows", **document)
    found = (await api.call("GET", f"/callflows/{made['id']}")).json()["data"]
    assert found["flow"] == document["flow"]
    assert found["numbers"] == document.get("numbers", [])
    assert found["patterns"] == document.get("patterns", [])
