"""Whatever happens in whatever order: joins and leaves are paired, counts are true, nothing is left behind."""

from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mirliton.conference.defaults import CONTROLS as CONTROL_GROUPS
from mirliton.conference.effects import (
    AddMember,
    Destroy,
    Effect,
    HangUp,
    Hear,
    PlayToRoom,
    Publish,
    RemoveMember,
    StartLoop,
    StopLoop,
    ToggleRecording,
    Transfer,
)
from mirliton.conference.events import OPTIONAL, PUBLISHED
from mirliton.conference.member import Member
from mirliton.conference.ports import CallerInfo
from mirliton.conference.profile import Configuration
from mirliton.conference.room import Room
from mirliton.conference.settings import CallerSettings, Conference, Role, room_settings

members = st.integers(1, 8)


@dataclass
class Witness:
    """What a subscriber and an engine conclude from the effects of a room; every contradiction is a failure."""

    inside: dict[int, bool] = field(default_factory=dict)  # of whom add-member told: whether they are ghosts
    known: set[int] = field(default_factory=set)  # everybody who ever was
    talking: set[int] = field(default_factory=set)
    mixed: set[int] = field(default_factory=set)
    outside: set[int] = field(default_factory=set)  # taken out of the mix, and perhaps not hung up
    deaf_to: set[tuple[int, int]] = field(default_factory=set)
    music: bool = False
    recording: bool = False
    destroyed: bool = False
    sounds: int = 0  # room sounds that wait for an answer
    sequence: int = 0

    def consume(self, room: Room) -> None:
        for effect in room.drain():
            assert not self.destroyed, f"{effect} after the end"
            self.see(effect)

    def see(self, effect: Effect) -> None:
        match effect:
            case AddMember(member_id=key):
                assert key not in self.mixed
                assert key not in self.outside
                self.mixed.add(key)
            case RemoveMember(member_id=key):
                self.mixed.remove(key)
                self.outside.add(key)
                self.deaf_to = {pair for pair in self.deaf_to if key not in pair}
            case HangUp(member_id=key) | Transfer(member_id=key):
                self.outside.remove(key)
            case Hear(listener, speaker, on):
                assert {listener, speaker} <= self.mixed
                assert ((listener, speaker) in self.deaf_to) is on
                self.deaf_to ^= {(listener, speaker)}
            case PlayToRoom():
                self.sounds += 1
            case StartLoop():
                assert not self.music
                self.music = True
            case StopLoop():
                assert self.music
                self.music = False
            case Destroy():
                self.destroyed = True
            case Publish(event=event):
                self.hear(dict(event))
            case ToggleRecording():
                pass
            case _:
                assert getattr(effect, "member_id", None) in self.mixed

    def hear(self, event: dict[str, Any]) -> None:
        self.sequence += 1
        assert event["sequence"] == self.sequence
        name, key = event["event"], event.get("participant_id", 0)
        match name:
            case "add-member":
                assert key not in self.known, "one add-member for each join"
                self.known.add(key)
                self.inside[key] = event["conference_channel_vars"]["member_ghost"]
            case "del-member":
                del self.inside[key]
                assert key not in self.talking
            case "start-talking":
                assert key in self.inside
                assert key not in self.talking
                assert event["speak"], "a muted member never starts to talk"
                self.talking.add(key)
            case "stop-talking":
                self.talking.remove(key)
            case "start-recording" | "stop-recording":
                assert self.recording is (name == "stop-recording")
                self.recording = not self.recording
            case "conference-destroy":
                assert not (self.inside or self.talking or self.recording)
        if name in ("add-member", "del-member"):
            ghosts = sum(self.inside.values())
            assert event["conference_vars"]["ghosts"] == ghosts
            assert event["conference_vars"]["size"] == len(self.inside) - ghosts

    def agrees_with(self, room: Room) -> None:
        present = {member.member_id for member in room}
        assert present == set(self.inside) == self.mixed
        ghosts = sum(member.settings.ghost for member in room)
        assert (room.count, room.ghosts) == (len(present) - ghosts, ghosts)
        assert room.moderators == sum(member.moderator and not member.settings.ghost for member in room)
        assert self.talking == {member.member_id for member in room if member.talking}
        assert not [member for member in room if member.talking and (member.muted or member.held or member.isolated)]
        assert not [member for member in room if member.isolated and not room.waiting]
        assert not [member for member in room if member.moderator and member.isolated]
        assert room.floor is None or room.floor in present
        assert len(room.relations) == len(self.deaf_to)
        assert room.sequence == self.sequence
        assert self.recording is room.recording
        if self.destroyed:
            assert not present
            assert not self.music
            assert room.next_deadline is None


def new_room(hard_limit: int, **keys: Any) -> Room:
    ids = count(1)
    return Room(
        room_settings(Conference("a", "c", {"name": "n", **keys}, stored=True), Configuration()),
        instance_id="u",
        next_member_id=lambda: next(ids),
        now=0.0,
        hard_limit=hard_limit,
        max_relations=3,
        published=(PUBLISHED | OPTIONAL) - {"lock"},
    )


CONTROLS = [*CONTROL_GROUPS["moderator"], {"digits": "=00", "action": "transfer", "data": "7"}]


class RoomMachine(RuleBasedStateMachine):
    """Random orders to a room."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.witness = Witness()

    @initialize(required=st.booleans(), otherwise=st.sampled_from(["wait", "end"]), grace=st.integers(0, 3))
    def open(self, required: bool, otherwise: str, grace: int) -> None:
        self.room = new_room(
            7,
            wait_for_moderator=True,
            require_moderator=required,
            without_moderator=otherwise,
            moderator_grace_seconds=grace,
            max_participants=6,
            controls=CONTROLS,
        )
        self.consume()

    def consume(self) -> None:
        self.witness.consume(self.room)

    @rule(
        moderator=st.booleans(),
        muted=st.booleans(),
        kind=st.sampled_from(["", "", "", "ghost", "bridge", "distribute_dtmf", "disable_moh"]),
    )
    def join(self, moderator: bool, muted: bool, kind: str) -> None:
        role = Role.MODERATOR if moderator else Role.MEMBER
        flags: dict[str, Any] = {kind: True} if kind else {}
        outcome = self.room.join(CallerInfo("x", "a"), CallerSettings(role, muted=muted, **flags), self.now)
        self.consume()
        if isinstance(outcome, Member):
            assert outcome.member_id in self.witness.inside

    @rule(key=members)
    def leave(self, key: int) -> None:
        self.room.leave(key, self.now)
        self.consume()

    @rule(key=members, quiet=st.booleans())
    def kick(self, key: int, quiet: bool) -> None:
        self.room.kick(key, self.now, quiet=quiet)
        self.consume()

    @rule(one=members, other=members, relationship=st.sampled_from(["mute", "deaf", "clear"]))
    def relate(self, one: int, other: int, relationship: str) -> None:
        self.room.relate(one, other, relationship)
        self.consume()

    @rule(on=st.booleans())
    def record(self, on: bool) -> None:
        self.room.set_recording(on, self.now)
        self.consume()

    @rule(key=members, digit=st.sampled_from("*0123456789#"))
    def press(self, key: int, digit: str) -> None:
        self.room.digit(key, digit, self.now)
        self.consume()

    @rule(key=members, on=st.booleans())
    def talk(self, key: int, on: bool) -> None:
        self.room.sound_from(key, on, self.now)
        self.consume()

    @rule(key=members, on=st.booleans())
    def mute(self, key: int, on: bool) -> None:
        self.room.set_muted(key, on, self.now)
        self.consume()

    @rule(key=members, on=st.booleans())
    def hold(self, key: int, on: bool) -> None:
        self.room.set_held(key, on, self.now)
        self.consume()

    @rule(on=st.booleans())
    def lock(self, on: bool) -> None:
        self.room.set_locked(on, self.now)
        self.consume()

    @rule(seconds=st.floats(0, 3))
    def sound_found(self, seconds: float) -> None:
        if self.witness.sounds:
            self.witness.sounds -= 1
            self.room.sound_queued(seconds, self.now)
            self.consume()

    @rule(seconds=st.floats(0, 5))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.room.tick(self.now)
        self.consume()
        deadline = self.room.next_deadline
        assert deadline is None or deadline > self.now

    @rule()
    def end(self) -> None:
        self.room.end(self.now)
        self.consume()
        assert self.witness.destroyed

    @invariant()
    def everybody_agrees_on_what_is(self) -> None:
        if hasattr(self, "room"):
            self.witness.agrees_with(self.room)


RoomMachine.TestCase.settings = hypothesis_settings(max_examples=80, stateful_step_count=50, deadline=None)
TestRoom = RoomMachine.TestCase


@pytest.mark.parametrize("seed", range(3))
def test_200_joins_and_leaves_a_second_with_everything_else_going_on(seed: int) -> None:
    """Ten virtual seconds of a busy room, with an end and a new room now and then."""
    chance = Random(seed)
    witness, room = Witness(), new_room(500, require_moderator=True, moderator_grace_seconds=1, controls=CONTROLS)
    ended = 0
    for step in range(2000):
        now = step / 200
        present = [member.member_id for member in room]
        if len(present) < 100 or chance.random() < 0.5:
            role = Role.MODERATOR if chance.random() < 0.02 else Role.MEMBER
            room.join(CallerInfo("x", "a"), CallerSettings(role, ghost=chance.random() < 0.05), now)
        else:
            room.leave(chance.choice(present), now)
        for _ in range(3):
            _stir(room, chance, now)
        for _ in range(witness.sounds):
            room.sound_queued(0.1, now)
        witness.sounds = 0
        room.tick(now)
        witness.consume(room)
        witness.agrees_with(room)
        if room.ended or step % 700 == 699:
            room.end(now)
            witness.consume(room)
            witness.agrees_with(room)
            assert witness.destroyed
            ended += 1
            witness, room = Witness(), new_room(500, controls=CONTROLS)
    assert ended >= 2
    assert len(witness.known) > 100


def _stir(room: Room, chance: Random, now: float) -> None:
    """One thing that happens to somebody in a busy room."""
    key = chance.choice([member.member_id for member in room] or [0])
    match chance.choice(["talk", "talk", "talk", "mute", "deaf", "hold", "digit", "kick"]):
        case "talk":
            room.sound_from(key, chance.random() < 0.5, now)
        case "mute":
            room.set_muted(key, chance.random() < 0.5, now)
        case "deaf":
            room.set_deaf(key, chance.random() < 0.5, now)
        case "hold":
            room.set_held(key, chance.random() < 0.5, now)
        case "digit":
            room.digit(key, chance.choice("*123456"), now)
        case "kick" if chance.random() < 0.1:
            room.kick(key, now)
