"""Precedence of settings: semantics 2.1 to 2.5."""

from typing import Any

import pytest

from mirliton.conference.defaults import ENTRY_TONE, EXIT_TONE
from mirliton.conference.profile import Configuration
from mirliton.conference.settings import (
    Conference,
    Role,
    RoomSettings,
    caller_settings,
    dialogue_settings,
    keys_without_effect,
    room_settings,
)
from mirliton.settings import ConferenceSettings


def room(document: dict[str, Any], **stores: Any) -> RoomSettings:
    return room_settings(Conference("acc", "c1", document, stored=True), Configuration(**stores))


def profiles(**named: Any) -> dict[str, Any]:
    return {"profiles": named}


def test_an_empty_document_gets_the_built_in_profile() -> None:
    settings = room({})
    assert (settings.rate, settings.interval, settings.energy_level, settings.comfort_noise) == (48000, 20, 20, 1000)
    assert settings.enter_sound == ENTRY_TONE
    assert settings.exit_sound == EXIT_TONE
    assert settings.alone_sound == "conf-alone"
    assert settings.max_members_sound == "conf-max_participants"
    assert settings.sources["rate"] == "built-in"


def test_layers_overlay_each_other_key_by_key() -> None:
    settings = room(
        {"base_profile_name": "big", "profile": {"muted-sound": "inline"}},
        system=profiles(default={"alone-sound": "s", "muted-sound": "s"}, big={"energy-level": 5}),
        account=profiles(default={"alone-sound": "a"}, big={"interval": 40, "muted-sound": "b"}),
    )
    assert settings.alone_sound == "a"
    assert settings.muted_sound == "inline"
    assert (settings.energy_level, settings.interval) == (5, 40)
    assert settings.sources["alone-sound"] == "account profile default"
    assert settings.sources["muted-sound"] == "document profile"
    assert settings.sources["interval"] == "account profile big"


def test_profiles_are_found_with_and_without_a_language() -> None:
    account = profiles(
        **{"de-de": {"default": {"alone-sound": "allein", "muted-sound": "stumm"}}}, default={"muted-sound": "m"}
    )
    settings = room({"language": "de-DE"}, account=account)
    assert (settings.language, settings.alone_sound, settings.muted_sound) == ("de-de", "allein", "m")


def test_an_empty_sound_in_a_higher_layer_means_none() -> None:
    settings = room({"profile": {"alone-sound": "", "moh-sound": ""}})
    assert settings.alone_sound == ""
    assert settings.moh_sound == ""


def test_the_page_profile_is_silent_and_has_no_controls() -> None:
    settings = room({"profile_name": "page"}, account={"entry_tone": "ding"})
    assert (settings.enter_sound, settings.exit_sound, settings.alone_sound, settings.muted_sound) == ("", "", "", "")
    assert settings.member_controls.bindings == ()
    assert settings.rate == 8000


@pytest.mark.parametrize(
    ("asked", "settled"),
    [
        (False, 0), (0, 0), ("0", 0), ("no", 0), ("junk", 0),
        (1, 1400), (-5, 1400), (10000, 1400), (2**31, 1400), ("1", 1400),
        (True, 1400), ("true", 1400), ("Yes", 1400), ("ON", 1400), ("enabled", 1400), ("t", 1400),
        (2, 2), (9999, 9999), ("1000", 1000),
    ],
)  # fmt: skip
def test_comfort_noise_follows_the_divisor_rule(asked: object, settled: int) -> None:
    assert room({"profile": {"comfort-noise": asked}}).comfort_noise == settled


@pytest.mark.parametrize(("asked", "settled"), [(10, 10), (15, 20), (120, 120), (130, 20), ("40", 40), (None, 20)])
def test_odd_intervals_become_20(asked: object, settled: int) -> None:
    assert room({"profile": {"interval": asked}}).interval == settled


@pytest.mark.parametrize(("rate", "settled"), [(16000, 16000), (11025, 8000), ("none", 8000), ("auto", 48000)])
def test_odd_rates_become_8000_and_auto_is_no_limit(rate: object, settled: int) -> None:
    assert room({"profile": {"rate": rate}}).rate == settled


@pytest.mark.parametrize(
    ("participants", "profile", "limit"), [(None, None, 0), (5, 3, 5), (1, 3, 3), (-4, 3, 3), (0, 1, 0), (None, 2, 2)]
)
def test_max_participants_above_one_replaces_the_profile_limit(
    participants: int | None, profile: int | None, limit: int
) -> None:
    assert room({"max_participants": participants, "profile": {"max-members": profile}}).max_members == limit


def test_the_full_sound_of_the_document_wins_over_the_profile() -> None:
    assert room({"profile": {"max-members-sound": "p"}}).max_members_sound == "p"
    assert room({"profile": {"max-members-sound": "p"}, "max_members_media": "d"}).max_members_sound == "d"


TONES = [
    ({}, {}, {}, ENTRY_TONE),
    ({"play_entry_tone": False}, {"entry_tone": "acc"}, {}, ""),
    ({"play_entry_tone": "mine", "profile": {"enter-sound": "p"}}, {"entry_tone": "acc"}, {}, "mine"),
    ({"play_entry_tone": True, "profile": {"enter-sound": "p"}}, {"entry_tone": "acc"}, {}, "acc"),
    ({"profile": {"enter-sound": "p"}}, {}, {"entry_tone": "sys"}, "p"),
    ({}, {}, {"entry_tone": "sys"}, "sys"),
    ({"profile": {"enter-sound": ""}}, {"entry_tone": "acc"}, {}, ""),
    ({"play_entry_tone": True, "profile": {"enter-sound": ""}}, {}, {}, ENTRY_TONE),
]


@pytest.mark.parametrize(("document", "account", "system", "sound"), TONES)
def test_entry_tone_order(document: Any, account: Any, system: Any, sound: str) -> None:
    assert room(document, account=account, system=system).enter_sound == sound


def test_moderators_have_tones_of_their_own() -> None:
    settings = room({}, account={"moderator_entry_tone": "me", "exit_tone": "x"})
    assert (settings.enter_sound, settings.moderator_enter_sound) == (ENTRY_TONE, "me")
    assert (settings.exit_sound, settings.moderator_exit_sound) == ("x", "x")


@pytest.mark.parametrize(
    ("action", "document", "own"),
    [
        ({}, {"play_entry_tone": False}, None),
        ({"play_entry_tone": False}, {}, ""),
        ({"play_entry_tone": "ding"}, {"play_entry_tone": False}, "ding"),
        ({"play_entry_tone": True}, {"play_entry_tone": False}, ENTRY_TONE),
    ],
)
def test_the_action_sets_the_tone_of_its_own_caller(action: Any, document: Any, own: str | None) -> None:
    assert caller_settings(action, document, Configuration(), Role.MEMBER).enter_sound == own


def test_join_flags_go_by_role_and_default_to_no() -> None:
    document = {"member": {"join_muted": True}, "moderator": {"join_deaf": "true"}}
    member = caller_settings({}, document, Configuration(), Role.MEMBER)
    moderator = caller_settings({}, document, Configuration(), Role.MODERATOR)
    assert (member.muted, member.deaf) == (True, False)
    assert (moderator.muted, moderator.deaf) == (False, True)
    assert not caller_settings({}, {}, Configuration(), Role.MEMBER).muted


@pytest.mark.parametrize(
    ("action", "document", "welcome"),
    [
        ({}, {}, "conf-welcome"),
        ({}, {"play_welcome": False}, ""),
        ({"welcome_prompt": {"play": True}}, {"play_welcome": False}, "conf-welcome"),
        ({"welcome_prompt": {"play": False, "media_id": "m"}}, {}, ""),
        ({"welcome_prompt": {"media_id": "m"}}, {}, "m"),
        ({"welcome_prompt": {}}, {"play_welcome": False}, ""),
    ],
)
def test_welcome_precedence(action: Any, document: Any, welcome: str) -> None:
    assert dialogue_settings(action, document, Configuration()).welcome == welcome


def test_timers_come_from_document_then_account_then_system() -> None:
    configuration = Configuration(system={"pin_timeout": 1, "number_timeout": 2}, account={"number_timeout": "3"})
    assert dialogue_settings({}, {}, configuration).pin_timeout_ms == 1
    assert dialogue_settings({}, {}, configuration).number_timeout_ms == 3
    assert dialogue_settings({}, {"pin_timeout": 9}, configuration).pin_timeout_ms == 9
    assert dialogue_settings({}, {"pin_timeout": -9}, configuration).pin_timeout_ms == 1
    assert dialogue_settings({}, {"pin_timeout": 10**9}, configuration).pin_timeout_ms == 600_000


def test_language_comes_from_document_then_account_then_system() -> None:
    configuration = Configuration(account_language="fr-fr", system_language="es-es")
    assert dialogue_settings({}, {"language": "de-de"}, configuration).language == "de-de"
    assert dialogue_settings({}, {}, configuration).language == "fr-fr"
    assert dialogue_settings({}, {}, Configuration(system_language="es-es")).language == "es-es"


def test_the_settings_of_the_server_are_the_system_configuration() -> None:
    untouched = ConferenceSettings().model_dump(exclude_none=True)
    assert room({}, system=untouched) == room({})
    chosen = ConferenceSettings(
        language="de-de",
        entry_tone="ding",
        without_moderator="end",
        moderators_enter_always=False,
        profiles={"default": {"rate": 8000}},
        controls={"default": []},
    )
    settings = room({}, system=chosen.model_dump(exclude_none=True))
    assert (settings.language, settings.enter_sound, settings.without_moderator) == ("de-de", "ding", "end")
    assert (settings.moderators_enter_always, settings.rate, settings.member_controls.bindings) == (False, 8000, ())


def test_keys_that_change_nothing_are_named() -> None:
    assert keys_without_effect({"play_name": True, "video": False, "name": "x"}) == ["video"]
    assert keys_without_effect({"play_name": False, "video": True}) == []


def test_documents_with_wrong_types_never_fail() -> None:
    junk: dict[str, Any] = {
        "profile": [1],
        "member": 5,
        "moderator": "x",
        "max_participants": {},
        "language": 7,
        "controls": 3,
        "play_entry_tone": 12,
        "profile_name": [],
    }
    assert room(junk, account={"profiles": 4, "controls": []}).max_members == 0
    assert dialogue_settings({"welcome_prompt": 1}, junk, Configuration()).member_pins == ()
    assert not caller_settings({}, junk, Configuration(), Role.MEMBER).muted
