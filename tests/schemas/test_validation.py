"""Repair, several errors at once, their shape, and documents inside documents."""

from typing import Any

import pytest

from mirliton.schemas import Invalid, UnknownSchema, check, defaults, schema, schema_ids, validate


def errors(schema_id: str, document: Any) -> dict[str, dict[str, dict[str, Any]]]:
    with pytest.raises(Invalid) as refusal:
        validate(schema_id, document)
    return refusal.value.errors


def test_texts_become_the_types_that_the_schema_wants() -> None:
    document = {
        "name": "5",
        "max_participants": "5",
        "play_welcome": "true",
        "member": {"join_muted": "false"},
        "profile": {"energy-level": "-0", "interval": "20"},
    }
    kept = validate("conferences", document)
    assert kept["name"] == "5"
    assert kept["max_participants"] == 5
    assert kept["play_welcome"] is True
    assert kept["member"]["join_muted"] is False
    assert kept["profile"] == {"energy-level": 0, "interval": 20}


def test_a_repaired_value_is_still_checked() -> None:
    assert set(errors("conferences.profile", {"interval": "5"})["interval"]) == {"minimum"}


@pytest.mark.parametrize("text", ["yes", "True", "1", "", " true", "1e3", "5.0", "٥", "9" * 30])
def test_other_texts_are_not_guessed_at(text: str) -> None:
    if not text.isascii() or text != "1":
        assert "type" in errors("conferences", {"name": "x", "max_participants": text})["max_participants"]
    assert "type" in errors("conferences", {"name": "x", "play_name": text})["play_name"]


def test_a_tone_that_says_true_stays_a_text_because_a_text_is_allowed() -> None:
    assert validate("conferences", {"name": "x", "play_entry_tone": "true"})["play_entry_tone"] == "true"


def test_the_document_that_was_given_is_not_changed() -> None:
    document = {"name": "x", "max_participants": "5", "member": {}}
    validate("conferences", document)
    assert document == {"name": "x", "max_participants": "5", "member": {}}


def test_all_errors_come_at_once_by_path_and_code() -> None:
    found = errors(
        "conferences",
        {
            "name": "",
            "owner_id": "short",
            "member": {"pins": ["1", "x"], "numbers": ["1", "1"]},
            "profile": {"interval": 9},
        },
    )
    assert {path: set(codes) for path, codes in found.items()} == {
        "name": {"minLength"},
        "owner_id": {"minLength"},
        "member.pins.1": {"pattern"},
        "member.numbers": {"uniqueItems"},
        "profile.interval": {"minimum"},
    }
    assert found["profile.interval"]["minimum"] == {
        "message": "must be at least 10, but it is 9: raise it",
        "value": 9,
        "target": 10,
    }
    assert found["member.pins.1"]["pattern"]["target"] == "^[0-9]+$"


def test_a_document_with_a_thousand_errors_names_a_bounded_number() -> None:
    assert len(errors("conferences", {"name": "x", "member": {"pins": ["x"] * 5000}})) == 100


def test_a_dot_inside_a_key_is_written_as_percent_2e() -> None:
    found = errors("callflows", {"flow": {"module": "menu", "children": {"a.b": {"data": {}}}}})
    assert set(found) == {"flow.children.a%2Eb.module"}


def test_secrets_do_not_come_back_in_errors() -> None:
    found = errors("devices", {"name": "x", "sip": {"password": "1234"}})
    assert found["sip.password"]["minLength"] == {
        "message": "must have at least 5 characters, but it has 4: make it longer",
        "target": 5,
    }


def test_a_callflows_conference_is_checked_and_repaired_without_defaults() -> None:
    action = {
        "module": "conference",
        "data": {"moderator": "true", "config": {"name": "x", "profile": {"rate": "8000"}}},
    }
    kept = validate("callflows", {"flow": {"module": "menu", "children": {"_": action}}})
    data = kept["flow"]["children"]["_"]["data"]
    assert data == {"moderator": True, "config": {"name": "x", "profile": {"rate": 8000}}}
    action["data"]["config"]["member"] = {"pins": [5]}  # type: ignore[index]
    found = errors("callflows", {"flow": {"module": "menu", "children": {"_": action}}})
    assert set(found) == {"flow.children._.data.config.member.pins.0"}


def test_profiles_in_a_configuration_are_checked_by_name_and_by_language() -> None:
    bad = {"interval": 5}
    found = errors("system_config.conferences", {"profiles": {"loud": bad, "de-de": {"default": bad, "quiet": {}}}})
    assert set(found) == {"profiles.loud.interval", "profiles.de-de.default.interval"}


def test_the_top_itself_may_be_wrong() -> None:
    values: list[Any] = [[], "x", None, 5]
    for value in values:
        assert set(errors("conferences", value)) == {""}


def test_check_writes_no_defaults_and_defaults_needs_no_document() -> None:
    assert check("conferences", {"name": "x"}) == {"name": "x"}
    assert validate("conferences", {"name": "x"}) == {"name": "x"} | defaults("conferences")


def test_dial_needs_somebody_to_call() -> None:
    assert set(errors("conferences.dial", {})["endpoints"]) == {"required"}
    assert set(errors("conferences.dial", {"endpoints": []})["endpoints"]) == {"minItems"}
    assert set(errors("conferences.dial", {"endpoints": ["x"], "timeout": 0})["timeout"]) == {"minimum"}


def test_the_catalogue_has_every_schema_and_says_when_not() -> None:
    assert set(schema_ids()) >= {
        "accounts", "callflows", "callflows.conference", "conferences", "conferences.dial", "conferences.profile",
        "devices", "media", "system_config.conferences", "users",
    }  # fmt: skip
    for schema_id in schema_ids():
        assert schema(schema_id)["$id"] == schema_id
    with pytest.raises(UnknownSchema):
        validate("songs", {})
