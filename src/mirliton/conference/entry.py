"""The way of a caller from the ring to the door of the room: semantics 1.3, steps 3 to 15, top to bottom."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from mirliton.conference.defaults import ATTEMPTS, INTERDIGIT_MS, MAX_DIGITS, TERMINATOR
from mirliton.conference.names import announce, spoken_name
from mirliton.conference.ports import Caller, Names, Sound
from mirliton.conference.profile import Configuration
from mirliton.conference.reading import Document, flag, section, text, texts
from mirliton.conference.room import Refusal
from mirliton.conference.settings import (
    CallerSettings,
    Conference,
    DialogueSettings,
    Role,
    RoomSettings,
    caller_settings,
    dialogue_settings,
    room_settings,
)


class Documents(Protocol):
    """Where conferences and their configuration are found."""

    async def conference(self, account_id: str, conference_id: str) -> Document | None:
        """The document of type conference with this id in the account."""

    async def conferences_by_number(self, account_id: str, number: str) -> Sequence[Document]:
        """Every conference of the account that lists the number in any of its three lists, each once, with `id`."""

    async def conference_configuration(self, account_id: str) -> Configuration:
        """Category `conferences` of the account and the system."""


class Doorkeeper(Protocol):
    """A running room as the dialogue sees it."""

    settings: RoomSettings

    @property
    def count(self) -> int:
        """How many members are in the room."""

    def refusal(self, *, moderator: bool, inbound: bool = True) -> Refusal | None:
        """Why a caller may not come in."""


class RunningRooms(Protocol):
    """Where running rooms are found."""

    def find(self, account_id: str, conference_id: str) -> Doorkeeper | None:
        """The running room, if there is one."""


@dataclass(frozen=True, slots=True)
class Admission:
    """A caller who has answered every question and stands at the door."""

    room: RoomSettings
    caller: CallerSettings
    conference: Conference
    name: Sound | None = None
    temporary_name: bool = False  # `Names.forget` it when the caller is gone


async def enter(
    caller: Caller,
    action: Document,
    documents: Documents,
    rooms: RunningRooms,
    names: Names | None = None,
    *,
    pin: str | None = None,
) -> Admission | None:
    """Lead a caller through the dialogue; None when they were turned away (and hung up). Raises `HungUp`.

    `action` is the data of the callflow action. Without `names` nobody is announced by name. `pin` arrived with the
    call: nobody is asked for it unless it is wrong.
    """
    await caller.answer()
    account_id = caller.info.account_id
    configuration = await documents.conference_configuration(account_id)
    conference = await _conference(account_id, action, documents)
    dialogue = dialogue_settings(action, conference.document if conference else {}, configuration)
    if dialogue.welcome:
        caller.play([dialogue.welcome], dialogue.language)
    role: Role | None = None
    if conference is None:
        found = await _ask_number(caller, dialogue, documents)
        if found is None:
            return None
        conference, role = found
        dialogue = dialogue_settings(action, conference.document, configuration)
    role = await _ask_pin(caller, dialogue, role, pin)
    if role is None:
        return None
    if flag(action, "moderator"):
        role = Role.MODERATOR
    admission = Admission(
        _shared(room_settings(conference, configuration), rooms),
        caller_settings(action, conference.document, configuration, role),
        conference,
    )
    if not await _fits(caller, admission, dialogue, rooms):
        return None
    if dialogue.play_name and names is not None:
        admission = await _named(caller, admission, action, configuration, dialogue, names)
    return await _last_steps(caller, admission, rooms, names)


def _shared(settings: RoomSettings, rooms: RunningRooms) -> RoomSettings:
    """The running room's own object if it says the same: all callers keep their settings as long as they talk."""
    running = rooms.find(settings.account_id, settings.conference_id)
    if running is None or (running.settings, running.settings.sources) != (settings, settings.sources):
        return settings
    return running.settings


async def turn_away(caller: Caller, sound: str, language: str) -> None:
    """Say why not, to the end, and hang up."""
    if sound:
        await caller.play_to_end([sound], language)
    await caller.hang_up()


async def _conference(account_id: str, action: Document, documents: Documents) -> Conference | None:
    """Where the settings come from (semantics 1.4, 1.7); None: the caller must be asked."""
    conference_id = text(action, "id")
    if conference_id:
        stored = await documents.conference(account_id, conference_id)
        if stored is not None:
            return Conference(account_id, conference_id, stored, stored=True)
    config = {key: item for key, item in section(action, "config").items() if not key.startswith(("_", "pvt_"))}
    identity = conference_id or text(config, "id") or text(config, "name")
    return Conference(account_id, identity, config, stored=False) if identity else None


async def _ask_number(
    caller: Caller, dialogue: DialogueSettings, documents: Documents
) -> tuple[Conference, Role | None] | None:
    """Semantics 1.5.2 and 1.5.3."""
    account_id = caller.info.account_id
    for _ in range(ATTEMPTS):
        number = await _entry(caller, "conf-enter_conf_number", dialogue.language, dialogue.number_timeout_ms)
        found = await documents.conferences_by_number(account_id, number) if number else ()
        conference_id = text(found[0], "id") if len(found) == 1 else None
        if conference_id:
            conference = Conference(account_id, conference_id, found[0], stored=True)
            return conference, role_by_number(found[0], number)
        caller.play(["conf-bad_conf"], dialogue.language)
    await turn_away(caller, "conf-too_many_attempts", dialogue.language)
    return None


def role_by_number(document: Document, number: str) -> Role | None:
    """The role that a dialled number gives; None while undecided (semantics 1.5.3)."""
    member = number in texts(document, "member.numbers")
    moderator = number in texts(document, "moderator.numbers")
    if member == moderator or number in texts(document, "conference_numbers"):
        return None
    return Role.MEMBER if member else Role.MODERATOR


async def _ask_pin(caller: Caller, dialogue: DialogueSettings, role: Role | None, brought: str | None) -> Role | None:
    """Semantics 1.5.4; None when three entries were wrong."""
    if not needs_pin(dialogue, role):
        return role or Role.MEMBER
    if brought and (granted := judge_pin(dialogue, role, brought)) is not None:
        return granted
    for _ in range(ATTEMPTS):
        pin = await _entry(caller, "conf-enter_conf_pin", dialogue.language, dialogue.pin_timeout_ms)
        granted = judge_pin(dialogue, role, pin)
        if granted is not None:
            return granted
        caller.play(["conf-bad_pin"], dialogue.language)
    await turn_away(caller, "conf-too_many_attempts", dialogue.language)
    return None


def needs_pin(dialogue: DialogueSettings, role: Role | None) -> bool:
    """Whether a PIN is asked for, by the role so far."""
    if role is Role.MEMBER:
        return bool(dialogue.member_pins)
    if role is Role.MODERATOR:
        return bool(dialogue.moderator_pins)
    return bool(dialogue.member_pins or dialogue.moderator_pins)


def judge_pin(dialogue: DialogueSettings, role: Role | None, pin: str) -> Role | None:
    """The role that an entry gives, or None for a wrong one. A PIN in both lists makes a member."""
    if role is not Role.MODERATOR and _among(pin, dialogue.member_pins):
        return Role.MEMBER
    if role is not Role.MEMBER and _among(pin, dialogue.moderator_pins):
        return Role.MODERATOR
    unasked_member = role is None and not pin and not dialogue.member_pins
    return Role.MEMBER if unasked_member else None


def _among(pin: str, pins: Sequence[str]) -> bool:
    """Every PIN is compared, each in constant time: the answer's delay tells nothing."""
    typed = pin.encode()
    return sum(hmac.compare_digest(typed, known.encode()) for known in pins) > 0


async def _fits(caller: Caller, admission: Admission, dialogue: DialogueSettings, rooms: RunningRooms) -> bool:
    """Full by the caller's own settings: step 12. Who would open the room is never refused."""
    running = rooms.find(admission.room.account_id, admission.room.conference_id)
    limit = dialogue.max_participants
    exempt = admission.caller.moderator and dialogue.moderators_enter_always
    if running is None or not limit or running.count < limit or exempt:
        return True
    await turn_away(caller, dialogue.full_sound, dialogue.language)
    return False


async def _named(
    caller: Caller,
    admission: Admission,
    action: Document,
    configuration: Configuration,
    dialogue: DialogueSettings,
    names: Names,
) -> Admission:
    """The caller's name: step 13. Without one the usual tones stay."""
    name = await spoken_name(caller, dialogue, names)
    if name is None:
        return admission
    announced = announce(admission.caller, name.sound, action, admission.conference.document, configuration)
    return replace(admission, caller=announced, name=name.sound, temporary_name=name.temporary)


async def _last_steps(
    caller: Caller, admission: Admission, rooms: RunningRooms, names: Names | None
) -> Admission | None:
    """To the door; a temporary name is forgotten when the caller gets no further."""
    admitted = False
    try:
        admitted = await _approach(caller, admission, rooms)
    finally:
        if not admitted and admission.temporary_name and admission.name and names is not None:
            await names.forget(caller.info, admission.name)
    return admission if admitted else None


async def _approach(caller: Caller, admission: Admission, rooms: RunningRooms) -> bool:
    """Locked, full by the room's settings, and the sound for the joiner alone: step 15."""
    settings = admission.room
    running = rooms.find(settings.account_id, settings.conference_id)
    if running is not None:
        settings = running.settings
        refusal = running.refusal(moderator=admission.caller.moderator, inbound=caller.info.inbound)
        if refusal is not None:
            await turn_away(caller, refusal.sound, settings.language)
            return False
    heard = (settings.member_enter_sound,) if admission.caller.hears_joining_prompt else ()
    await caller.play_to_end([sound for sound in heard if sound], settings.language)
    return True


async def _entry(caller: Caller, prompt: str, language: str, first_digit_ms: int) -> str:
    return await caller.collect(
        [prompt],
        language,
        max_digits=MAX_DIGITS,
        terminator=TERMINATOR,
        first_digit_ms=first_digit_ms,
        interdigit_ms=INTERDIGIT_MS,
    )
