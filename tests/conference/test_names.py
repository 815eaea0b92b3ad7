"""Announced names: semantics 1.5.8."""

from typing import Any

import pytest

from mirliton.conference.defaults import ENTRY_TONE, EXIT_TONE, NAME_BEEP
from mirliton.conference.directory import Directory
from mirliton.conference.entry import Admission, enter
from mirliton.conference.ports import CallerInfo, HungUp
from mirliton.conference.profile import Configuration
from mirliton.conference.settings import CallerSettings, Conference, Role, room_settings

from .scripted import HANG_UP, MemoryDocuments, MemoryNames, ScriptedCaller

ASK = ["conf-announce_your_name", NAME_BEEP]
JOINING = "conf-joining_conference"
REVIEW = {"review_name": True}


async def go(
    caller: ScriptedCaller,
    names: MemoryNames,
    *,
    action: dict[str, Any] | None = None,
    account: dict[str, Any] | None = None,
    rooms: Directory | None = None,
    **keys: Any,
) -> Admission | None:
    document = {"id": "c", "name": "sales", "play_name": True, **keys}
    documents = MemoryDocuments(document, configuration=Configuration(account=account or {}))
    data = {"id": "c", "welcome_prompt": {"play": False}, **(action or {})}
    return await enter(caller, data, documents, rooms or Directory(), names)


def review(number: int) -> list[str]:
    return ["conf-your_announcement", f"name-{number}", "conf-review"]


async def test_the_name_of_a_known_user_is_used_without_asking() -> None:
    caller, names = ScriptedCaller(), MemoryNames("ann")
    admission = await go(caller, names)
    assert admission is not None
    assert caller.heard == ["<answered>", JOINING]
    assert (admission.name, admission.temporary_name, names.count) == ("ann", False, 0)
    assert admission.caller.enter_sound == f"file_string://{ENTRY_TONE}!ann!conf-has_joined"
    assert admission.caller.exit_sound == f"file_string://{EXIT_TONE}!ann!conf-has_left"


async def test_an_unknown_caller_says_the_name_before_the_joining_sound() -> None:
    caller, names = ScriptedCaller(), MemoryNames()
    admission = await go(caller, names)
    assert admission is not None
    assert caller.heard == ["<answered>", *ASK, JOINING]
    assert (admission.name, admission.temporary_name, names.kept) == ("name-1", True, ["name-1"])


@pytest.mark.parametrize(("keys", "account"), [({"play_name": False}, {}), ({}, {"support_name_announcement": False})])
async def test_nobody_is_asked_unless_document_and_configuration_want_it(keys: Any, account: Any) -> None:
    caller = ScriptedCaller()
    admission = await go(caller, MemoryNames("ann"), account=account, **keys)
    assert admission is not None
    assert (admission.name, admission.caller.enter_sound, caller.heard) == (None, None, ["<answered>", JOINING])


@pytest.mark.parametrize("others", [[], ["2"], ["", "5", "0"]])
async def test_a_reviewed_name_is_recorded_again_until_one_is_pressed(others: list[str]) -> None:
    caller, names = ScriptedCaller(*others, "1"), MemoryNames()
    admission = await go(caller, names, account=REVIEW)
    assert admission is not None
    rounds = len(others) + 1
    asked = [sound for number in range(1, rounds + 1) for sound in (*ASK, *review(number))]
    assert caller.heard == ["<answered>", *asked, JOINING]
    assert caller.timers == [5000] * rounds
    assert names.kept == [admission.name] == [f"name-{rounds}"], "earlier recordings are forgotten"


async def test_reviewing_has_an_end() -> None:
    caller, names = ScriptedCaller(*["2"] * 50), MemoryNames()
    admission = await go(caller, names, account=REVIEW)
    assert admission is not None
    assert names.count == 20
    assert names.kept == [admission.name]


@pytest.mark.parametrize("names", [MemoryNames(), MemoryNames(temporary=False)])
async def test_hanging_up_in_the_review_leaves_no_recording(names: MemoryNames) -> None:
    with pytest.raises(HungUp):
        await go(ScriptedCaller("2", HANG_UP), names, account=REVIEW)
    assert (names.count, names.kept) == (2, [])


@pytest.mark.parametrize(("silent", "full"), [(True, False), (False, True)])
async def test_without_a_recording_the_usual_tones_stay(silent: bool, full: bool) -> None:
    admission = await go(ScriptedCaller(silent=silent), MemoryNames(full=full))
    assert admission is not None
    assert (admission.name, admission.caller.enter_sound, admission.caller.exit_sound) == (None, None, None)


@pytest.mark.parametrize(
    ("settings", "tone"),
    [
        ({}, ENTRY_TONE),
        ({"play_entry_tone": False}, None),
        ({"play_entry_tone": "ding"}, "ding"),
        ({"play_entry_tone": "file_string://a!b"}, "a!b"),
        ({"play_entry_tone": "odd!address"}, None),
        ({"play_entry_tone": False, "action": {"play_entry_tone": "own"}}, "own"),
        ({"profile": {"enter-sound": "p"}}, "p"),
        ({"profile": {"enter-sound": ""}}, None),
        ({"profile_name": "page"}, None),
        ({"account": {"entry_tone": "acc", "moderator_entry_tone": "mod"}}, "acc"),
        (
            {"account": {"entry_tone": "acc", "moderator_entry_tone": "mod"}, "action": {"moderator": True}},
            "mod",
        ),
    ],
)
async def test_the_tone_before_the_name_follows_the_rules_of_tones(settings: Any, tone: str | None) -> None:
    admission = await go(ScriptedCaller(), MemoryNames("ann"), **settings)
    assert admission is not None
    parts = [*([tone] if tone else []), "ann", "conf-has_joined"]
    assert admission.caller.enter_sound == "file_string://" + "!".join(parts)


def running(**keys: Any) -> Directory:
    rooms = Directory()
    conference = Conference("acc", "c", {"name": "sales", **keys}, stored=True)
    room, _ = rooms.get_or_create(room_settings(conference, Configuration()), 0.0)
    room.join(CallerInfo("other", "acc"), CallerSettings(Role.MEMBER), 0.0)
    return rooms


async def test_a_full_room_turns_away_before_the_name_is_asked() -> None:
    caller, names = ScriptedCaller(), MemoryNames()
    assert await go(caller, names, rooms=running(), max_participants=1) is None
    assert names.count == 0
    assert caller.heard == ["<answered>", "conf-max_participants", "<hung up>"]


@pytest.mark.parametrize("temporary", [True, False])
async def test_a_caller_turned_away_afterwards_leaves_no_temporary_name(temporary: bool) -> None:
    rooms, names = running(), MemoryNames(temporary=temporary)
    room = rooms.find("acc", "c")
    assert room is not None
    room.set_locked(True, 0.0)
    caller = ScriptedCaller()
    assert await go(caller, names, rooms=rooms) is None
    assert caller.heard == ["<answered>", *ASK, "conf-locked", "<hung up>"]
    assert names.kept == ([] if temporary else ["name-1"])


async def test_hanging_up_in_the_joining_sound_leaves_no_temporary_name() -> None:
    class Impatient(ScriptedCaller):
        async def play_to_end(self, sounds: Any, language: str) -> None:
            raise HungUp

    names = MemoryNames()
    with pytest.raises(HungUp):
        await go(Impatient(), names)
    assert (names.count, names.kept) == (1, [])
