"""Members of a special kind: ghosts, bridges, and the other flags of semantics 3.9."""

from dataclasses import replace

import pytest

from mirliton.conference.effects import AddMember, Hear, PlayToMember, PlayToRoom, SendDigit, StartLoop, StopLoop
from mirliton.conference.ports import CallerInfo
from mirliton.conference.room import Refusal

from .driving import MEMBER, MODERATOR, Driver, event, events, only, private_sounds, room_sounds, settings

GHOST = replace(MEMBER, ghost=True)
BRIDGE = replace(MEMBER, bridge=True)
SENDER = replace(MEMBER, distribute_dtmf=True)


def test_a_ghost_comes_and_goes_unheard_and_the_lone_caller_keeps_the_music() -> None:
    drive = Driver()
    drive.join()
    drive.play_out()
    ghost = drive.join(GHOST)
    effects = drive.play_out()
    assert room_sounds(effects) == private_sounds(effects) == []
    assert not only(effects, StopLoop)
    assert (drive.room.count, drive.room.ghosts) == (1, 1)
    effects = drive.leave(ghost)
    assert room_sounds(effects) == []
    assert not only(effects, StopLoop)
    assert events(effects) == ["del-member"]


def test_ghosts_are_shown_and_counted_apart() -> None:
    drive = Driver()
    ghost = drive.join(replace(MODERATOR, ghost=True))
    added = event(drive.take(), "add-member")
    drive.join()
    assert added["conference_channel_vars"]["member_ghost"] is True
    assert added["conference_vars"]["ghosts"] == 1
    assert added["conference_vars"]["size"] == 0
    assert drive.room.participant(drive.seen(ghost), drive.now)["is_moderator"] is True
    assert drive.room.snapshot(drive.now)["members"] == 1
    assert drive.room.snapshot(drive.now)["moderators"] == 0


def test_a_ghost_keeps_the_room_alive_in_silence() -> None:
    drive = Driver()
    caller, ghost = drive.join(), drive.join(GHOST)
    drive.play_out()
    effects = drive.leave(caller)
    assert "conference-destroy" not in events(effects)
    assert not only(drive.play_out(), StartLoop)
    assert "conference-destroy" in events(drive.leave(ghost))


def test_ghosts_do_not_fill_a_room_but_find_a_full_one_closed() -> None:
    drive = Driver(max_participants=2)
    drive.join(GHOST)
    drive.join()
    drive.join()
    refused = drive.room.join(CallerInfo("x", "acc"), GHOST, drive.now)
    assert isinstance(refused, Refusal)
    assert refused.reason == "full"


def test_ghosts_are_not_counted_in_announcements() -> None:
    drive = Driver(profile={"announce-count": 2})
    drive.join(GHOST)
    drive.join()
    assert private_sounds(drive.take()) == []
    drive.join()
    assert private_sounds(drive.take()) == ["conf-single"]


def test_a_ghost_never_holds_the_floor() -> None:
    drive = Driver()
    ghost = drive.join(GHOST)
    drive.room.sound_from(ghost, True, drive.now)
    assert drive.room.floor is None
    caller = drive.join()
    assert drive.room.floor == caller


def test_disable_moh_means_no_music_for_a_lone_caller_while_present() -> None:
    drive = Driver()
    drive.join(replace(MEMBER, disable_moh=True))
    assert not only(drive.play_out(), StartLoop)
    drive = Driver()
    drive.join()
    drive.play_out()
    quiet = drive.join(replace(GHOST, disable_moh=True))
    assert only(drive.take(), StopLoop) == [StopLoop()]
    assert only(drive.leave(quiet), StartLoop) == [StartLoop("music", "en-us")]


def test_distributed_digits_go_to_all_others_and_drive_nothing() -> None:
    drive = Driver()
    sender, first, second, ghost = drive.join(SENDER), drive.join(), drive.join(SENDER), drive.join(GHOST)
    drive.join(BRIDGE)
    drive.take()
    effects = drive.press(sender, "#")
    assert only(effects, SendDigit) == [SendDigit(each, "#") for each in (first, second, ghost)]
    assert events(effects) == ["dtmf-member"]
    assert drive.room.member(sender) is not None
    assert drive.press(first, "*1"), "the others have their controls"


def test_a_bridge_hears_voices_only_and_comes_and_goes_in_silence() -> None:
    drive = Driver(profile={"announce-count": 2})
    drive.join()
    drive.play_out()
    bridge = drive.join(BRIDGE)
    effects = drive.play_out()
    assert AddMember(bridge, muted=False, deaf=False, isolated=False, voices_only=True) in effects
    assert room_sounds(effects) == private_sounds(effects) == []
    assert StopLoop() in effects, "nobody knows how many are behind the bridge"
    assert not only(effects, StartLoop)
    shown = drive.room.participant(drive.seen(bridge), drive.now)
    assert (shown["bridge"], shown["conference_channel_vars"]["bridge"]) == (True, True)
    effects = [*drive.leave(bridge), *drive.play_out()]
    assert room_sounds(effects) == ["alone"], "now the caller is alone for sure"


def test_a_caller_who_finds_only_a_bridge_is_not_told_to_be_alone_or_counted() -> None:
    drive = Driver(profile={"announce-count": 2})
    drive.join(BRIDGE)
    drive.join()
    effects = drive.play_out()
    assert room_sounds(effects) == ["enter"]
    assert private_sounds(effects) == []
    drive.join()
    assert private_sounds(drive.take()) == ["conf-single"]


def test_bridges_do_not_hear_each_other_until_somebody_says_so() -> None:
    drive = Driver()
    drive.join()
    first = drive.join(BRIDGE)
    drive.take()
    second = drive.join(BRIDGE)
    apart = [Hear(first, second, False), Hear(second, first, False)]
    assert sorted(only(drive.take(), Hear), key=lambda hear: hear.listener_id) == apart
    drive.room.relate(first, second, "clear")
    assert {hear.on for hear in only(drive.take(), Hear)} == {True}


def test_a_bridge_that_cannot_be_kept_apart_from_the_others_does_not_come_in() -> None:
    drive = Driver()
    drive.room.relations.limit = 7
    for _ in range(3):
        drive.join(BRIDGE)
    refusal = drive.room.join(CallerInfo("one more", "acc"), BRIDGE, drive.now)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "full"
    drive.join()


def test_nothing_is_said_to_a_bridge_by_itself_but_a_sound_can_be_sent() -> None:
    drive = Driver()
    bridge = drive.join(BRIDGE)
    drive.take()
    drive.room.set_muted(bridge, True, drive.now)
    assert not only(drive.take(), PlayToMember)
    assert drive.press(bridge, "*1#") == [], "it has no controls"
    drive.room.play_to(bridge, "m", drive.now)
    assert only(drive.take(), PlayToMember) == [PlayToMember(bridge, ("m",), "en-us", reported=True)]


@pytest.mark.parametrize("always", [True, False])
def test_whether_moderators_enter_full_and_locked_rooms_is_the_operators_choice(always: bool) -> None:
    drive = Driver(replace(settings(max_participants=2), moderators_enter_always=always))
    drive.join()
    drive.room.set_locked(True, drive.now)
    assert (drive.room.refusal(moderator=True) is None) == always
    drive.room.set_locked(False, drive.now)
    drive.join()
    refusal = drive.room.refusal(moderator=True)
    assert (refusal is None) == always
    assert always or refusal == Refusal("full", "conf-max_participants")


def test_the_operators_bound_counts_ghosts() -> None:
    drive = Driver()
    drive.room._hard_limit = 1
    drive.join(GHOST)
    assert drive.room.refusal(moderator=True) == Refusal("full", "conf-max_participants")


def test_sounds_are_not_asked_for_in_a_room_of_ghosts() -> None:
    drive = Driver()
    drive.join(GHOST)
    drive.join(GHOST)
    assert not only(drive.take(), PlayToRoom)
