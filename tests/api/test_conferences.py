"""Conferences over REST: validation, numbers, revisions, ad-hoc rooms, actions that go wrong."""

import asyncio
from typing import Any

import pytest

from mirliton.calls.live import Refused

from .conftest import Api

UNKNOWN = "0" * 32


async def test_all_errors_come_in_one_answer(api: Api) -> None:
    document = {"member": {"pins": ["1", "x"]}, "profile": {"interval": 5}, "max_participants": "5"}
    answer = await api.call("PUT", "/conferences", {"data": document})
    assert (answer.status_code, answer.json()["message"]) == (400, "validation error")
    data = answer.json()["data"]
    assert {path: list(codes) for path, codes in data.items()} == {
        "name": ["required"],
        "member.pins.1": ["pattern"],
        "profile.interval": ["minimum"],
    }
    assert (await api.call("GET", "/conferences")).json()["data"] == []


async def test_private_keys_focus_and_id_are_not_taken_from_clients(api: Api) -> None:
    made = await api.make(
        "conferences", name="x", id="mine", focus="here", _read_only={"deleted": True}, pvt_type="user", _id="x"
    )
    assert made["id"] != "mine"
    assert not {"focus", "pvt_type", "_id"} & set(made)
    assert "deleted" not in made["_read_only"]
    assert made["_read_only"]["created"] == made["_read_only"]["modified"] == 1_700_000_000 + 62_167_219_200


async def test_a_document_can_be_sent_back_as_it_was_read(api: Api) -> None:
    made = await api.make("conferences", name="x", member={"numbers": ["1"]}, own=[1])
    again = (await api.call("POST", f"/conferences/{made['id']}", {"data": made})).json()["data"]
    assert again == made


async def test_the_bridge_password_goes_in_and_never_out(api: Api) -> None:
    made = await api.make("conferences", name="x", bridge_username="u", bridge_password="hush hush")
    path = f"/conferences/{made['id']}"
    answers = [
        await api.call("GET", path),
        await api.call("PATCH", path, {"data": {"bridge_password": "hush more"}}),
        await api.call("GET", "/conferences"),
        await api.call("DELETE", path),
    ]
    assert all("hush" not in answer.text for answer in answers)
    assert made["bridge_username"] == "u"


async def test_a_number_of_another_conference_is_refused_with_the_clash(api: Api) -> None:
    await api.make("conferences", name="one", conference_numbers=["1", "2"], member={"numbers": ["3"]})
    clash = {"name": "two", "moderator": {"numbers": ["3", "9"]}, "member": {"numbers": ["1"]}}
    answer = await api.call("PUT", "/conferences", {"data": clash})
    assert answer.status_code == 400
    assert answer.json()["data"]["numbers"]["unique"]["cause"] == "1,3"
    two = await api.make("conferences", name="two", conference_numbers=["9"], member={"numbers": ["9"]})
    for method in ("PATCH", "POST"):
        answer = await api.call(method, f"/conferences/{two['id']}", {"data": clash})
        assert list(answer.json()["data"]["numbers"]) == ["unique"]


async def test_of_concurrent_creations_with_one_number_one_succeeds(api: Api) -> None:
    bodies = [{"data": {"name": str(n), "conference_numbers": ["77"]}} for n in range(12)]
    answers = await asyncio.gather(*(api.call("PUT", "/conferences", body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 11


async def test_concurrent_merges_are_all_kept(api: Api) -> None:
    made = await api.make("conferences", name="x")
    path = f"/conferences/{made['id']}"
    answers = await asyncio.gather(*(api.call("PATCH", path, {"data": {f"k{n}": n}}) for n in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    data = (await api.call("GET", path)).json()["data"]
    assert [data[f"k{n}"] for n in range(12)] == list(range(12))


async def test_a_stale_if_match_is_a_conflict_and_changes_nothing(api: Api) -> None:
    made = await api.make("conferences", name="x")
    path = f"/conferences/{made['id']}"
    first = (await api.call("GET", path)).headers["etag"]
    assert (await api.call("PATCH", path, {"data": {"name": "y"}}, headers={"If-Match": first})).status_code == 200
    for method in ("PATCH", "POST", "DELETE"):
        answer = await api.call(method, path, {"data": {"name": "z"}}, headers={"If-Match": first})
        assert (answer.status_code, answer.json()["message"]) == (409, "datastore_conflict")
    current = await api.call("GET", path)
    assert current.json()["data"]["name"] == "y"
    assert (await api.call("DELETE", path, headers={"If-Match": current.headers["etag"]})).status_code == 200


async def test_what_the_client_has_already_is_304(api: Api) -> None:
    made = await api.make("conferences", name="x")
    for path in (f"/conferences/{made['id']}", "/conferences", "/conferences/adhoc"):
        etag = (await api.call("GET", path)).headers["etag"]
        again = await api.call("GET", path, headers={"If-None-Match": f'"other", {etag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)


async def test_a_running_room_changes_the_etag_but_not_the_revision(api: Api) -> None:
    made = await api.make("conferences", name="x")
    path = f"/conferences/{made['id']}"
    idle = await api.call("GET", path)
    api.rooms.open(api.account.id, made["id"], False)
    running = await api.call("GET", path, headers={"If-None-Match": idle.headers["etag"]})
    assert running.status_code == 200
    assert running.json()["revision"] == idle.json()["revision"]
    patched = await api.call("PATCH", path, {"data": {"x": 1}}, headers={"If-Match": running.headers["etag"]})
    assert patched.status_code == 200


async def test_an_unknown_id_is_an_ad_hoc_room_for_reading_and_unknown_for_changes(api: Api) -> None:
    api.rooms.open(api.account.id, "sales", True, False)
    for conference_id, members in (("sales", 1), (UNKNOWN, 0), ("Room 5", 0)):
        answer = await api.call("GET", f"/conferences/{conference_id}")
        data = answer.json()["data"]
        assert answer.status_code == 200
        assert (data["id"], data["_read_only"]["members"]) == (conference_id, members)
        assert data["member"]["join_muted"] is True
    for method in ("POST", "PATCH", "DELETE"):
        for conference_id in ("sales", UNKNOWN):
            answer = await api.call(method, f"/conferences/{conference_id}", {"data": {"name": "x"}})
            assert (answer.status_code, answer.json()["data"]["cause"]) == (404, conference_id)


async def test_the_rooms_of_other_accounts_are_not_seen(api: Api) -> None:
    api.rooms.open("f" * 32, "sales", False)
    assert (await api.call("GET", "/conferences/sales/participants")).json()["data"] == []
    answer = await api.call("PUT", "/conferences/sales", {"action": "lock"})
    assert (answer.status_code, api.rooms.locked) == (404, set())


@pytest.mark.parametrize(
    ("body", "code", "path", "error"),
    [
        ({"action": "play"}, 400, "data", "required"),
        ({"action": "play", "data": {}}, 400, "data", "required"),
        ({"data": {"action": "play"}}, 400, "data", "required"),
        ({"action": "play", "data": {"x": 1}}, 400, "data.media_id", "required"),
        ({"action": "play", "data": {"media_id": 5}}, 400, "data.media_id", "type"),
        ({"action": "record", "data": {}}, 400, "data.action", "required"),
        ({"data": {"action": "record"}}, 400, "data.action", "required"),
        ({"action": "record", "data": {"action": "pause"}}, 400, "data.action", "enum"),
        ({"action": "record", "data": {"action": ["x"]}}, 400, "data.action", "enum"),
        ({"action": "record", "data": {"action": "start", "format": "mp3"}}, 400, "data.format", "enum"),
        ({"action": "record", "data": {"action": "start", "format": ["wav"]}}, 400, "data.format", "enum"),
        ({"action": "record", "data": {"action": "start", "tracks": "yes"}}, 400, "data.tracks", "type"),
        ({"action": "dial", "data": {"data": {}}}, 400, "endpoints", "required"),
        ({"action": "dial", "data": {"endpoints": []}}, 400, "endpoints", "minItems"),
    ],
)
async def test_an_action_with_bad_arguments_is_told_which(
    api: Api, body: dict[str, Any], code: int, path: str, error: str
) -> None:
    api.rooms.open(api.account.id, "sales", False)
    answer = await api.call("PUT", "/conferences/sales", body)
    assert answer.status_code == code
    assert list(answer.json()["data"][path]) == [error]
    assert api.rooms.commands == []


@pytest.mark.parametrize(
    "body",
    [
        {"action": "dial", "data": {"data": {"endpoints": ["sip:x@example.com"], "caller_id_name": "Conference XYZ"}}},
    ],
)
async def test_what_is_not_built_yet_says_so(api: Api, body: dict[str, Any]) -> None:
    answer = await api.call("PUT", "/conferences/sales", body)
    assert (answer.status_code, answer.json()["message"]) == (501, "not_implemented")


@pytest.mark.parametrize(
    "body", [{}, {"action": "dance"}, {"action": 5}, {"data": {"action": None}}, {"action": "x" * 5000}]
)
@pytest.mark.parametrize("path", ["", "/participants", "/participants/1"])
async def test_an_unknown_action_is_a_faulty_request(api: Api, body: dict[str, Any], path: str) -> None:
    api.rooms.open(api.account.id, "sales", False)
    answer = await api.call("PUT", f"/conferences/sales{path}", body)
    assert (answer.status_code, answer.json()["message"]) == (404, "faulty_request")
    assert len(answer.text) < 1000


async def test_media_that_cannot_be_resolved_is_named(api: Api) -> None:
    api.rooms.open(api.account.id, "sales", False)
    for path in ("", "/participants", "/participants/1"):
        body = {"data": {"action": "play", "data": {"media_id": "unresolvable"}}}
        answer = await api.call("PUT", f"/conferences/sales{path}", body)
        assert (answer.status_code, answer.json()["data"]) == (404, ["unresolvable"])


async def test_an_action_on_a_room_that_does_not_run_is_accepted_and_says_that_nothing_was_done(api: Api) -> None:
    idle = (await api.make("conferences", name="idle"))["id"]
    for action in ("lock", "unlock"):
        answer = await api.call("PUT", f"/conferences/{idle}", {"action": action})
        assert (answer.status_code, answer.json()["data"]) == (202, "ok")
        assert "nothing was done" in answer.json()["message"]
        assert answer.json()["_read_only"]["participants"] == []
    answer = await api.call("PUT", f"/conferences/{idle}/participants", {"data": {"action": "mute"}})
    assert (answer.status_code, answer.json()["data"]["id"]) == (200, idle)


@pytest.mark.parametrize("conference_id", [UNKNOWN, "sales", "Room 5"])
@pytest.mark.parametrize("path", ["", "/participants"])
@pytest.mark.parametrize("action", ["play", "lock", "record", "mute", "kick", "relate"])
async def test_an_action_on_a_conference_that_nobody_knows_is_not_found(
    api: Api, conference_id: str, path: str, action: str
) -> None:
    api.rooms.open("f" * 32, "sales", False)
    body = {"action": action, "data": {"media_id": "M", "action": "start"}}
    answer = await api.call("PUT", f"/conferences/{conference_id}{path}", body)
    assert (answer.status_code, answer.json()["message"]) == (404, "bad_identifier")
    assert answer.json()["data"]["cause"] == conference_id
    assert api.rooms.commands == []


async def test_an_action_answers_with_the_state_that_it_left(api: Api) -> None:
    api.rooms.open(api.account.id, "sales", True, False)

    async def state(path: str, action: str, /, **data: Any) -> dict[str, Any]:
        answer = await api.call("PUT", f"/conferences/sales{path}", {"action": action, "data": data})
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()["_read_only"]
        return found

    assert (await state("", "lock"))["is_locked"] is True
    assert (await state("", "unlock"))["is_locked"] is False
    assert (await state("", "record", action="start"))["is_recording"] is True
    assert (await state("", "record", action="stop"))["is_recording"] is False
    muted = await state("/participants/2", "mute")
    assert (muted["participant_id"], muted["speak"]) == (2, False)
    assert (await state("/participants/2", "unmute"))["speak"] is True
    assert await state("/participants/2", "kick") == {}
    answer = await api.call("PUT", "/conferences/sales/participants", {"action": "kick"})
    assert answer.json()["data"]["_read_only"]["participants"] == []


async def test_a_refusal_of_the_room_is_told_with_its_code_and_reason(api: Api) -> None:
    api.rooms.open(api.account.id, "sales", False)
    api.rooms.refusal = Refused(409, "the room is recorded already: stop it first")
    answer = await api.call("PUT", "/conferences/sales", {"action": "record", "data": {"action": "start"}})
    assert (answer.status_code, answer.json()["message"]) == (409, "conflict")
    assert answer.json()["data"]["message"] == "the room is recorded already: stop it first"


@pytest.mark.parametrize("participant", ["99", "x", "-1", "1.0", "٣", "9" * 400])
async def test_an_unknown_participant_is_not_found(api: Api, participant: str) -> None:
    api.rooms.open(api.account.id, "sales", False)
    path = f"/conferences/sales/participants/{participant}"
    for answer in (await api.call("GET", path), await api.call("PUT", path, {"data": {"action": "mute"}})):
        assert (answer.status_code, answer.json()["message"]) == (404, "bad_identifier")
        assert answer.json()["data"]["cause"] == participant
    assert (await api.call("PUT", "/conferences/idle/participants/1", {"data": {"action": "kick"}})).status_code == 404


async def test_relate_checks_its_arguments(api: Api) -> None:
    api.rooms.open(api.account.id, "sales", False, False)
    path = "/conferences/sales/participants"

    async def relate(**arguments: object) -> tuple[int, Any]:
        answer = await api.call("PUT", path, {"data": {"action": "relate", "data": arguments}})
        return answer.status_code, answer.json()["data"]

    assert "data.other_participant" in (await relate(participant_id=1))[1]
    code, data = await relate(participant_id=1, other_participant=9)
    assert (code, data["id"]) == (404, 9)
    assert (await relate(participant_id=True, other_participant=2))[0] == 404
    assert "enum" in (await relate(participant_id=1, other_participant=2, relationship="x"))[1]["data.relationship"]
    assert (await relate(participant_id=1, other_participant=[2]))[0] == 404
    assert api.rooms.commands == []
    assert await relate(participant_id=1, other_participant=2) == (202, "relating participants")
    relation = {"participant_id": 1, "other_participant": 2, "relationship": "clear"}
    assert api.rooms.commands == [("sales", None, "relate", relation)]


async def test_changes_are_told_to_whoever_asked(api: Api) -> None:
    made = await api.make("conferences", name="x")
    path = f"/conferences/{made['id']}"
    await api.call("PATCH", path, {"data": {"name": "y"}})
    await api.call("PATCH", path, {"data": {"name": ""}})
    await api.call("DELETE", path)
    assert api.changes == [(event, "conference", made["id"]) for event in ("created", "changed", "deleted")]


async def test_an_account_that_is_full_says_so(api: Api) -> None:
    for n in range(198):
        await api.store.documents.create(api.account.id, "user", {"n": n})
    answer = await api.call("PUT", "/conferences", {"data": {"name": "x"}})
    assert (answer.status_code, answer.json()["message"]) == (403, "forbidden")
    assert "max_documents_per_account" in answer.json()["data"]["message"]


async def test_effective_settings_say_where_each_comes_from(api: Api) -> None:
    made = await api.make("conferences", name="x", language="de-de", profile={"enter-sound": ""})
    await api.call("POST", "/config/conferences", {"data": {"pin_timeout": 7000}})
    path = f"/conferences/{made['id']}"
    plain = (await api.call("GET", path)).json()["data"]
    assert "effective" not in plain
    answer = await api.call("GET", f"{path}?effective=true")
    found = answer.json()["data"]["effective"]
    assert found["language"] == {"value": "de-de", "source": "document"}
    assert found["pin_timeout"] == {"value": 7000, "source": "account"}
    assert found["profile.enter-sound"]["value"] == ""
    assert found["profile.interval"] == {"value": 20, "source": "built-in"}
    assert all(set(one) == {"value", "source"} for one in found.values())
    assert {key: value for key, value in answer.json()["data"].items() if key != "effective"} == plain
    assert answer.headers["etag"] != (await api.call("GET", path)).headers["etag"]
    patched = await api.call("PATCH", path, {"data": {"x": 1}}, headers={"If-Match": answer.headers["etag"]})
    assert patched.status_code == 200


async def test_effective_settings_of_an_ad_hoc_room_are_those_that_it_was_opened_with(api: Api) -> None:
    idle = (await api.call("GET", "/conferences/sales?effective=true")).json()["data"]["effective"]
    assert idle["max_participants"]["value"] == 0
    api.rooms.open(api.account.id, "sales", False)
    api.rooms.documents[api.account.id, "sales"] = {"name": "sales", "max_participants": 5}
    running = (await api.call("GET", "/conferences/sales?effective=true")).json()["data"]["effective"]
    assert running["max_participants"] == {"value": 5, "source": "document"}


async def test_quality_sequence_and_recording_are_shown_as_the_room_tells_them(api: Api) -> None:
    api.rooms.open(api.account.id, "sales", True, False)
    quality = {
        "loss_percent": 1.5, "jitter_ms": 3.0, "playout_delay_ms": 40, "concealed_ms": 20, "packets_received": 50,
        "packets_sent": 51,
    }  # fmt: skip
    api.rooms.participants(api.account.id, "sales")[0]["quality"] = quality
    await api.call("PUT", "/conferences/sales", {"action": "record", "data": {"action": "start"}})
    live = (await api.call("GET", "/conferences/sales")).json()["data"]["_read_only"]
    assert (live["is_recording"], live["sequence"]) == (True, 2)
    assert live["participants"][0]["quality"] == quality
    assert "quality" not in live["participants"][1]
    assert (await api.call("GET", "/conferences/sales/participants/1")).json()["data"]["quality"] == quality


@pytest.mark.parametrize("arguments", [{"ticket": "4711", "n": 5}, {"vars": {"ticket": "4711", "n": 5}}])
async def test_variables_of_a_room(api: Api, arguments: dict[str, Any]) -> None:
    api.rooms.open(api.account.id, "sales", False)
    answer = await api.call("PUT", "/conferences/sales", {"action": "vars", "data": arguments})
    assert answer.status_code == 202, answer.text
    assert api.rooms.commands[-1][-2:] == ("vars", {"ticket": "4711", "n": 5})


@pytest.mark.parametrize(
    ("arguments", "path"),
    [({}, "data.vars"), ({"vars": 5}, "data.vars"), ({"a": []}, "data.vars.a"), ({"a": "x" * 1025}, "data.vars.a")],
)
async def test_variables_without_sense_are_refused(api: Api, arguments: dict[str, Any], path: str) -> None:
    api.rooms.open(api.account.id, "sales", False)
    answer = await api.call("PUT", "/conferences/sales", {"action": "vars", "data": arguments})
    assert answer.status_code == 400
    assert list(answer.json()["data"]) == [path]
