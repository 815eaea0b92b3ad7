"""What a room and a caller go by, from all the sources of semantics 2.1 to 2.5, as frozen values.

The shape of a room comes from its first caller's settings; the dialogue, role and flags of a caller always come from
the caller's own (semantics 1.7). `sources` says, for each setting, where its value was found.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mirliton.conference import defaults, rules
from mirliton.conference.actions import ACTION_NAMES, NEEDING_DATA
from mirliton.conference.controls import NO_CONTROLS, ControlGroup, control_group
from mirliton.conference.ports import Sound
from mirliton.conference.profile import Configuration, Profile, merge_profile
from mirliton.conference.reading import Document, flag, section, text, texts, value, whole
from mirliton.conference.tones import ENTRY, EXIT, Way, tone

MAX_SOUND_CHARACTERS = 4096
_YES = frozenset({"true", "t", "yes", "on", "enabled", "active", "allow"})
_USUAL_NOISE = 1400


class Role(StrEnum):
    """What a caller is in the room."""

    MEMBER = "member"
    MODERATOR = "moderator"


@dataclass(frozen=True, slots=True)
class Conference:
    """A conference that was found: a stored document, or an ad-hoc one (`stored` false)."""

    account_id: str
    conference_id: str
    document: Document
    stored: bool

    @property
    def name(self) -> str:
        """The label; the id when there is none."""
        return text(self.document, "name") or self.conference_id


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """What the first caller's settings make of a room. Sounds are media addresses, "" = none. 0 members = no limit."""

    account_id: str
    conference_id: str
    name: str
    profile_name: str
    language: str = defaults.LANGUAGE
    rate: int = 8000
    interval: int = 20
    energy_level: int = 0
    comfort_noise: int = 0
    announce_count: int = 0
    max_members: int = 0
    wait_for_moderator: bool = False
    require_moderator: bool = False
    moderator_grace_seconds: int = defaults.MODERATOR_GRACE_SECONDS
    without_moderator: str = "wait"  # or "end"
    moderators_enter_always: bool = True
    enter_sound: Sound = ""
    exit_sound: Sound = ""
    moderator_enter_sound: Sound = ""
    moderator_exit_sound: Sound = ""
    alone_sound: Sound = ""
    moh_sound: Sound = ""
    muted_sound: Sound = ""
    unmuted_sound: Sound = ""
    deaf_sound: Sound = ""
    undeaf_sound: Sound = ""
    member_enter_sound: Sound = ""
    locked_sound: Sound = ""
    max_members_sound: Sound = ""
    is_locked_sound: Sound = ""
    is_unlocked_sound: Sound = ""
    is_recording_sound: Sound = ""
    is_not_recording_sound: Sound = ""
    kicked_sound: Sound = ""
    wait_for_moderator_sound: Sound = ""
    ended_sound: Sound = ""
    member_controls: ControlGroup = NO_CONTROLS
    moderator_controls: ControlGroup = NO_CONTROLS
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class DialogueSettings:
    """What a caller meets before the room (semantics 1.5). Times in milliseconds."""

    language: str
    welcome: Sound
    member_pins: tuple[str, ...]
    moderator_pins: tuple[str, ...]
    number_timeout_ms: int
    pin_timeout_ms: int
    max_participants: int
    full_sound: Sound
    play_name: bool = False
    review_name: bool = False
    moderators_enter_always: bool = True


@dataclass(frozen=True, slots=True)
class CallerSettings:
    """How one caller enters the room. A tone of None is the room's own."""

    role: Role
    muted: bool = False
    deaf: bool = False
    enter_sound: Sound | None = None
    exit_sound: Sound | None = None
    hears_joining_prompt: bool = True
    ghost: bool = False  # not counted; keeps the room alive (semantics 3.9)
    disable_moh: bool = False  # while present, no hold music for a lone member
    join_existing: bool = False  # may join a running room, not make one
    distribute_dtmf: bool = False  # digits go to the other members instead of driving controls
    bridge: bool = False  # another server's room: hears voices and not our sounds, is announced to nobody

    @property
    def moderator(self) -> bool:
        """Whether the role is moderator."""
        return self.role is Role.MODERATOR


def language_of(document: Document, configuration: Configuration) -> str:
    """Document, then account, then system."""
    return rules.language(document, configuration).value


def room_settings(conference: Conference, configuration: Configuration) -> RoomSettings:
    """Everything the room is made from. Never fails: what cannot be used gives way to the next source."""
    document = conference.document
    language = language_of(document, configuration)
    profile = merge_profile(document, configuration, language)
    sources = dict(profile.sources)
    limit = rules.member_limit(document, profile)
    sources["max-members"] = limit.source
    tones = {
        (way.profile_key, moderator): _room_tone(way, document, profile, configuration, sources, moderator=moderator)
        for way in (ENTRY, EXIT)
        for moderator in (False, True)
    }
    full_sound = text(document, "max_members_media")
    if full_sound:
        sources["max-members-sound"] = "document max_members_media"
    return RoomSettings(
        account_id=conference.account_id,
        conference_id=conference.conference_id,
        name=conference.name,
        profile_name=text(document, "profile_name") or text(document, "base_profile_name") or "default",
        language=language,
        rate=_rate(profile),
        interval=_interval(profile),
        energy_level=_between(whole(profile.values, "energy-level"), 0, defaults.ENERGY_TOP),
        comfort_noise=_noise(profile),
        announce_count=max(whole(profile.values, "announce-count") or 0, 0),
        max_members=limit.value,
        wait_for_moderator=flag(document, "wait_for_moderator") or False,
        require_moderator=flag(document, "require_moderator") or False,
        moderator_grace_seconds=rules.moderator_grace(document, configuration).value,
        without_moderator=rules.without_moderator(document, configuration).value,
        moderators_enter_always=rules.moderators_enter_always(configuration).value,
        enter_sound=tones["enter-sound", False],
        exit_sound=tones["exit-sound", False],
        moderator_enter_sound=tones["enter-sound", True],
        moderator_exit_sound=tones["exit-sound", True],
        alone_sound=_sound(profile, "alone-sound"),
        moh_sound=_sound(profile, "moh-sound"),
        muted_sound=_sound(profile, "muted-sound"),
        unmuted_sound=_sound(profile, "unmuted-sound"),
        deaf_sound=_sound(profile, "deaf-sound"),
        undeaf_sound=_sound(profile, "undeaf-sound"),
        member_enter_sound=_sound(profile, "member-enter-sound"),
        locked_sound=_sound(profile, "locked-sound"),
        max_members_sound=full_sound or _sound(profile, "max-members-sound"),
        is_locked_sound=_sound(profile, "is-locked-sound"),
        is_unlocked_sound=_sound(profile, "is-unlocked-sound"),
        is_recording_sound=_sound(profile, "is-recording-sound"),
        is_not_recording_sound=_sound(profile, "is-not-recording-sound"),
        kicked_sound=_sound(profile, "kicked-sound"),
        wait_for_moderator_sound=_sound(profile, "wait-for-moderator-sound"),
        ended_sound=_sound(profile, "ended-sound"),
        member_controls=control_group(document, profile, configuration, ACTION_NAMES, NEEDING_DATA, moderator=False),
        moderator_controls=control_group(document, profile, configuration, ACTION_NAMES, NEEDING_DATA, moderator=True),
        sources=sources,
    )


def dialogue_settings(action: Document, document: Document, configuration: Configuration) -> DialogueSettings:
    """The dialogue for a callflow action's data and a conference document ({} while it is unknown)."""
    return DialogueSettings(
        language=language_of(document, configuration),
        welcome=rules.welcome(action, document).value,
        member_pins=texts(document, "member.pins"),
        moderator_pins=texts(document, "moderator.pins"),
        number_timeout_ms=rules.number_timeout(configuration).value,
        pin_timeout_ms=rules.pin_timeout(document, configuration).value,
        max_participants=max(whole(document, "max_participants") or 0, 0),
        full_sound=rules.full_sound(document).value,
        play_name=rules.play_name(document, configuration).value,
        review_name=rules.review_name(configuration).value,
        moderators_enter_always=rules.moderators_enter_always(configuration).value,
    )


def caller_settings(action: Document, document: Document, configuration: Configuration, role: Role) -> CallerSettings:
    """How a caller of this role enters. A missing key means "no", also for `member.join_muted`: the schema's default
    (true) is written into stored documents, ad-hoc ones go without it (semantics 2.2)."""
    profile = merge_profile(document, configuration, language_of(document, configuration))

    def own_tone(way: Way) -> Sound | None:
        asked = action.get(way.key)
        if not isinstance(asked, bool | str):
            return None
        keys = (asked, document.get(way.key))
        return tone(way, keys, profile, configuration, moderator=role is Role.MODERATOR)[0]

    return CallerSettings(
        role=role,
        muted=flag(document, f"{role}.join_muted") or False,
        deaf=flag(document, f"{role}.join_deaf") or False,
        enter_sound=own_tone(ENTRY),
        exit_sound=own_tone(EXIT),
        hears_joining_prompt=role is Role.MODERATOR or flag(document, "member.play_entry_prompt") is not False,
    )


def keys_without_effect(document: Document) -> list[str]:
    """The keys of a document that are accepted, stored, and change nothing: an operator shall know."""
    asked = {
        "video": flag(document, "video") is False,
        "profile.channels": value(section(document, "profile"), "channels") not in (None, 1),
    }
    return [key for key, wanted in asked.items() if wanted]


def _room_tone(
    way: Way,
    document: Document,
    profile: Profile,
    configuration: Configuration,
    sources: dict[str, str],
    *,
    moderator: bool,
) -> Sound:
    sound, source = tone(way, (document.get(way.key),), profile, configuration, moderator=moderator)
    sources[f"moderator-{way.profile_key}" if moderator else way.profile_key] = source
    return sound


def _rate(profile: Profile) -> int:
    """The most that the room is mixed at; with `auto` whatever those who are there can use (semantics 3.1)."""
    if text(profile.values, "rate") == "auto":
        return max(defaults.RATES)
    asked = whole(profile.values, "rate")
    return asked if asked in defaults.RATES else 8000


def _interval(profile: Profile) -> int:
    asked = whole(profile.values, "interval") or 0
    return asked if 10 <= asked <= 120 and asked % 10 == 0 else 20


def _noise(profile: Profile) -> int:
    """A divisor: larger is quieter; 0 is silence (semantics 3.4, "any word meaning true")."""
    asked = value(profile.values, "comfort-noise")
    if asked is True or (isinstance(asked, str) and asked.lower() in _YES):
        return _USUAL_NOISE
    amount = whole(profile.values, "comfort-noise") or 0
    if amount == 0:
        return 0
    return amount if 2 <= amount <= 9999 else _USUAL_NOISE


def _sound(profile: Profile, key: str) -> Sound:
    sound = text(profile.values, key) or ""
    return sound if len(sound) <= MAX_SOUND_CHARACTERS else ""


def _between(number: int | None, low: int, high: int) -> int:
    return min(max(number or 0, low), high)
