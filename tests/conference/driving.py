"""A room with a clock, and what can be read off its effects."""

from itertools import count
from typing import Any, TypeVar

from mirliton.conference.effects import Effect, PlayToMember, PlayToRoom, Publish
from mirliton.conference.events import OPTIONAL, PUBLISHED
from mirliton.conference.member import Member
from mirliton.conference.ports import CallerInfo
from mirliton.conference.profile import Configuration
from mirliton.conference.room import Room
from mirliton.conference.settings import CallerSettings, Conference, Role, RoomSettings, room_settings

PLAIN: dict[str, Any] = {
    "name": "sales",
    "profile": {"enter-sound": "enter", "exit-sound": "exit", "alone-sound": "alone", "moh-sound": "music"},
}
MEMBER = CallerSettings(Role.MEMBER)
MODERATOR = CallerSettings(Role.MODERATOR)
EffectT = TypeVar("EffectT")


def settings(**keys: Any) -> RoomSettings:
    document = {**PLAIN, **keys, "profile": {**PLAIN["profile"], **keys.get("profile", {})}}
    return room_settings(Conference("acc", "c1", document, stored=True), Configuration())


class Driver:
    """A room with a clock; collects effects by kind."""

    def __init__(self, of: RoomSettings | None = None, **keys: Any) -> None:
        self.now = 100.0
        ids = count(1)
        self.room = Room(
            of or settings(**keys),
            instance_id="uuid",
            next_member_id=lambda: next(ids),
            now=self.now,
            unix_offset=1e9,
            published=PUBLISHED | OPTIONAL,
        )
        self.take()

    def take(self) -> list[Effect]:
        return self.room.drain()

    def join(self, caller: CallerSettings = MEMBER, **info: Any) -> int:
        outcome = self.room.join(CallerInfo("call", "acc", **info), caller, self.now)
        assert isinstance(outcome, Member)
        return outcome.member_id

    def seen(self, member_id: int) -> Member:
        member = self.room.member(member_id)
        assert member is not None
        return member

    def leave(self, member_id: int) -> list[Effect]:
        self.room.leave(member_id, self.now)
        return self.take()

    def press(self, member_id: int, digits: str) -> list[Effect]:
        for digit in digits:
            self.room.digit(member_id, digit, self.now)
        return self.take()

    def play_out(self, seconds: float = 1.0) -> list[Effect]:
        """Answer every room sound, and let time pass until all have been heard."""
        effects = self.take()
        for effect in effects:
            if isinstance(effect, PlayToRoom):
                self.room.sound_queued(seconds, self.now)
        while (deadline := self.room.next_deadline) is not None and deadline > self.now:
            self.now = deadline
            self.room.tick(self.now)
        return [*effects, *self.take()]

    def pass_time(self, seconds: float) -> list[Effect]:
        """Let time go on, with a tick at every deadline on the way."""
        until = self.now + seconds
        while (deadline := self.room.next_deadline) is not None and self.now < deadline <= until:
            self.now = deadline
            self.room.tick(self.now)
        self.now = until
        self.room.tick(self.now)
        return self.take()


def room_sounds(effects: list[Effect]) -> list[str]:
    return [effect.sound for effect in effects if isinstance(effect, PlayToRoom)]


def private_sounds(effects: list[Effect]) -> list[str]:
    return [sound for effect in effects if isinstance(effect, PlayToMember) for sound in effect.sounds]


def events(effects: list[Effect]) -> list[str]:
    return [effect.event["event"] for effect in effects if isinstance(effect, Publish)]


def event(effects: list[Effect], name: str) -> dict[str, Any]:
    """The first event of this kind."""
    return next(dict(effect.event) for effect in only(effects, Publish) if effect.event["event"] == name)


def only(effects: list[Effect], kind: type[EffectT]) -> list[EffectT]:
    return [effect for effect in effects if isinstance(effect, kind)]
