"""The room as a state machine: semantics 3.6 to 3.10, 4.1 and 7.1."""

from dataclasses import replace

import pytest

from mirliton.conference.announcements import MUSIC_RETRY_SECONDS, spoken
from mirliton.conference.controls import ControlGroup
from mirliton.conference.directory import Directory, RoomsFull
from mirliton.conference.effects import (
    AddMember,
    Destroy,
    HangUp,
    PlayToMember,
    PlayToRoom,
    Publish,
    RemoveMember,
    SetMember,
    StartLoop,
    StopLoop,
)
from mirliton.conference.member import GREGORIAN_OFFSET, Member
from mirliton.conference.ports import CallerInfo
from mirliton.conference.room import Refusal, Room
from mirliton.conference.settings import CallerSettings

from .driving import MEMBER, MODERATOR, Driver, events, only, private_sounds, room_sounds, settings


def test_the_first_member_hears_the_alone_sound_and_then_music() -> None:
    drive = Driver()
    drive.join()
    assert drive.room.next_deadline is None  # nothing to do until the alone sound has been found
    effects = drive.play_out(2.5)
    assert room_sounds(effects) == ["alone"]
    assert drive.now == 102.5
    assert list(only(effects, StartLoop)) == [StartLoop("music", "en-us")]
    assert drive.room.next_deadline is None


def test_the_second_member_stops_the_music_and_is_announced() -> None:
    drive = Driver()
    drive.join()
    drive.play_out()
    second = drive.join()
    effects = drive.take()
    kinds = [type(effect) for effect in effects if not isinstance(effect, Publish)]
    assert kinds == [AddMember, StopLoop, PlayToRoom]
    assert room_sounds(effects) == ["enter"]
    drive.room.sound_queued(1.0, drive.now)
    drive.room.leave(second, drive.now)
    effects = drive.play_out()
    assert room_sounds(effects) == ["exit", "alone"]
    assert StartLoop("music", "en-us") in effects


@pytest.mark.parametrize("interval", [10, 20, 60])
def test_sounds_that_greet_have_a_lead_in_of_twenty_ticks_and_others_begin_at_once(interval: int) -> None:
    drive = Driver(profile={"interval": interval})
    drive.join()
    second = drive.join()
    drive.room.play("ordered", drive.now)
    drive.room.leave(second, drive.now)
    led_in = {effect.sound: effect.lead_in_ms for effect in only(drive.take(), PlayToRoom)}
    assert led_in == {"alone": 20 * interval, "enter": 20 * interval, "ordered": 0, "exit": 0}


@pytest.mark.parametrize("sound", ["", "silence", "indicate_hold", "silence_stream://1"])
def test_words_for_no_music_start_nothing(sound: str) -> None:
    drive = Driver(profile={"moh-sound": sound})
    drive.join()
    assert not list(only(drive.play_out(), StartLoop))


def test_music_that_cannot_be_found_is_tried_again_after_a_while() -> None:
    drive = Driver()
    drive.join()
    drive.play_out()
    drive.room.music_failed(drive.now)
    assert drive.room.next_deadline == drive.now + MUSIC_RETRY_SECONDS
    assert StartLoop("music", "en-us") in drive.play_out()


def test_moderators_come_and_go_with_their_own_tones() -> None:
    drive = Driver(settings(moderator={}, play_entry_tone=True))
    drive.room.settings = replace(drive.room.settings, moderator_enter_sound="m-in", moderator_exit_sound="m-out")
    drive.join()
    drive.take()
    moderator = drive.join(MODERATOR)
    assert room_sounds(drive.take()) == ["m-in"]
    assert room_sounds(drive.leave(moderator)) == ["m-out", "alone"]


@pytest.mark.parametrize(("own", "heard"), [(None, ["enter"]), ("", []), ("ding", ["ding"])])
def test_a_caller_can_have_a_tone_of_their_own(own: str | None, heard: list[str]) -> None:
    drive = Driver()
    drive.join()
    drive.take()
    drive.join(replace(MEMBER, enter_sound=own))
    assert room_sounds(drive.take()) == heard


def test_the_count_is_announced_to_the_joiner_alone_from_the_threshold() -> None:
    drive = Driver(profile={"announce-count": 2})
    drive.join()
    assert private_sounds(drive.take()) == []
    drive.join()
    assert private_sounds(drive.take()) == ["conf-single"]
    third = drive.join()
    effects = drive.take()
    assert private_sounds(effects) == ["conf-there_are", "2", "conf-other_participants"]
    assert {effect.member_id for effect in effects if isinstance(effect, PlayToMember)} == {third}


def test_numbers_are_spoken_digit_by_digit() -> None:
    assert spoken(120) == ("1", "2", "0")
    assert spoken(-3) == ("minus", "3")


def test_members_enter_muted_and_deaf_in_silence() -> None:
    drive = Driver()
    member = drive.join(replace(MEMBER, muted=True, deaf=True))
    effects = drive.take()
    assert AddMember(member, muted=True, deaf=True, isolated=False) in effects
    assert private_sounds(effects) == []
    assert events(effects) == ["add-member", "floor-change"]


def test_digits_mute_and_unmute_with_sound_and_event() -> None:
    drive = Driver()
    member = drive.join()
    drive.take()
    for digits, muted, sound, event in [
        ("*1", True, "conf-muted", "mute-member"),
        ("*3", False, "conf-unmuted", "unmute-member"),
    ]:
        effects = drive.press(member, digits)
        assert SetMember(member, muted=muted) in effects
        assert private_sounds(effects) == [sound]
        assert events(effects) == [event]


@pytest.mark.parametrize(
    ("digits", "start"),
    [("*3", MEMBER), ("*2", replace(MEMBER, muted=True)), ("*6", MEMBER), ("*5", replace(MEMBER, deaf=True))],
)
def test_controls_do_nothing_when_already_so(digits: str, start: CallerSettings) -> None:
    drive = Driver()
    member = drive.join(start)
    drive.take()
    assert drive.press(member, digits) == []


def test_the_command_repeats_sound_and_event() -> None:
    drive = Driver()
    member = drive.join(replace(MEMBER, muted=True))
    drive.take()
    drive.room.set_muted(member, True, drive.now)
    effects = drive.take()
    assert (private_sounds(effects), events(effects)) == (["conf-muted"], ["mute-member"])


def test_unmuting_by_control_also_gives_the_hearing_back_but_by_command_not() -> None:
    drive = Driver()
    member = drive.join(replace(MEMBER, muted=True, deaf=True))
    drive.room.set_muted(member, False, drive.now)
    seen = drive.room.member(member)
    assert seen is not None
    assert (seen.muted, seen.deaf) == (False, True)
    drive.room.set_muted(member, True, drive.now)
    drive.press(member, "*1")
    assert (seen.muted, seen.deaf) == (False, False)


def test_hash_leaves_the_room_and_ends_the_call() -> None:
    drive = Driver()
    member = drive.join()
    drive.join()
    drive.take()
    effects = drive.press(member, "#")
    assert [type(effect) for effect in effects[:2]] == [RemoveMember, HangUp]
    assert room_sounds(effects) == ["exit", "alone"]
    assert events(effects) == ["floor-change", "del-member"]


def test_the_last_leaver_ends_the_room_without_a_sound() -> None:
    drive = Driver()
    member = drive.join()
    drive.take()
    effects = drive.leave(member)
    assert events(effects) == ["floor-change", "del-member", "conference-destroy"]
    assert room_sounds(effects) == []
    assert effects[-1] == Destroy()
    assert isinstance(drive.room.join(CallerInfo("x", "acc"), MEMBER, drive.now), Refusal)


def group(**bindings: str) -> ControlGroup:
    entries = [{"digits": digits.removeprefix("d"), "action": action} for digits, action in bindings.items()]
    return settings(controls=entries).member_controls


def driver_with(**bindings: str) -> Driver:
    controls = group(**bindings)
    return Driver(replace(settings(), member_controls=controls, moderator_controls=controls))


def test_energy_steps_stay_within_range_and_are_spoken() -> None:
    drive = driver_with(d7="energy up", d8="energy dn", d9="energy equ")
    member = drive.join()
    drive.take()
    effects = drive.press(member, "7")
    assert SetMember(member, energy_level=220) in effects
    assert private_sounds(effects) == ["1"]
    assert SetMember(member, energy_level=1800) in drive.press(member, "7" * 12)
    assert SetMember(member, energy_level=0) in drive.press(member, "8" * 12)
    assert SetMember(member, energy_level=20) in drive.press(member, "9")


def test_talk_is_what_one_hears_and_listen_how_one_is_heard() -> None:
    drive = driver_with(d1="vol talk up", d2="vol listen dn", d3="vol talk zero")
    member = drive.join()
    drive.take()
    assert SetMember(member, output_level=1) in drive.press(member, "1")
    effects = drive.press(member, "2")
    assert SetMember(member, input_level=-1) in effects
    assert private_sounds(effects) == ["minus", "1"]
    assert SetMember(member, output_level=4) in drive.press(member, "1" * 9)
    assert SetMember(member, output_level=0) in drive.press(member, "3")


def test_deaf_mute_goes_by_the_microphone() -> None:
    drive = driver_with(d0="deaf mute")
    member = drive.join()
    drive.take()
    assert events(drive.press(member, "0")) == ["mute-member", "deaf-member"]
    assert events(drive.press(member, "0")) == ["unmute-member", "undeaf-member"]


def test_lock_by_digit_is_refused_to_members_while_waiting() -> None:
    controls = group(d7="lock")
    drive = Driver(replace(settings(wait_for_moderator=True), member_controls=controls, moderator_controls=controls))
    member = drive.join()
    drive.take()
    assert events(drive.press(member, "7")) == []
    moderator = drive.join(MODERATOR)
    drive.take()
    assert events(drive.press(moderator, "7")) == ["lock"]
    assert events(drive.press(member, "7")) == ["unlock"]


def test_event_and_music_controls() -> None:
    drive = driver_with(d4="event", d5="moh toggle")
    member = drive.join()
    drive.play_out()
    assert events(drive.press(member, "4")) == ["dtmf"]
    assert StopLoop() in drive.press(member, "5")
    assert StartLoop("music", "en-us") in drive.press(member, "5")


def test_a_waiting_binding_runs_when_its_timer_is_due() -> None:
    drive = driver_with(d1="mute on", d12="mute off")
    member = drive.join()
    drive.play_out()
    assert drive.press(member, "1") == []
    assert drive.room.next_deadline == drive.now + 0.5
    drive.now += 0.5
    drive.room.tick(drive.now)
    assert events(drive.take()) == ["mute-member"]
    assert drive.room.next_deadline is None


def test_members_wait_isolated_with_music_until_the_first_moderator() -> None:
    drive = Driver(wait_for_moderator=True)
    first = drive.join()
    effects = drive.play_out()
    assert AddMember(first, muted=False, deaf=False, isolated=True) in effects
    assert room_sounds(effects) == ["conf-wait_for_moderator"]
    assert list(only(effects, StartLoop)), "music begins after the prompt"
    second = drive.join()
    effects = drive.play_out()
    assert room_sounds(effects) == ["enter"]
    assert private_sounds(effects) == ["conf-wait_for_moderator"]
    assert list(only(effects, StartLoop)), "music comes back in a room that waits, at any count"
    moderator = drive.join(MODERATOR)
    effects = drive.play_out()
    assert {SetMember(first, isolated=False), SetMember(second, isolated=False)} <= set(only(effects, SetMember))
    assert StopLoop() in effects
    assert not list(only(effects, StartLoop))
    drive.leave(moderator)
    assert not drive.room.waiting, "waiting never comes back"
    late = drive.join()
    assert AddMember(late, muted=False, deaf=False, isolated=False) in drive.take()


def test_mute_controls_do_nothing_on_hold_but_deaf_ones_do() -> None:
    drive = Driver()
    member = drive.join()
    drive.room.sound_from(member, True, drive.now)
    drive.take()
    drive.room.set_held(member, True, drive.now)
    drive.room.set_held(member, True, drive.now)
    assert events(drive.take()) == ["stop-talking", "hold-member"]
    assert drive.press(member, "*1") == []
    assert events(drive.press(member, "*4")) == ["deaf-member"]
    drive.room.set_held(member, False, drive.now)
    drive.room.sound_from(member, True, drive.now)
    assert events(drive.take()) == ["unhold-member", "start-talking"]


def test_talking_events_are_always_paired() -> None:
    drive = Driver()
    member = drive.join()
    drive.take()
    drive.room.sound_from(member, True, drive.now)
    drive.room.sound_from(member, True, drive.now)
    assert events(drive.take()) == ["start-talking"]
    drive.press(member, "*1")
    seen = drive.room.member(member)
    assert seen is not None
    assert not seen.talking
    drive.room.sound_from(member, True, drive.now)
    assert events(drive.take()) == [], "a muted member never starts to talk"
    assert events(drive.press(member, "*1")) == ["unmute-member", "start-talking"]
    assert events(drive.leave(member))[:1] == ["stop-talking"]


def test_the_floor_goes_to_who_talks_while_the_holder_is_silent() -> None:
    drive = Driver()
    first, second = drive.join(), drive.join()
    assert drive.room.floor == first
    drive.room.sound_from(second, True, drive.now)
    assert drive.room.floor == second
    drive.room.sound_from(first, True, drive.now)
    assert drive.room.floor == second
    drive.leave(second)
    assert drive.room.floor is None


def test_lock_and_unlock_are_published_once() -> None:
    drive = Driver(profile={"is-locked-sound": "locked now"})
    drive.join()
    drive.take()
    drive.room.set_locked(True, drive.now)
    drive.room.set_locked(True, drive.now)
    effects = drive.take()
    assert (events(effects), room_sounds(effects)) == (["lock"], ["locked now"])
    refusal = drive.room.join(CallerInfo("x", "acc"), MEMBER, drive.now)
    assert refusal == Refusal("locked", "conf-locked")
    drive.join(MODERATOR)


def test_the_operators_bound_holds_for_moderators_too() -> None:
    room = Room(settings(), instance_id="u", next_member_id=iter(range(9)).__next__, now=0.0, hard_limit=1)
    assert isinstance(room.join(CallerInfo("a", "acc"), MEMBER, 0.0), Member)
    assert room.join(CallerInfo("b", "acc"), MODERATOR, 0.0) == Refusal("full", "conf-max_participants")


def test_ending_hangs_everybody_up() -> None:
    drive = Driver()
    members = {drive.join(), drive.join(MODERATOR)}
    drive.take()
    drive.room.end(drive.now)
    effects = drive.take()
    assert {effect.member_id for effect in effects if isinstance(effect, HangUp)} == members
    assert events(effects).count("conference-destroy") == 1
    assert room_sounds(effects) == []
    drive.room.end(drive.now)
    assert drive.take() == []


def test_orders_for_somebody_who_has_left_do_nothing() -> None:
    drive = Driver()
    drive.join()
    drive.take()
    room, now = drive.room, drive.now
    room.digit(77, "#", now)
    room.leave(77, now)
    room.remove(77, now)
    room.set_muted(77, True, now)
    room.set_deaf(77, True, now)
    room.set_energy(77, 1, now)
    room.set_input_level(77, 1, now)
    room.set_output_level(77, 1, now)
    room.sound_from(77, True, now)
    room.play_to(77, "x", now)
    assert drive.take() == []


def test_events_are_numbered_and_complete() -> None:
    drive = Driver()
    member = drive.join(caller_id_name="Ann", caller_id_number="100", device_id="d1")
    published = [effect.event for effect in drive.take() if isinstance(effect, Publish)]
    assert [event["sequence"] for event in published] == [2, 3]
    added = published[0]
    wanted = {
        "event": "add-member",
        "account_id": "acc",
        "conference_id": "c1",
        "instance_id": "uuid",
        "participant_id": member,
        "call_id": "call",
        "caller_id_name": "Ann",
        "speak": True,
        "hear": True,
        "custom_channel_vars": {"account_id": "acc", "authorizing_id": "d1"},
    }
    assert {key: added[key] for key in wanted} == wanted
    assert added["conference_vars"]["size"] == 1


def test_participants_carry_gregorian_times_and_nested_flags() -> None:
    drive = Driver(profile={"energy-level": 300})
    member = drive.room.member(drive.join(replace(MODERATOR, muted=True)))
    assert member is not None
    shown = drive.room.participant(member, drive.now + 61.9, current_energy=7)
    assert shown["join_time"] == int(drive.now + 1e9) + GREGORIAN_OFFSET
    assert shown["duration"] == 61
    flags = shown["conference_channel_vars"]
    assert (flags["is_moderator"], flags["speak"], flags["hear"], flags["floor"]) == (True, False, True, True)
    assert (flags["energy_level"], flags["current_energy"], flags["member_id"]) == (300, 7, member.member_id)
    assert (shown["speak"], shown["energy_level"]) == (False, 300)


def test_the_directory_makes_one_room_for_a_key_and_is_bounded() -> None:
    directory = Directory(max_rooms=1)
    room, created = directory.get_or_create(settings(), 0.0)
    assert created
    assert directory.get_or_create(settings(), 0.0) == (room, False)
    with pytest.raises(RoomsFull):
        directory.get_or_create(replace(settings(), account_id="other"), 0.0)
    directory.forget(room)
    directory.forget(room)
    assert len(directory) == 0
