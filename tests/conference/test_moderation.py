"""Rooms that need a moderator: `require_moderator` and `wait_for_moderator` (semantics 2.2, 3.9)."""

from dataclasses import replace
from typing import Any

import pytest

from mirliton.conference.effects import AddMember, Destroy, HangUp, SetMember, StartLoop, StopLoop
from mirliton.conference.profile import Configuration
from mirliton.conference.settings import Conference, room_settings

from .driving import MODERATOR, Driver, events, only, private_sounds, room_sounds

PATIENCE = "conf-wait_for_moderator"


def moderated(**keys: Any) -> tuple[Driver, int, int]:
    """A room that requires a moderator, with a member and a moderator, all sounds heard."""
    drive = Driver(require_moderator=True, **keys)
    member = drive.join()
    moderator = drive.join(MODERATOR)
    drive.play_out()
    return drive, member, moderator


def test_members_are_isolated_until_a_moderator_is_there() -> None:
    drive = Driver(require_moderator=True)
    member = drive.join()
    effects = drive.play_out(2.0)
    assert AddMember(member, muted=False, deaf=False, isolated=True) in effects
    assert room_sounds(effects) == [PATIENCE]
    assert only(effects, StartLoop)
    drive.join(MODERATOR)
    effects = drive.play_out()
    assert SetMember(member, isolated=False) in effects
    assert only(effects, StopLoop)
    assert not drive.room.waiting


def test_each_later_member_of_a_waiting_room_is_told_in_private() -> None:
    drive = Driver(wait_for_moderator=True)
    drive.join()
    drive.play_out()
    drive.join()
    assert private_sounds(drive.play_out()) == [PATIENCE]
    drive.join(MODERATOR)
    drive.join()
    assert PATIENCE not in private_sounds(drive.take())


def test_the_room_goes_back_to_waiting_when_the_grace_time_is_over() -> None:
    drive, member, moderator = moderated()
    drive.join()
    drive.play_out()
    drive.leave(moderator)
    assert drive.room.next_deadline == drive.now + 30
    assert drive.pass_time(29.9) == []
    effects = drive.pass_time(0.2)
    assert SetMember(member, isolated=True) in effects
    assert room_sounds(effects) == [PATIENCE]
    assert drive.room.waiting
    late = drive.join()
    effects = drive.take()
    assert AddMember(late, muted=False, deaf=False, isolated=True) in effects


def test_music_comes_back_after_the_prompt() -> None:
    drive, _, moderator = moderated(moderator_grace_seconds=5)
    drive.join()
    drive.play_out()
    for _ in room_sounds(drive.leave(moderator)):
        drive.room.sound_queued(0.0, drive.now)
    drive.pass_time(5)
    drive.room.sound_queued(3.0, drive.now)
    assert not only(drive.pass_time(2.9), StartLoop)
    assert StartLoop("music", "en-us") in drive.pass_time(0.2)


def test_a_moderator_who_returns_in_time_stops_it() -> None:
    drive, _, moderator = moderated()
    drive.leave(moderator)
    drive.pass_time(29)
    drive.join(MODERATOR)
    effects = drive.pass_time(100)
    assert not drive.room.waiting
    assert not [effect for effect in only(effects, SetMember) if effect.isolated]


def test_only_the_last_moderator_counts() -> None:
    drive, _, first = moderated()
    drive.join(MODERATOR)
    drive.leave(first)
    drive.pass_time(100)
    assert not drive.room.waiting


def test_the_room_can_end_instead() -> None:
    drive, member, moderator = moderated(without_moderator="end", moderator_grace_seconds=1)
    other = drive.join()
    drive.room.kick(moderator, drive.now)
    drive.take()
    effects = drive.pass_time(1)
    assert only(effects, HangUp) == [HangUp(each, ("conf-ended",), "en-us") for each in (member, other)]
    assert events(effects)[-1] == "conference-destroy"
    assert effects[-1] == Destroy()
    assert drive.room.ended
    assert drive.room.next_deadline is None


@pytest.mark.parametrize("action", ["wait", "end"])
def test_without_a_grace_time_it_happens_at_once(action: str) -> None:
    drive, member, moderator = moderated(without_moderator=action, moderator_grace_seconds=0)
    effects = drive.leave(moderator)
    assert drive.room.ended == (action == "end")
    assert drive.room.waiting == (action == "wait")
    assert events(effects).count("del-member") == (2 if action == "end" else 1)
    assert drive.seen(member).isolated if action == "wait" else drive.room.member(member) is None


def test_whoever_talks_when_waiting_comes_back_has_stopped_talking() -> None:
    drive, member, moderator = moderated()
    drive.room.sound_from(member, True, drive.now)
    drive.leave(moderator)
    assert events(drive.pass_time(30)) == ["stop-talking"]
    drive.room.sound_from(member, True, drive.now)
    assert events(drive.take()) == [], "nobody hears who waits"
    drive.join(MODERATOR)
    assert "start-talking" in events(drive.take()), "who still talks is heard from now on"


def test_waiting_without_the_requirement_never_comes_back() -> None:
    drive = Driver(wait_for_moderator=True)
    drive.join()
    moderator = drive.join(MODERATOR)
    drive.leave(moderator)
    drive.pass_time(1000)
    assert not drive.room.waiting


def test_a_hidden_moderator_is_a_moderator() -> None:
    drive = Driver(require_moderator=True)
    member = drive.join()
    drive.join(replace(MODERATOR, ghost=True))
    assert not drive.seen(member).isolated
    assert drive.room.moderators == 0


def test_an_empty_room_forgets_the_grace_time() -> None:
    drive, member, moderator = moderated()
    drive.leave(moderator)
    drive.leave(member)
    assert drive.room.next_deadline is None


@pytest.mark.parametrize(
    ("document", "stores", "grace", "otherwise"),
    [
        ({}, {}, 30, "wait"),
        ({}, {"system": {"moderator_grace_seconds": 9, "without_moderator": "end"}}, 9, "end"),
        ({}, {"account": {"moderator_grace_seconds": 8}, "system": {"moderator_grace_seconds": 9}}, 8, "wait"),
        ({"moderator_grace_seconds": 0}, {"account": {"moderator_grace_seconds": 8}}, 0, "wait"),
        ({"moderator_grace_seconds": 10**9, "without_moderator": "explode"}, {}, 86_400, "wait"),
    ],
)
def test_grace_and_what_follows_come_from_document_account_and_system(
    document: Any, stores: Any, grace: int, otherwise: str
) -> None:
    settings = room_settings(Conference("acc", "c1", document, stored=True), Configuration(**stores))
    assert (settings.moderator_grace_seconds, settings.without_moderator) == (grace, otherwise)


def test_members_may_not_lock_while_the_room_waits_again() -> None:
    drive, member, moderator = moderated(controls=[{"digits": "7", "action": "lock"}], moderator_grace_seconds=0)
    drive.leave(moderator)
    assert events(drive.press(member, "7")) == []
    assert not drive.room.locked
