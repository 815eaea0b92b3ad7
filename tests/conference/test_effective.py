"""What a conference goes by, and who says so."""

import json
from typing import Any

import pytest

from mirliton.conference.defaults import ENTRY_TONE
from mirliton.conference.effective import effective
from mirliton.conference.profile import Configuration
from mirliton.conference.settings import Conference
from mirliton.schemas import schema


def explain(document: dict[str, Any], action: dict[str, Any] | None = None, **stores: Any) -> dict[str, Any]:
    return effective(Conference("acc", "c1", document, stored=True), Configuration(**stores), action)


def leaves(schema_id: str) -> list[str]:
    """The keys of a schema, dotted, objects of keys opened."""

    def walk(properties: dict[str, Any], prefix: str) -> list[str]:
        keys = []
        for key, shape in properties.items():
            keys.extend(walk(shape["properties"], f"{prefix}{key}.") if "properties" in shape else [f"{prefix}{key}"])
        return keys

    return walk(schema(schema_id)["properties"], "")


@pytest.mark.parametrize(
    ("schema_id", "prefix"),
    [("conferences", ""), ("conferences.profile", "profile."), ("callflows.conference", "action.")],
)
def test_every_key_of_the_schemas_is_explained(schema_id: str, prefix: str) -> None:
    known = explain({})
    missing = {f"{prefix}{key}" for key in leaves(schema_id)} - set(known)
    assert missing == set()
    assert all(set(entry) == {"value", "source"} and entry["source"] for entry in known.values())


def test_it_tells_why_it_beeps() -> None:
    beep = explain({})["play_entry_tone"]
    assert beep == {
        "value": {"member": ENTRY_TONE, "moderator": ENTRY_TONE},
        "source": "members: built-in; moderators: built-in",
    }
    ours = explain({}, account={"moderator_entry_tone": "ding"})["play_entry_tone"]
    assert ours["value"]["moderator"] == "ding"
    assert ours["source"] == "members: built-in; moderators: account"
    silent = explain({"play_entry_tone": False}, account={"entry_tone": "ding"})["profile.enter-sound"]
    assert silent == {"value": "", "source": "play_entry_tone"}


@pytest.mark.parametrize(
    ("key", "document", "stores", "value", "source"),
    [
        ("language", {"language": "de-DE"}, {}, "de-de", "document"),
        ("language", {}, {"account_language": "fr-fr"}, "fr-fr", "account"),
        ("language", {}, {"system": {"language": "es-es"}}, "es-es", "system"),
        ("language", {}, {}, "en-us", "built-in"),
        ("pin_timeout", {}, {"account": {"pin_timeout": 7}}, 7, "account"),
        ("number_timeout", {}, {"system": {"number_timeout": 7}}, 7, "system"),
        ("play_name", {"play_name": True}, {}, True, "document"),
        (
            "play_name",
            {"play_name": True},
            {"system": {"support_name_announcement": False}},
            False,
            "system support_name_announcement",
        ),
        ("require_moderator", {"require_moderator": True}, {}, True, "document"),
        ("moderator_grace_seconds", {"moderator_grace_seconds": 5}, {}, 5, "document"),
        ("moderator_grace_seconds", {"moderator_grace_seconds": -5}, {}, 30, "built-in"),
        ("without_moderator", {}, {"account": {"without_moderator": "end"}}, "end", "account"),
        ("moderators_enter_always", {}, {"system": {"moderators_enter_always": False}}, False, "system"),
        ("member.join_muted", {"member": {"join_muted": True}}, {}, True, "document"),
        ("profile.max-members", {"max_participants": 5}, {}, 5, "max_participants"),
        ("profile.max-members-sound", {"max_members_media": "m"}, {}, "m", "document max_members_media"),
        ("profile.rate", {}, {"account": {"profiles": {"default": {"rate": 8000}}}}, 8000, "account profile default"),
        ("profile.moh-sound", {"profile": {"moh-sound": ""}}, {}, "", "document profile"),
        ("profile_name", {"profile_name": "page"}, {}, "page", "document profile_name"),
        ("caller_controls", {"profile": {"caller-controls": "none"}}, {}, "none", "document profile caller-controls"),
        ("owner_id", {}, {}, None, "not set"),
    ],
)
def test_each_value_names_its_place(key: str, document: Any, stores: Any, value: Any, source: str) -> None:
    assert explain(document, **stores)[key] == {"value": value, "source": source}


def test_the_actual_bindings_of_both_groups_are_listed() -> None:
    known = explain({"moderator_controls": "moderator", "caller_controls": "gone"})
    moderators = known["controls.moderator"]
    assert moderators["source"] == "built-in"
    bound = {entry["digits"]: entry["action"] for entry in moderators["value"]["bindings"]}
    assert (bound["*7"], bound["*8"], bound["*9"], bound["*0"], bound["#"]) == (
        "lock",
        "mute others",
        "announce count",
        "record",
        "hangup",
    )
    assert known["controls.member"]["value"]["bindings"] == []
    assert "gone" in known["controls.member"]["value"]["left_out"][0]


def test_an_action_changes_what_its_callers_get() -> None:
    action = {"moderator": True, "play_entry_tone": False, "welcome_prompt": {"play": False}}
    known = explain({"play_welcome": True}, action)
    assert known["action.moderator"] == {"value": True, "source": "action"}
    assert known["action.play_entry_tone"] == {"value": "", "source": "action"}
    assert known["action.welcome_prompt.play"] == {"value": False, "source": "action"}
    assert known["action.play_exit_tone"] == {"value": None, "source": "not set"}


def test_no_pin_and_no_password_is_told() -> None:
    document = {
        "name": "sales",
        "member": {"pins": ["81818181", "5"]},
        "moderator": {"pins": ["92929292"]},
        "bridge_username": "bob",
        "bridge_password": "hush-hush",
        "max_members_media": "https://bob:hush-hush@example.org/full.wav?at=1@2",
        "profile": {"alone-sound": "https://:hush-hush@example.org/alone.wav"},
    }
    known = explain(document)
    told = json.dumps(known)
    assert not [secret for secret in ("81818181", "92929292", "hush-hush") if secret in told]
    assert known["member.pins"]["value"] == {"count": 2}
    assert known["max_members_media"]["value"] == "https://bob:…@example.org/full.wav?at=1@2"


def test_documents_with_wrong_types_are_explained_too() -> None:
    junk: dict[str, Any] = {
        "name": 5,
        "profile": [1],
        "member": 5,
        "moderator": "x",
        "max_participants": {},
        "controls": 3,
        "flags": "x",
        "play_entry_tone": 12,
    }
    assert json.dumps(explain(junk, {"welcome_prompt": 1, "config": []}, account={"profiles": 4}))
