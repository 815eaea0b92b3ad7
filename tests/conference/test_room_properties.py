"""Whatever happens in whatever order: joins and leaves are paired, counts are true, nothing is left behind."""

from collections import Counter
from itertools import count
from typing import Any

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mirliton.conference.effects import (
    AddMember,
    Destroy,
    Effect,
    HangUp,
    PlayToRoom,
    Publish,
    RemoveMember,
    StartLoop,
    StopLoop,
)
from mirliton.conference.events import PUBLISHED
from mirliton.conference.member import Member
from mirliton.conference.ports import CallerInfo
from mirliton.conference.profile import Configuration
from mirliton.conference.room import Room
from mirliton.conference.settings import CallerSettings, Conference, Role, room_settings

members = st.integers(1, 8)


class RoomMachine(RuleBasedStateMachine):
    """Random orders to a room, checked by what a subscriber and an engine would see."""

    def __init__(self) -> None:
        super().__init__()
        document: dict[str, Any] = {"name": "n", "wait_for_moderator": True, "max_participants": 6}
        ids = count(1)
        self.now = 0.0
        self.room = Room(
            room_settings(Conference("a", "c", document, stored=True), Configuration()),
            instance_id="u",
            next_member_id=lambda: next(ids),
            now=0.0,
            hard_limit=7,
            published=PUBLISHED - {"lock"},
        )
        self.inside: set[int] = set()
        self.talking: set[int] = set()
        self.mixed: set[int] = set()
        self.music = False
        self.destroyed = False
        self.asked = Counter[str]()
        self.sequence = 0
        self.consume()

    def consume(self) -> None:
        for effect in self.room.drain():
            assert not self.destroyed, f"{effect} after the end"
            self.see(effect)

    def see(self, effect: Effect) -> None:
        match effect:
            case AddMember(member_id=key):
                assert key not in self.mixed
                self.mixed.add(key)
            case RemoveMember(member_id=key):
                self.mixed.remove(key)
            case HangUp(member_id=key):
                assert key not in self.mixed
            case PlayToRoom():
                self.asked["sounds"] += 1
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
            case _:
                assert getattr(effect, "member_id", None) in self.mixed

    def hear(self, event: dict[str, Any]) -> None:
        self.sequence += 1
        assert event["sequence"] == self.sequence
        name, key = event["event"], event.get("participant_id", 0)
        if name == "add-member":
            assert key not in self.inside
            self.inside.add(key)
        elif name == "del-member":
            self.inside.remove(key)
            assert key not in self.talking
        elif name == "start-talking":
            assert key in self.inside
            assert key not in self.talking
            self.talking.add(key)
        elif name == "stop-talking":
            self.talking.remove(key)
        if name in ("add-member", "del-member"):
            assert event["conference_vars"]["size"] == len(self.inside)

    @rule(moderator=st.booleans(), muted=st.booleans())
    def join(self, moderator: bool, muted: bool) -> None:
        role = Role.MODERATOR if moderator else Role.MEMBER
        outcome = self.room.join(CallerInfo("x", "a"), CallerSettings(role, muted=muted), self.now)
        self.consume()
        if isinstance(outcome, Member):
            assert outcome.member_id in self.inside

    @rule(key=members)
    def leave(self, key: int) -> None:
        self.room.leave(key, self.now)
        self.consume()

    @rule(key=members)
    def kick(self, key: int) -> None:
        self.room.remove(key, self.now)
        self.consume()

    @rule(key=members, digit=st.sampled_from("*123456#"))
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
        if self.asked["sounds"]:
            self.asked["sounds"] -= 1
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
        assert self.destroyed

    @invariant()
    def everybody_agrees_on_who_is_here(self) -> None:
        present = {member.member_id for member in self.room}
        assert present == self.inside == self.mixed
        assert self.room.count == len(present)
        assert self.room.moderators == sum(member.moderator for member in self.room)
        assert self.talking == {member.member_id for member in self.room if member.talking}
        assert self.room.floor is None or self.room.floor in present

    @invariant()
    def an_ended_room_keeps_nothing(self) -> None:
        if self.destroyed:
            assert not self.inside
            assert not self.talking
            assert not self.music
            assert self.room.next_deadline is None


RoomMachine.TestCase.settings = hypothesis_settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRoom = RoomMachine.TestCase
