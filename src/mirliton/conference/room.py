"""A running room as a state machine without I/O (semantics 3.6 to 3.10).

One writer: every method takes `now` (seconds, on any steady clock), never raises for orders that make no sense any
more (a member who has left), and appends `Effect`s to an outbox, which the shell takes with `drain`.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from mirliton.conference import actions
from mirliton.conference.announcements import HoldMusic, count_announcement
from mirliton.conference.controls import Binding, DigitMatcher
from mirliton.conference.effects import (
    AddMember,
    Destroy,
    Effect,
    HangUp,
    PlayToMember,
    PlayToRoom,
    Publish,
    RemoveMember,
    SetMember,
    StartLoop,
    StopLoop,
)
from mirliton.conference.events import PUBLISHED, room_event
from mirliton.conference.member import Member, Place, participant
from mirliton.conference.ports import CallerInfo, Sound
from mirliton.conference.settings import CallerSettings, RoomSettings


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a caller cannot come in, and the sound that says so ("" = none)."""

    reason: str  # "locked", "full" or "ended"
    sound: Sound


class Room:
    """The members of one conference, and everything that is decided about them."""

    def __init__(
        self,
        settings: RoomSettings,
        *,
        instance_id: str,
        next_member_id: Callable[[], int],
        now: float,
        node: str = "",
        unix_offset: float = 0.0,
        hard_limit: int = 4000,
        published: Collection[str] = PUBLISHED,
    ) -> None:
        """`hard_limit` is the operator's bound on members, from which moderators are not exempt.

        `published`: the kinds of events that are told of; only these are numbered.
        """
        self.settings = settings
        self.place = Place(settings.name, instance_id, node, unix_offset)
        self.started_at = now
        self.locked = False
        self.waiting = settings.wait_for_moderator
        self.floor: int | None = None
        self.ended = False
        self._next_member_id = next_member_id
        self._hard_limit = hard_limit
        self._published = frozenset(published)
        self._members: dict[int, Member] = {}
        self._moderators = 0
        self._typing: set[int] = set()  # members whose digit matcher waits
        self._music = HoldMusic(settings.moh_sound)
        self._outbox: list[Effect] = []
        self._sequence = 0
        self.publish("conference-create", None, now)

    # What can be seen

    def __iter__(self) -> Iterator[Member]:
        """The members in the order of joining."""
        return iter(self._members.values())

    @property
    def count(self) -> int:
        """How many members are in the room."""
        return len(self._members)

    @property
    def moderators(self) -> int:
        """How many of them are moderators."""
        return self._moderators

    def member(self, member_id: int) -> Member | None:
        """A member who is in the room."""
        return self._members.get(member_id)

    def participant(self, member: Member, now: float, current_energy: int = 0) -> dict[str, Any]:
        """The participant object of semantics 6.5."""
        return participant(member, self.place, now, floor=self.floor == member.member_id, current_energy=current_energy)

    def drain(self) -> list[Effect]:
        """Take the effects that are waiting, oldest first."""
        taken, self._outbox = self._outbox, []
        return taken

    @property
    def next_deadline(self) -> float | None:
        """When `tick` has something to do; None while only callers can change anything."""
        moments = [member.matcher.deadline for key in self._typing if (member := self._members.get(key))]
        moments.append(self._music.due(self._wants_music()))
        return min((moment for moment in moments if moment is not None), default=None)

    # Coming and going

    def refusal(self, *, moderator: bool, inbound: bool = True) -> Refusal | None:
        """Lock, then full (semantics 3.8). Moderators may enter a full or locked room; called legs a locked one."""
        if self.ended:
            return Refusal("ended", "")
        if self.locked and inbound and not moderator:
            return Refusal("locked", self.settings.locked_sound)
        limit = self.settings.max_members
        if self.count >= self._hard_limit or (limit and self.count >= limit and not moderator):
            return Refusal("full", self.settings.max_members_sound)
        return None

    def join(self, info: CallerInfo, caller: CallerSettings, now: float) -> Member | Refusal:
        """Let a caller in, in the order of semantics 3.6, or say why not."""
        refusal = self.refusal(moderator=caller.moderator, inbound=info.inbound)
        if refusal is not None:
            return refusal
        member = self._new_member(info, caller, now)
        self._members[member.member_id] = member
        self._moderators += caller.moderator
        if caller.moderator and self.waiting:
            self._stop_waiting()
        self._outbox.append(AddMember(member.member_id, member.muted, member.deaf, member.isolated))
        self._greet(member, now)
        self.publish("add-member", member, now)
        if self.floor is None:
            self.give_floor(member.member_id, now)
        self.tick(now)
        return member

    def leave(self, member_id: int, now: float) -> None:
        """The caller has hung up."""
        if member := self._members.get(member_id):
            self._depart(member, now, RemoveMember(member_id))

    def remove(self, member_id: int, now: float) -> None:
        """Out of the room and hung up: the `hangup` control, or a kick."""
        if member := self._members.get(member_id):
            self._depart(member, now, RemoveMember(member_id), HangUp(member_id))

    def _depart(self, member: Member, now: float, *effects: Effect) -> None:
        member_id = member.member_id
        self._stop_talking(member, now)
        del self._members[member_id]
        self._moderators -= member.moderator
        self._typing.discard(member_id)
        self._outbox.extend(effects)
        if self.floor == member_id:
            self.give_floor(None, now)
        if self._members:
            self._play(self._exit_sound(member))
            self._announce_alone()
        self.publish("del-member", member, now)
        if self._members:
            self.tick(now)
        else:
            self._destroy(now)

    def end(self, now: float) -> None:
        """Everybody out; nobody hears anything (semantics 3.6)."""
        if self.ended:
            return
        self.ended = True
        if not self._members:
            self._destroy(now)
        for member_id in list(self._members):
            self.remove(member_id, now)

    # What members and operators do

    def digit(self, member_id: int, digit: str, now: float) -> None:
        """A key was pressed by a member."""
        member = self._members.get(member_id)
        if member is None:
            return
        self._run(member, member.matcher.press(digit, now), now)
        if member.matcher.deadline is None:
            self._typing.discard(member_id)
        elif member_id in self._members:
            self._typing.add(member_id)

    def sound_from(self, member_id: int, on: bool, now: float) -> None:
        """The engine's gate opened or closed. While muted that is nobody's business (semantics 3.2)."""
        member = self._members.get(member_id)
        if member is None:
            return
        member.makes_sound = on
        if on:
            self._start_talking(member, now)
        else:
            self._stop_talking(member, now)

    def set_muted(self, member_id: int, muted: bool, now: float, *, quiet: bool = False) -> None:
        """Mute or unmute. Repeating repeats sound and event, as the command does (semantics 3.7)."""
        member = self._members.get(member_id)
        if member is None:
            return
        if muted:
            self._stop_talking(member, now)
        member.muted = muted
        self._outbox.append(SetMember(member_id, muted=muted))
        if not quiet:
            self._play_to(member_id, self.settings.muted_sound if muted else self.settings.unmuted_sound)
        self.publish("mute-member" if muted else "unmute-member", member, now)
        if not muted and member.makes_sound:
            self._start_talking(member, now)

    def set_deaf(self, member_id: int, deaf: bool, now: float, *, quiet: bool = False) -> None:
        """Take or give back the hearing."""
        member = self._members.get(member_id)
        if member is None:
            return
        member.deaf = deaf
        self._outbox.append(SetMember(member_id, deaf=deaf))
        if not quiet:
            self._play_to(member_id, self.settings.deaf_sound if deaf else self.settings.undeaf_sound)
        self.publish("deaf-member" if deaf else "undeaf-member", member, now)

    def set_held(self, member_id: int, held: bool, now: float) -> None:
        """The phone put the call on hold, or took it back; while held, mute controls do nothing (semantics 3.7)."""
        member = self._members.get(member_id)
        if member is None or member.held == held:
            return
        if held:
            self._stop_talking(member, now)
        member.held = held
        self.publish("hold-member" if held else "unhold-member", member, now)

    def set_energy(self, member_id: int, level: int, now: float) -> None:
        """A gate level of a member's own, 0..1800."""
        if member := self._members.get(member_id):
            member.energy_level = level
            self._outbox.append(SetMember(member_id, energy_level=level))
            self.publish("energy-level", member, now, level=level)

    def set_output_level(self, member_id: int, level: int, now: float) -> None:
        """How loud the room is for a member, -4..4."""
        if member := self._members.get(member_id):
            member.output_level = level
            self._outbox.append(SetMember(member_id, output_level=level))
            self.publish("volume-level", member, now, level=level)

    def set_input_level(self, member_id: int, level: int, now: float) -> None:
        """How loud a member is for the room, -4..4."""
        if member := self._members.get(member_id):
            member.input_level = level
            self._outbox.append(SetMember(member_id, input_level=level))
            self.publish("gain-level", member, now, level=level)

    def set_locked(self, locked: bool, now: float) -> None:
        """Let nobody in any more, or again."""
        if self.ended or locked == self.locked:
            return
        self.locked = locked
        self._play(self.settings.is_locked_sound if locked else self.settings.is_unlocked_sound)
        self.publish("lock" if locked else "unlock", None, now)

    def give_floor(self, member_id: int | None, now: float) -> None:
        """The floor changes hands; None leaves it free (semantics 3.10)."""
        old, self.floor = self.floor, member_id
        if old != member_id:
            self.publish("floor-change", None, now, old_id=old, new_id=member_id)

    def toggle_music(self, now: float) -> None:
        """Hold music off, or on again."""
        self._music.off = not self._music.off
        if self._music.off:
            self._stop_music()
        self.tick(now)

    def play(self, sound: Sound, now: float) -> None:
        """A sound for everybody."""
        if not self.ended:
            self._play(sound)
            self.publish("play-file", None, now, file=sound)

    def play_to(self, member_id: int, sound: Sound, now: float) -> None:
        """A sound for one member."""
        if member := self._members.get(member_id):
            self._play_to(member_id, sound)
            self.publish("play-file-member", member, now, file=sound)

    def say_to(self, member_id: int, sounds: tuple[Sound, ...]) -> None:
        """Prompts for one member, in the room's language."""
        if sounds and member_id in self._members:
            self._outbox.append(PlayToMember(member_id, sounds, self.settings.language))

    # What the shell reports

    def queued_seconds(self, now: float) -> float:
        """How long the room's queue still plays."""
        return max(self._music.quiet_at - now, 0.0)

    def sound_queued(self, seconds: float, now: float) -> None:
        """The answer to `PlayToRoom`: the sound's length, 0 when it could not be found."""
        self._music.queued(seconds, now)
        self.tick(now)

    def music_failed(self, now: float) -> None:
        """The answer to `StartLoop` when there is no such sound; tried again later."""
        self._music.failed(now)

    def tick(self, now: float) -> None:
        """Do what is due."""
        for member_id in list(self._typing):
            member = self._members.get(member_id)
            if member is not None and (binding := member.matcher.expire(now)):
                self._run(member, [binding], now)
            if member is None or member.matcher.deadline is None:
                self._typing.discard(member_id)
        due = self._music.due(self._wants_music())
        if due is not None and due <= now:
            self._music.playing = True
            self._outbox.append(StartLoop(self._music.sound, self.settings.language))

    # Inside

    def publish(self, name: str, member: Member | None, now: float, **details: Any) -> None:
        """Put an event into the outbox, with counts that are true at this moment."""
        if name not in self._published:
            return
        self._sequence += 1
        described = self.participant(member, now) if member else None
        self._outbox.append(Publish(room_event(name, self, self._sequence, now, described, details)))

    def _new_member(self, info: CallerInfo, caller: CallerSettings, now: float) -> Member:
        group = self.settings.moderator_controls if caller.moderator else self.settings.member_controls
        return Member(
            member_id=self._next_member_id(),
            info=info,
            settings=caller,
            matcher=DigitMatcher(group.bindings),
            joined_at=now,
            energy_level=self.settings.energy_level,
            muted=caller.muted,
            deaf=caller.deaf,
            isolated=self.waiting and not caller.moderator,
        )

    def _greet(self, member: Member, now: float) -> None:
        if self.count > 1:
            self._stop_music()
            self._play(self._enter_sound(member))
        announcement = count_announcement(self.count, self.settings.announce_count)
        if announcement:
            self.say_to(member.member_id, announcement)
        else:
            self._announce_alone()

    def _announce_alone(self) -> None:
        if self.count == 1 and not self.waiting:
            self._stop_music()
            self._play(self.settings.alone_sound)

    def _stop_waiting(self) -> None:
        """The first moderator is here; waiting never comes back (semantics 3.9)."""
        self.waiting = False
        self._stop_music()
        for member in self:
            if member.isolated:
                member.isolated = False
                self._outbox.append(SetMember(member.member_id, isolated=False))

    def _enter_sound(self, member: Member) -> Sound:
        if member.settings.enter_sound is not None:
            return member.settings.enter_sound
        return self.settings.moderator_enter_sound if member.moderator else self.settings.enter_sound

    def _exit_sound(self, member: Member) -> Sound:
        if member.settings.exit_sound is not None:
            return member.settings.exit_sound
        return self.settings.moderator_exit_sound if member.moderator else self.settings.exit_sound

    def _play(self, sound: Sound) -> None:
        if sound and not self.ended:
            self._music.pending += 1
            self._outbox.append(PlayToRoom(sound, self.settings.language))

    def _play_to(self, member_id: int, sound: Sound) -> None:
        if sound:
            self.say_to(member_id, (sound,))

    def _wants_music(self) -> bool:
        return not self.ended and (self.count == 1 or (self.waiting and self.count > 0))

    def _stop_music(self) -> None:
        if self._music.playing:
            self._music.playing = False
            self._outbox.append(StopLoop())

    def _run(self, member: Member, bindings: list[Binding], now: float) -> None:
        for binding in bindings:
            if member.member_id in self._members:
                actions.run(self, member, binding, now)

    def _start_talking(self, member: Member, now: float) -> None:
        if member.talking or member.muted or member.held:
            return
        member.talking, member.talking_since = True, now
        holder = self._members.get(self.floor) if self.floor is not None else None
        if holder is None or not holder.talking:
            self.give_floor(member.member_id, now)
        self.publish("start-talking", member, now)

    def _stop_talking(self, member: Member, now: float) -> None:
        if member.talking:
            member.talking = False
            self.publish("stop-talking", member, now, talking_seconds=round(now - member.talking_since, 3))

    def _destroy(self, now: float) -> None:
        self.ended = True
        self._stop_music()
        self.publish("conference-destroy", None, now)
        self._outbox.append(Destroy())
