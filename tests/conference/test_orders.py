"""Kicks, relations, recording, and the controls that reach outside the room (semantics 3.8, 4.1, 6.6, 7.1)."""

from dataclasses import replace
from typing import Any

import pytest

from mirliton.conference.controls import MAX_BINDINGS
from mirliton.conference.effects import (
    Execute,
    HangUp,
    Hear,
    Publish,
    RemoveMember,
    SetMember,
    ToggleRecording,
    Transfer,
)
from mirliton.conference.events import OPTIONAL, PUBLISHED
from mirliton.conference.ports import CallerInfo
from mirliton.conference.variables import MAX_CHARACTERS, expand

from .driving import MEMBER, MODERATOR, Driver, event, events, only, private_sounds, room_sounds, settings


def driver_with(*entries: dict[str, str]) -> Driver:
    return Driver(settings(controls=list(entries)))


def test_a_kicked_member_hears_why_and_the_others_hear_the_exit_tone() -> None:
    drive = Driver()
    member = drive.join()
    drive.join()
    drive.take()
    drive.room.kick(member, drive.now)
    effects = drive.take()
    assert events(effects) == ["kick-member", "floor-change", "del-member"]
    outside = [effect for effect in effects if isinstance(effect, RemoveMember | HangUp)]
    assert outside == [RemoveMember(member), HangUp(member, ("conf-kicked",), "en-us")]
    assert room_sounds(effects) == ["exit", "alone"]
    drive.room.kick(member, drive.now)
    assert drive.take() == []


@pytest.mark.parametrize(
    ("profile", "quiet", "heard", "told"),
    [
        ({"kicked-sound": ""}, False, (), "kick-member"),
        ({"kicked-sound": "bye"}, False, ("bye",), "kick-member"),
        ({}, True, (), "hup-member"),
    ],
)
def test_the_kicked_sound_can_be_another_or_none(profile: Any, quiet: bool, heard: Any, told: str) -> None:
    drive = Driver(profile=profile)
    member = drive.join()
    drive.take()
    drive.room.kick(member, drive.now, quiet=quiet)
    effects = drive.take()
    assert only(effects, HangUp) == [HangUp(member, heard, "en-us")]
    assert events(effects)[0] == told


def test_ending_a_room_by_order_stays_silent() -> None:
    drive = Driver()
    member = drive.join()
    drive.take()
    drive.room.end(drive.now)
    assert only(drive.take(), HangUp) == [HangUp(member, (), "en-us")]


def test_keys_that_are_due_when_the_room_ends_do_nothing_any_more() -> None:
    drive = driver_with({"digits": "1", "action": "hangup"}, {"digits": "12", "action": "mute"})
    drive.join()
    late = drive.join()
    drive.press(late, "1")
    drive.room.end(drive.now + 10)
    assert events(drive.take()).count("del-member") == 2


def test_relations_stop_and_give_back_hearing() -> None:
    drive = Driver()
    one, other = drive.join(), drive.join()
    drive.take()
    relate = drive.room.relate
    assert relate(one, other, "mute")
    assert drive.take() == [Hear(other, one, on=False)]
    assert relate(one, other, "mute")
    assert drive.take() == [], "it is so already"
    assert relate(one, other, "deaf")
    assert drive.take() == [Hear(one, other, on=False)]
    assert relate(one, other, "clear")
    assert set(only(drive.take(), Hear)) == {Hear(one, other, on=True), Hear(other, one, on=True)}
    assert relate(one, other, "clear")
    assert drive.take() == []


def test_relations_need_two_members_and_are_forgotten_when_one_leaves() -> None:
    drive = Driver()
    one, other = drive.join(), drive.join()
    drive.take()
    assert not drive.room.relate(one, one, "mute")
    assert not drive.room.relate(one, 99, "mute")
    drive.room.relate(one, other, "mute")
    drive.room.leave(other, drive.now)
    drive.take()
    assert len(drive.room.relations) == 0


def test_relations_are_bounded_and_counted() -> None:
    drive = Driver()
    drive.room.relations.limit = 1
    one, other, third = drive.join(), drive.join(), drive.join()
    assert drive.room.relate(one, other, "mute")
    drive.take()
    assert not drive.room.relate(one, third, "mute")
    assert drive.take() == []
    assert drive.room.relations.refused == 1


def test_everybody_is_told_that_a_recording_begins_and_ends() -> None:
    drive = Driver()
    drive.join()
    drive.take()
    for on, sound, told in [
        (True, "conf-recording_on", "start-recording"),
        (False, "conf-recording_off", "stop-recording"),
    ]:
        drive.room.set_recording(on, drive.now)
        drive.room.set_recording(on, drive.now)
        effects = drive.take()
        assert (room_sounds(effects), events(effects)) == ([sound], [told])
        assert drive.room.snapshot(drive.now)["is_recording"] is on
    assert {"start-recording", "stop-recording"} <= PUBLISHED


def test_who_joins_a_recorded_room_is_told_and_the_sounds_can_be_none() -> None:
    drive = Driver()
    drive.join()
    drive.room.set_recording(True, drive.now)
    drive.take()
    drive.join()
    assert private_sounds(drive.take()) == ["conf-recording_on"]
    drive = Driver(profile={"is-recording-sound": "", "is-not-recording-sound": ""})
    drive.join()
    drive.take()
    drive.room.set_recording(True, drive.now)
    drive.room.set_recording(False, drive.now)
    assert room_sounds(drive.take()) == []


def test_a_recording_ends_with_the_room() -> None:
    drive = Driver()
    member = drive.join()
    drive.room.set_recording(True, drive.now)
    assert events(drive.leave(member))[-2:] == ["stop-recording", "conference-destroy"]
    drive.room.set_recording(True, drive.now)
    assert drive.take() == []


def test_transfer_leaves_the_room_for_an_extension() -> None:
    drive = driver_with({"digits": "5", "action": "transfer", "data": "2${caller_id_number} XML default"})
    member = drive.join(caller_id_number="17")
    drive.join()
    drive.take()
    effects = drive.press(member, "5")
    assert [effect for effect in effects if isinstance(effect, RemoveMember | Transfer | HangUp)] == [
        RemoveMember(member),
        Transfer(member, "217"),
    ]
    assert room_sounds(effects) == ["exit", "alone"]
    assert events(effects) == ["transfer", "floor-change", "del-member"]
    assert event(effects, "transfer")["extension"] == "217"


def test_a_transfer_to_nowhere_does_nothing() -> None:
    drive = driver_with({"digits": "5", "action": "transfer", "data": "${unknown}"})
    member = drive.join()
    drive.take()
    assert drive.press(member, "5") == []


def test_an_application_runs_on_the_call_of_the_presser() -> None:
    drive = driver_with({"digits": "5", "action": "execute_application", "data": "playback ${owner_id} x"})
    member = drive.join(owner_id="ann")
    drive.take()
    effects = drive.press(member, "5")
    assert only(effects, Execute) == [Execute(member, "playback", "ann x")]
    assert events(effects) == ["execute_app"]
    assert drive.room.member(member) is not None


@pytest.mark.parametrize("action", ["transfer", "execute_application"])
def test_actions_that_need_data_are_left_out_without(action: str) -> None:
    group = settings(controls=[{"digits": "5", "action": action, "data": " "}]).member_controls
    assert group.bindings == ()
    assert "data" in group.complaints[0]


def test_variables_are_those_of_the_caller() -> None:
    info = CallerInfo(
        "call-1",
        "acc",
        caller_id_name="An\r\nn",
        custom_channel_vars={"queue": 7, "deep": {}},
        custom_application_vars={"foo": "bar", "uuid": "faked"},
    )
    assert expand("${uuid}/${account_id}/${caller_id_name}", info) == "call-1/acc/Ann"
    assert expand("${queue} ${foo} ${deep} ${none} $x ${", info) == "7 bar   $x ${"
    assert len(expand("${uuid}" * 1000, info)) <= MAX_CHARACTERS


def test_event_data_is_expanded() -> None:
    drive = driver_with({"digits": "5", "action": "event", "data": "from ${caller_id_name}"})
    member = drive.join(caller_id_name="Ann")
    drive.take()
    assert event(drive.press(member, "5"), "dtmf")["data"] == "from Ann"


def moderator_keys() -> tuple[Driver, int]:
    drive = Driver(moderator_controls="moderator")
    return drive, drive.join(MODERATOR)


def test_a_moderator_mutes_all_others_and_opens_them_again() -> None:
    drive, moderator = moderator_keys()
    first, second, boss = drive.join(), drive.join(replace(MEMBER, muted=True)), drive.join(MODERATOR)
    ghost = drive.join(replace(MEMBER, ghost=True))
    drive.take()
    assert [effect.member_id for effect in only(drive.press(moderator, "*8"), SetMember)] == [first]
    effects = drive.press(moderator, "*8")
    assert only(effects, SetMember) == [SetMember(first, muted=False), SetMember(second, muted=False)]
    assert not drive.seen(boss).muted
    assert not drive.seen(ghost).muted


def test_a_moderator_hears_how_many_others_are_here() -> None:
    drive, moderator = moderator_keys()
    drive.take()
    assert private_sounds(drive.press(moderator, "*9")) == ["conf-alone"]
    drive.join()
    drive.join(replace(MEMBER, ghost=True))
    drive.take()
    assert private_sounds(drive.press(moderator, "*9")) == ["conf-single"]
    for _ in range(11):
        drive.join()
    drive.take()
    assert private_sounds(drive.press(moderator, "*9")) == ["conf-there_are", "1", "2", "conf-other_participants"]


def test_lock_and_recording_by_key() -> None:
    drive, moderator = moderator_keys()
    drive.take()
    assert events(drive.press(moderator, "*7")) == ["lock"]
    assert only(drive.press(moderator, "*0"), ToggleRecording) == [ToggleRecording()]
    assert not drive.room.recording, "it runs when the shell says so"


def test_the_moderators_keys_are_off_by_default() -> None:
    drive = Driver()
    moderator = drive.join(MODERATOR)
    drive.take()
    assert drive.press(moderator, "*7*8*9*0") == []


def test_the_end_of_played_sounds_is_told() -> None:
    drive = Driver()
    member = drive.join()
    drive.take()
    drive.room.play_done("a", drive.now)
    drive.room.play_done("b", drive.now, member)
    drive.room.play_done("c", drive.now, 99)
    assert events(drive.take()) == ["play-file-done", "play-file-member-done"]


def test_only_events_that_are_wanted_are_numbered() -> None:
    drive = Driver()
    before = drive.room.sequence
    drive.join()
    told = only(drive.take(), Publish)
    assert [each.event["sequence"] for each in told] == list(range(before + 1, before + 1 + len(told)))
    assert drive.room.sequence == drive.room.snapshot(drive.now)["sequence"] == before + len(told)
    assert not PUBLISHED & OPTIONAL


def test_too_many_bindings_are_named() -> None:
    entries = [{"digits": f"{number}", "action": "event"} for number in range(MAX_BINDINGS + 1)]
    group = settings(controls=entries).member_controls
    assert len(group.bindings) == MAX_BINDINGS
    assert len(group.complaints) == 1
