"""The dialogue before the room: every branch of semantics 1.3 to 1.7."""

from typing import Any

import pytest

from mirliton.conference.directory import Directory
from mirliton.conference.entry import Admission, enter, role_by_number
from mirliton.conference.ports import CallerInfo, HungUp
from mirliton.conference.profile import Configuration
from mirliton.conference.room import Room
from mirliton.conference.settings import CallerSettings, Conference, Role, room_settings

from .scripted import HANG_UP, MemoryDocuments, ScriptedCaller

ID = "c" * 32
QUIET = {"welcome_prompt": {"play": False}}
PIN = "conf-enter_conf_pin"
NUMBER = "conf-enter_conf_number"
JOINING = "conf-joining_conference"


def document(**keys: Any) -> dict[str, Any]:
    return {"id": ID, "name": "sales", **keys}


async def go(
    caller: ScriptedCaller, action: dict[str, Any], *documents: dict[str, Any], rooms: Directory | None = None
) -> Admission | None:
    return await enter(caller, action, MemoryDocuments(*documents), rooms or Directory())


def running(members: int, rooms: Directory | None = None, **keys: Any) -> tuple[Directory, Room]:
    directory = rooms or Directory()
    conference = Conference("acc", ID, document(**keys), stored=True)
    room, _ = directory.get_or_create(room_settings(conference, Configuration()), 0.0)
    for number in range(members):
        room.join(CallerInfo(f"other-{number}", "acc"), CallerSettings(Role.MEMBER), 0.0)
    return directory, room


async def test_a_caller_of_a_stored_conference_is_answered_welcomed_and_let_in() -> None:
    caller = ScriptedCaller()
    admission = await go(caller, {"id": ID}, document())
    assert caller.heard == ["<answered>", "conf-welcome", JOINING]
    assert admission is not None
    assert (admission.room.conference_id, admission.caller.role) == (ID, Role.MEMBER)


async def test_a_stored_document_makes_the_config_of_the_action_count_for_nothing() -> None:
    caller = ScriptedCaller()
    admission = await go(caller, {"id": ID, "config": {"name": "x", "member": {"pins": ["1"]}}}, document())
    assert PIN not in caller.heard
    assert admission is not None
    assert admission.room.name == "sales"


async def test_an_id_without_a_document_is_an_ad_hoc_room_with_the_config() -> None:
    config = {"name": "x", "member": {"join_muted": True}, "_read_only": 1, "pvt_type": "y"}
    admission = await go(ScriptedCaller(), {"id": "unknown", "config": config})
    assert admission is not None
    assert (admission.room.conference_id, admission.room.name) == ("unknown", "x")
    assert admission.caller.muted
    assert not admission.conference.stored
    assert set(admission.conference.document) == {"name", "member"}


@pytest.mark.parametrize(
    ("config", "conference_id", "name"),
    [({"name": "n"}, "n", "n"), ({"id": "i"}, "i", "i"), ({"id": "i", "name": "n"}, "i", "n")],
)
async def test_ad_hoc_identity(config: dict[str, str], conference_id: str, name: str) -> None:
    admission = await go(ScriptedCaller(), {"config": config})
    assert admission is not None
    assert (admission.room.conference_id, admission.room.name) == (conference_id, name)


async def test_members_of_ad_hoc_rooms_are_not_muted_by_default() -> None:
    admission = await go(ScriptedCaller(), {"config": {"name": "n"}})
    assert admission is not None
    assert not admission.caller.muted


@pytest.mark.parametrize("action", [{}, {"config": {}}, {"config": {"member": {"pins": ["1"]}}}])
async def test_without_an_identity_the_caller_is_asked_for_a_number(action: dict[str, Any]) -> None:
    caller = ScriptedCaller("300")
    admission = await go(caller, action, document(conference_numbers=["300"]))
    assert caller.heard == ["<answered>", "conf-welcome", NUMBER, JOINING]
    assert admission is not None
    assert admission.room.conference_id == ID


async def test_three_wrong_numbers_end_the_call() -> None:
    caller = ScriptedCaller("1", "", "2")
    assert await go(caller, QUIET, document(conference_numbers=["300"])) is None
    again = [NUMBER, "conf-bad_conf"] * 3
    assert caller.heard == ["<answered>", *again, "conf-too_many_attempts", "<hung up>"]


async def test_a_number_that_two_conferences_list_is_a_failure() -> None:
    caller = ScriptedCaller("300", "301")
    both = {"conference_numbers": ["300"]}
    admission = await go(caller, QUIET, {"id": "d", **both}, document(conference_numbers=["300", "301"]))
    assert admission is not None
    assert admission.room.conference_id == ID
    assert caller.heard.count("conf-bad_conf") == 1


@pytest.mark.parametrize(
    ("lists", "role"),
    [
        ({"member": {"numbers": ["1"]}}, Role.MEMBER),
        ({"moderator": {"numbers": ["1"]}}, Role.MODERATOR),
        ({"member": {"numbers": ["1"]}, "moderator": {"numbers": ["1"]}}, None),
        ({"member": {"numbers": ["1"]}, "conference_numbers": ["1"]}, None),
        ({"moderator": {"numbers": ["1"]}, "conference_numbers": ["1"]}, None),
        ({"conference_numbers": ["1"]}, None),
    ],
)
def test_the_number_gives_the_role(lists: dict[str, Any], role: Role | None) -> None:
    assert role_by_number(lists, "1") is role


PINS = {"member": {"pins": ["11", "99"]}, "moderator": {"pins": ["22", "99"]}}
MODERATOR_PIN = {"moderator": {"pins": ["22"]}}
MEMBER_PIN = {"member": {"pins": ["11"]}}


@pytest.mark.parametrize(
    ("keys", "entries", "role"),
    [
        ({}, [], Role.MEMBER),
        (PINS, ["11"], Role.MEMBER),
        (PINS, ["22"], Role.MODERATOR),
        (PINS, ["99"], Role.MEMBER),
        (PINS, ["", "011", "22"], Role.MODERATOR),
        (PINS, ["1", "2", "3"], None),
        (MODERATOR_PIN, ["22"], Role.MODERATOR),
        (MODERATOR_PIN, [""], Role.MEMBER),
        (MODERATOR_PIN, ["5", ""], Role.MEMBER),
        (MODERATOR_PIN, ["5", "5", "5"], None),
        (MEMBER_PIN, ["11"], Role.MEMBER),
        (MEMBER_PIN, ["", "", ""], None),
    ],
)
async def test_pins_of_an_undecided_caller(keys: dict[str, Any], entries: list[str], role: Role | None) -> None:
    caller = ScriptedCaller(*entries)
    admission = await go(caller, {**QUIET, "id": ID}, document(**keys))
    assert (admission.caller.role if admission else None) is role
    assert caller.heard.count(PIN) == len(entries)
    assert caller.left == []
    if role is None:
        assert caller.heard[-3:] == ["conf-bad_pin", "conf-too_many_attempts", "<hung up>"]


@pytest.mark.parametrize(
    ("pins", "role_list", "entries", "role"),
    [
        (MODERATOR_PIN, "member", [], Role.MEMBER),
        (MEMBER_PIN, "moderator", [], Role.MODERATOR),
        (PINS, "member", ["22", "11"], Role.MEMBER),
        (PINS, "moderator", ["11", "22"], Role.MODERATOR),
        (MODERATOR_PIN, "moderator", ["", "", ""], None),
    ],
)
async def test_pins_of_a_caller_whose_number_gave_the_role(
    pins: dict[str, Any], role_list: str, entries: list[str], role: Role | None
) -> None:
    keys = {**pins, role_list: {**pins.get(role_list, {}), "numbers": ["300"]}}
    caller = ScriptedCaller("300", *entries)
    admission = await go(caller, QUIET, document(**keys))
    assert (admission.caller.role if admission else None) is role
    assert caller.heard.count(PIN) == len(entries)


async def test_the_counters_of_number_and_pin_are_separate() -> None:
    caller = ScriptedCaller("1", "2", "300", "5", "5", "11")
    assert await go(caller, QUIET, document(conference_numbers=["300"], **MEMBER_PIN)) is not None


@pytest.mark.parametrize(("entry", "keys"), [("11", MEMBER_PIN), ("", MODERATOR_PIN)])
async def test_the_moderator_flag_does_not_skip_the_pin_but_raises_the_role(entry: str, keys: dict[str, Any]) -> None:
    caller = ScriptedCaller(entry)
    admission = await go(caller, {**QUIET, "id": ID, "moderator": True}, document(**keys))
    assert caller.heard.count(PIN) == 1
    assert admission is not None
    assert admission.caller.moderator


@pytest.mark.parametrize("flag", [{"moderator": False}, {}])
async def test_moderator_false_does_not_downgrade(flag: dict[str, bool]) -> None:
    admission = await go(ScriptedCaller("22"), {"config": {"name": "n", **MODERATOR_PIN}, **flag})
    assert admission is not None
    assert admission.caller.moderator


async def test_timers_of_number_and_pin() -> None:
    caller = ScriptedCaller("300", "11")
    documents = MemoryDocuments(
        document(conference_numbers=["300"], pin_timeout=700, **MEMBER_PIN),
        configuration=Configuration(account={"number_timeout": 800}),
    )
    await enter(caller, {}, documents, Directory())
    assert caller.timers == [800, 700]


async def test_the_found_document_sets_the_language() -> None:
    caller = ScriptedCaller("300", "11")
    await go(caller, QUIET, document(conference_numbers=["300"], language="fr-fr", **MEMBER_PIN))
    assert caller.languages == {"en-us", "fr-fr"}


async def test_hanging_up_ends_the_dialogue() -> None:
    caller = ScriptedCaller("5", HANG_UP)
    with pytest.raises(HungUp):
        await go(caller, {**QUIET, "id": ID}, document(**MEMBER_PIN))
    assert caller.heard == ["<answered>", PIN, "conf-bad_pin", PIN]


@pytest.mark.parametrize(
    ("members", "limit", "sound"),
    [(1, 1, "conf-max_participants"), (2, 2, "conf-max_participants"), (1, 2, None), (5, 0, None), (5, -3, None)],
)
async def test_a_full_room_turns_members_away(members: int, limit: int, sound: str | None) -> None:
    rooms, _ = running(members)
    caller = ScriptedCaller()
    admission = await go(caller, {**QUIET, "id": ID}, document(max_participants=limit), rooms=rooms)
    assert (admission is None) == (sound is not None)
    assert caller.heard == ["<answered>", *([sound, "<hung up>"] if sound else [JOINING])]


async def test_the_first_caller_is_never_refused_as_full() -> None:
    assert await go(ScriptedCaller(), {"id": ID}, document(max_participants=1)) is not None


async def test_the_full_sound_of_the_document_is_used_at_the_first_check() -> None:
    rooms, _ = running(2)
    caller = ScriptedCaller()
    keys = {"max_participants": 2, "max_members_media": "sorry"}
    assert await go(caller, {**QUIET, "id": ID}, document(**keys), rooms=rooms) is None
    assert caller.heard == ["<answered>", "sorry", "<hung up>"]


async def test_moderators_may_enter_a_full_and_locked_room() -> None:
    rooms, room = running(2, max_participants=2)
    room.set_locked(True, 0.0)
    keys = {"max_participants": 2}
    admission = await go(ScriptedCaller(), {"id": ID, "moderator": True}, document(**keys), rooms=rooms)
    assert admission is not None


@pytest.mark.parametrize("full", [True, False])
async def test_an_operator_can_keep_moderators_out_as_well(full: bool) -> None:
    system = {"moderators_enter_always": False}
    rooms = Directory()
    keys = {"max_participants": 1 if full else 5, "max_members_media": "sorry"}
    conference = Conference("acc", ID, document(**keys), stored=True)
    room, _ = rooms.get_or_create(room_settings(conference, Configuration(system=system)), 0.0)
    room.join(CallerInfo("other", "acc"), CallerSettings(Role.MEMBER), 0.0)
    room.set_locked(not full, 0.0)
    caller = ScriptedCaller()
    documents = MemoryDocuments(document(**keys), configuration=Configuration(system=system))
    assert await enter(caller, {**QUIET, "id": ID, "moderator": True}, documents, rooms) is None
    assert caller.heard == ["<answered>", "sorry" if full else "conf-locked", "<hung up>"]


async def test_a_locked_room_turns_members_away_but_not_legs_that_were_called() -> None:
    rooms, room = running(1)
    room.set_locked(True, 0.0)
    caller = ScriptedCaller()
    assert await go(caller, {**QUIET, "id": ID}, document(), rooms=rooms) is None
    assert caller.heard == ["<answered>", "conf-locked", "<hung up>"]
    assert await go(ScriptedCaller(inbound=False), {"id": ID}, document(), rooms=rooms) is not None


async def test_the_profile_limit_of_the_running_room_counts() -> None:
    rooms, _ = running(2, profile={"max-members": 2, "max-members-sound": "enough"})
    caller = ScriptedCaller()
    assert await go(caller, {**QUIET, "id": ID}, document(), rooms=rooms) is None
    assert "enough" in caller.heard


@pytest.mark.parametrize(
    ("member", "moderator", "plays"),
    [({}, False, True), ({"play_entry_prompt": False}, False, False), ({"play_entry_prompt": False}, True, True)],
)
async def test_play_entry_prompt_false_suppresses_the_joining_sound(
    member: dict[str, Any], moderator: bool, plays: bool
) -> None:
    caller = ScriptedCaller()
    await go(caller, {**QUIET, "id": ID, "moderator": moderator}, document(member=member))
    assert (JOINING in caller.heard) is plays


async def test_rooms_of_two_accounts_with_one_name_do_not_meet() -> None:
    rooms = Directory()
    running(2, rooms, max_participants=2)
    assert rooms.find("other", ID) is None
    stranger = ScriptedCaller(account_id="other")
    assert await go(stranger, {"id": ID, "config": {"max_participants": 2}}, rooms=rooms) is not None


async def test_callers_share_the_settings_of_a_running_room_that_say_the_same() -> None:
    rooms, room = running(1)
    same = await go(ScriptedCaller(), {"id": ID}, document(), rooms=rooms)
    changed = await go(ScriptedCaller(), {"id": ID}, document(max_members_media="full"), rooms=rooms)
    assert same is not None
    assert same.room is room.settings
    assert changed is not None
    assert changed.room.max_members_sound == "full"
