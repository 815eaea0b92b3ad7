"""What a conference goes by, key by key, and who says so: the answer to "why does it beep?" (semantics 2.1 to 2.7)."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from mirliton.conference import rules
from mirliton.conference.choice import Chosen, choose
from mirliton.conference.controls import ControlGroup
from mirliton.conference.profile import BUILT_IN, Configuration, Profile, merge_profile
from mirliton.conference.reading import Document, flag, section, text, texts, value
from mirliton.conference.settings import (
    Conference,
    Role,
    RoomSettings,
    caller_settings,
    dialogue_settings,
    keys_without_effect,
    language_of,
    room_settings,
)

NOWHERE = "not set"
_PASSWORD_IN_URL = re.compile(r"(://[^/?#@\s]*):[^/?#\s]*@")

_PROFILE_KEYS = {
    "rate": "rate",
    "interval": "interval",
    "energy-level": "energy_level",
    "comfort-noise": "comfort_noise",
    "announce-count": "announce_count",
    "max-members": "max_members",
    "enter-sound": "enter_sound",
    "exit-sound": "exit_sound",
    "moderator-enter-sound": "moderator_enter_sound",
    "moderator-exit-sound": "moderator_exit_sound",
    "alone-sound": "alone_sound",
    "moh-sound": "moh_sound",
    "muted-sound": "muted_sound",
    "unmuted-sound": "unmuted_sound",
    "deaf-sound": "deaf_sound",
    "undeaf-sound": "undeaf_sound",
    "member-enter-sound": "member_enter_sound",
    "locked-sound": "locked_sound",
    "max-members-sound": "max_members_sound",
    "is-locked-sound": "is_locked_sound",
    "is-unlocked-sound": "is_unlocked_sound",
    "is-recording-sound": "is_recording_sound",
    "is-not-recording-sound": "is_not_recording_sound",
    "kicked-sound": "kicked_sound",
    "wait-for-moderator-sound": "wait_for_moderator_sound",
    "ended-sound": "ended_sound",
}
"""Keys of a profile, and of `RoomSettings` where the value in force is."""

_SWITCHES = {
    "member.join_muted": False,
    "member.join_deaf": False,
    "member.play_entry_prompt": True,
    "moderator.join_muted": False,
    "moderator.join_deaf": False,
    "require_moderator": False,
    "wait_for_moderator": False,
    "allow_shareable_link": False,
    "video": True,
}
_LISTS = ("conference_numbers", "member.numbers", "moderator.numbers", "flags")
_COUNTED = ("member.pins", "moderator.pins")
_LABELS = ("owner_id", "bridge_username", "base_profile_name")


def effective(conference: Conference, configuration: Configuration, action: Document | None = None) -> dict[str, Any]:
    """Key -> `{"value": …, "source": …}`, JSON, for a caller who comes now; `action` is a callflow action's data.

    Keys of documents are as they are there, dotted; those of profiles begin with `profile.`; `controls.member` and
    `controls.moderator` list what can be pressed; `action.…` is what the callflow action adds. A source is "action",
    "document", "document profile", "account", "account profile NAME", "system…", "built-in", "not set", or the key
    that decided. Of PINs only the number is told, of passwords nothing. Never fails.
    """
    document = conference.document
    room = room_settings(conference, configuration)
    profile = merge_profile(document, configuration, language_of(document, configuration))
    found: dict[str, Chosen[Any]] = {}
    for part in (
        _identity(conference),
        _dialogue(document, configuration, action or {}),
        _switches(document),
        _moderation(document, configuration),
        _profile(document, room, profile),
        _controls(room),
        _action(action or {}, document, configuration),
    ):
        found.update(part)
    return {key: {"value": _shown(chosen.value), "source": chosen.source} for key, chosen in found.items()}


def _identity(conference: Conference) -> Iterator[tuple[str, Chosen[Any]]]:
    document = conference.document
    yield "name", Chosen(conference.name, "document" if text(document, "name") else "id")
    yield "focus", Chosen(None, "filled while the room runs")
    for key in _LABELS:
        yield key, _stated(document, key, text(document, key))
    for key in _LISTS:
        yield key, _stated(document, key, list(texts(document, key)))
    for key in _COUNTED:
        yield key, _stated(document, key, {"count": len(texts(document, key))})
    yield "bridge_password", Chosen(None, "never shown")
    yield "keys_without_effect", Chosen(keys_without_effect(document), "document")


def _dialogue(document: Document, configuration: Configuration, action: Document) -> Iterator[tuple[str, Chosen[Any]]]:
    settings = dialogue_settings(action, document, configuration)
    welcome = rules.welcome(action, document)
    yield "language", rules.language(document, configuration)
    yield "play_welcome", Chosen(bool(welcome.value), welcome.source)
    yield "welcome_media", welcome
    yield "number_timeout", rules.number_timeout(configuration)
    yield "pin_timeout", rules.pin_timeout(document, configuration)
    yield "max_participants", _stated(document, "max_participants", settings.max_participants)
    yield "max_members_media", rules.full_sound(document)
    yield "play_name", rules.play_name(document, configuration)
    yield "review_name", rules.review_name(configuration)


def _switches(document: Document) -> Iterator[tuple[str, Chosen[Any]]]:
    for key, otherwise in _SWITCHES.items():
        yield key, choose(flag, (("document", document),), key, otherwise)


def _moderation(document: Document, configuration: Configuration) -> Iterator[tuple[str, Chosen[Any]]]:
    yield "moderators_enter_always", rules.moderators_enter_always(configuration)
    yield "moderator_grace_seconds", rules.moderator_grace(document, configuration)
    yield "without_moderator", rules.without_moderator(document, configuration)


def _profile(document: Document, room: RoomSettings, profile: Profile) -> Iterator[tuple[str, Chosen[Any]]]:
    yield "profile_name", Chosen(room.profile_name, _first_set(document, "profile_name", "base_profile_name"))
    inline = sorted(str(key) for key in section(document, "profile"))
    yield "profile", _stated(document, "profile", inline)
    for key, attribute in _PROFILE_KEYS.items():
        yield f"profile.{key}", Chosen(getattr(room, attribute), room.sources.get(key, NOWHERE))
    for way, member, moderator in (
        ("play_entry_tone", "enter-sound", "moderator-enter-sound"),
        ("play_exit_tone", "exit-sound", "moderator-exit-sound"),
    ):
        tones = {"member": getattr(room, _PROFILE_KEYS[member]), "moderator": getattr(room, _PROFILE_KEYS[moderator])}
        yield way, Chosen(tones, f"members: {room.sources[member]}; moderators: {room.sources[moderator]}")
    unknown = sorted(
        str(key) for key in profile.values if key not in _PROFILE_KEYS and not str(key).endswith("-controls")
    )
    yield "profile.without_effect", Chosen(unknown, "profile")


def _controls(room: RoomSettings) -> Iterator[tuple[str, Chosen[Any]]]:
    groups = (("member", "caller", room.member_controls), ("moderator", "moderator", room.moderator_controls))
    for role, key, group in groups:
        yield f"{key}_controls", Chosen(group.name, group.named_by)
        yield f"profile.{key}-controls", Chosen(group.name, group.named_by)
        yield f"controls.{role}", _bindings(group)


def _bindings(group: ControlGroup) -> Chosen[Any]:
    shown = {"group": group.name, "bindings": [asdict(each) for each in group.bindings]}
    if group.complaints:
        shown["left_out"] = list(group.complaints)
    return Chosen(shown, group.bound_by)


def _action(action: Document, document: Document, configuration: Configuration) -> Iterator[tuple[str, Chosen[Any]]]:
    """What a callflow action's data changes for the callers that it sends."""
    role = Role.MODERATOR if flag(action, "moderator") else Role.MEMBER
    caller = caller_settings(action, document, configuration, role)
    for key, otherwise in (("moderator", False), ("skip_module", False)):
        yield f"action.{key}", choose(flag, (("action", action),), key, otherwise)
    for key, sound in (("play_entry_tone", caller.enter_sound), ("play_exit_tone", caller.exit_sound)):
        yield f"action.{key}", Chosen(sound, NOWHERE if sound is None else "action")
    welcome = rules.welcome(action, document)
    yield "action.welcome_prompt.play", Chosen(bool(welcome.value), welcome.source)
    yield "action.welcome_prompt.media_id", welcome
    yield "action.id", _said(action, "id")
    yield "action.config", Chosen(sorted(str(key) for key in section(action, "config")), _where(action, "config"))


def _said(action: Document, key: str) -> Chosen[Any]:
    return Chosen(text(action, key), _where(action, key))


def _where(action: Document, key: str) -> str:
    return NOWHERE if value(action, key) is None else "action"


def _stated(document: Document, key: str, in_force: Any) -> Chosen[Any]:
    return Chosen(in_force, NOWHERE if value(document, key) is None else "document")


def _first_set(document: Document, *keys: str) -> str:
    return next((f"document {key}" for key in keys if text(document, key)), BUILT_IN)


def _shown(found: Any) -> Any:
    """Passwords in addresses of sounds are for nobody's eyes."""
    if isinstance(found, str):
        return _PASSWORD_IN_URL.sub(r"\1:…@", found)
    if isinstance(found, dict):
        return {key: _shown(item) for key, item in found.items()}
    return [_shown(item) for item in found] if isinstance(found, list) else found
