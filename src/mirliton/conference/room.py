"""A running room as a state machine without I/O (semantics 3.6 to 3.10).

One writer: every method takes `now` (seconds, on any steady clock), never raises for orders that make no sense any
more (a member who has left), and appends `Effect`s to an outbox, which the shell takes with `drain`.

Its layers: `core` (members and outbox), `playing` (sounds), `orders` (one member's state), and here coming and going.
"""

from dataclasses import dataclass

from mirliton.conference import actions
from mirliton.conference.announcements import count_announcement
from mirliton.conference.digits import Binding, DigitMatcher
from mirliton.conference.effects import (
    AddMember,
    Destroy,
    Effect,
    HangUp,
    RemoveMember,
    SendDigit,
    Transfer,
)
from mirliton.conference.member import Member
from mirliton.conference.orders import MemberOrders
from mirliton.conference.ports import CallerInfo, Sound
from mirliton.conference.settings import CallerSettings

TRUNKS_ALONE_SECONDS = 3600.0
"""Other servers' rooms alone keep a room for this long: time enough to link rooms before callers come."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a caller cannot come in, and the sound that says so ("" = none)."""

    reason: str  # "locked", "full", "ended" or "no_room_runs"
    sound: Sound


class Room(MemberOrders):
    """The members of one conference, and everything that is decided about them."""

    @property
    def next_deadline(self) -> float | None:
        """When `tick` has something to do; None while only callers can change anything."""
        moments = [member.matcher.deadline for key in self._typing if (member := self._roster.get(key))]
        moments.append(self._music.due(self._wants_music()))
        moments.append(self._moderation.deadline)
        moments.append(self._trunks_until)
        return min((moment for moment in moments if moment is not None), default=None)

    def tick(self, now: float) -> None:
        """Do what is due."""
        for member_id in list(self._typing):
            member = self._roster.get(member_id)
            if member is not None and (binding := member.matcher.expire(now)):
                self._run(member, [binding], now)
            if member is None or member.matcher.deadline is None:
                self._typing.discard(member_id)
        if self._moderation.overdue(now):
            self._without_moderator(now)
        self._settle_music(now)
        self._settle_trunks(now)

    def _settle_trunks(self, now: float) -> None:
        """Two rooms without callers would keep each other, and their calls, for ever."""
        if self.ended or not self._roster or self._roster.trunks < len(self._roster):
            self._trunks_until = None
        elif self._trunks_until is None:
            self._trunks_until = now + TRUNKS_ALONE_SECONDS
        elif now >= self._trunks_until:
            self.end(now)

    # Coming

    def refusal(self, *, moderator: bool, inbound: bool = True) -> Refusal | None:
        """Lock, then full (semantics 3.8). Moderators may enter a full or locked room, unless the operator says
        otherwise; called legs a locked one. Ghosts are not counted, and refused like everybody."""
        if self.ended:
            return Refusal("ended", "")
        exempt = moderator and self.settings.moderators_enter_always
        if self.locked and inbound and not exempt:
            return Refusal("locked", self.settings.locked_sound)
        limit = self.settings.max_members
        if len(self._roster) >= self._hard_limit or (limit and self.count >= limit and not exempt):
            return Refusal("full", self.settings.max_members_sound)
        return None

    def join(self, info: CallerInfo, caller: CallerSettings, now: float) -> Member | Refusal:
        """Let a caller in, in the order of semantics 3.6, or say why not."""
        refusal = self.refusal(moderator=caller.moderator, inbound=info.inbound)
        if refusal is not None:
            return refusal
        if caller.bridge and self.relations.left < 2 * self._roster.trunks:
            return Refusal("full", self.settings.max_members_sound)  # it could not be kept apart from the others
        member = self._new_member(info, caller, now)
        self._roster.add(member)
        if caller.moderator and self._moderation.moderator_came():
            self._stop_waiting(now)
        self.emit(AddMember(member.member_id, member.muted, member.deaf, member.isolated, caller.bridge))
        if caller.bridge:
            self._keep_bridges_apart(member)
        self._greet(member)
        self.publish("add-member", member, now)
        if self.floor is None and not caller.ghost:
            self.give_floor(member.member_id, now)
        self.tick(now)
        return member

    def _keep_bridges_apart(self, bridge: Member) -> None:
        """What one server's room sends is not passed on to another's: links in a circle would carry everybody back.

        Rooms of three servers are linked each with each; `relate` with `clear` passes on where there is no circle.
        """
        for other in self:
            if other.settings.bridge and other is not bridge:
                self.relate(bridge.member_id, other.member_id, "mute")
                self.relate(bridge.member_id, other.member_id, "deaf")

    def _new_member(self, info: CallerInfo, caller: CallerSettings, now: float) -> Member:
        group = self.settings.moderator_controls if caller.moderator else self.settings.member_controls
        controls = () if caller.distribute_dtmf or caller.bridge else group.bindings
        return Member(
            member_id=self._next_member_id(),
            info=info,
            settings=caller,
            matcher=DigitMatcher(controls),
            joined_at=now,
            energy_level=self.settings.energy_level,
            muted=caller.muted,
            deaf=caller.deaf,
            isolated=self.waiting and not caller.moderator,
        )

    def _greet(self, member: Member) -> None:
        if member.silent:
            return
        if self.count > 1:
            self._interrupt(self._enter_sound(member))
        announcement = count_announcement(self._roster.callers, self.settings.announce_count)
        if announcement:
            self.say_to(member.member_id, announcement)
        else:
            self._announce_alone()
        if member.isolated:
            self._ask_for_patience(member)
        if self.recording:
            self._play_to(member.member_id, self.settings.is_recording_sound)

    def _ask_for_patience(self, member: Member) -> None:
        """The only one hears it in the room's queue, so that the music begins after it."""
        if self.count == 1:
            self._interrupt(self.settings.wait_for_moderator_sound)
        else:
            self._play_to(member.member_id, self.settings.wait_for_moderator_sound)

    # Going

    def leave(self, member_id: int, now: float) -> None:
        """The caller has hung up."""
        if member := self._roster.get(member_id):
            self._depart(member, now)

    def remove(self, member_id: int, now: float) -> None:
        """Out of the room and hung up without a word: the `hangup` control."""
        if member := self._roster.get(member_id):
            self._depart(member, now, HangUp(member_id))

    def kick(self, member_id: int, now: float, *, quiet: bool = False) -> None:
        """Out of the room; the caller hears the kicked sound (not when `quiet`) and is hung up (semantics 3.8)."""
        member = self._roster.get(member_id)
        if member is None:
            return
        self.publish("hup-member" if quiet else "kick-member", member, now)
        self._depart(member, now, self._farewell(member, "" if quiet else self.settings.kicked_sound))

    def transfer(self, member_id: int, extension: str, now: float) -> None:
        """Out of the room, and on at an extension of the account."""
        if extension and (member := self._roster.get(member_id)):
            self.publish("transfer", member, now, extension=extension)
            self._depart(member, now, Transfer(member_id, extension))

    def end(self, now: float, sound: Sound = "") -> None:
        """Everybody out. The room hears nothing (semantics 3.6); each caller hears the sound and is hung up."""
        if self.ended:
            return
        self.ended = True
        if not self._roster:
            self._destroy(now)
        for member in list(self._roster):
            self._depart(member, now, self._farewell(member, sound))

    def _farewell(self, member: Member, sound: Sound) -> HangUp:
        heard = (sound,) if sound and not member.settings.bridge else ()
        return HangUp(member.member_id, heard, self.settings.language)

    def _depart(self, member: Member, now: float, *then: Effect) -> None:
        member_id = member.member_id
        self._stop_talking(member, now)
        self._roster.discard(member)
        self.relations.forget(member_id)
        self._typing.discard(member_id)
        self.emit(RemoveMember(member_id), *then)
        if self.floor == member_id:
            self.give_floor(None, now)
        if member.moderator and self._roster.leaders == 0:
            self._moderation.last_moderator_left(now)
        if self._roster:
            self._play(self._exit_sound(member))
            if not member.settings.ghost:
                self._announce_alone()
        self.publish("del-member", member, now)
        if not self._roster:
            self._destroy(now)
        elif not self.ended:
            self.tick(now)

    def _destroy(self, now: float) -> None:
        self.ended = True
        self._moderation.deadline = self._trunks_until = None
        self._stop_music()
        if self.recording:
            self.publish("stop-recording", None, now, media_id=self._recorded_as, reason="room_ended")
            self.recording = False
        self.publish("conference-destroy", None, now)
        self.emit(Destroy())

    # With and without a moderator

    def _stop_waiting(self, now: float) -> None:
        self._stop_music()
        for member in self:
            if member.isolated:
                self._isolate(member, False, now)

    def _without_moderator(self, now: float) -> None:
        """The grace time is over: the room waits again, or ends."""
        if self.settings.without_moderator == "end":
            self.end(now, self.settings.ended_sound)
            return
        self._moderation.waiting = True
        for member in self:
            if not member.moderator:
                self._isolate(member, True, now)
        self._interrupt(self.settings.wait_for_moderator_sound)

    # What members and operators do

    def digit(self, member_id: int, digit: str, now: float) -> None:
        """A key was pressed by a member."""
        member = self._roster.get(member_id)
        if member is None:
            return
        if member.settings.distribute_dtmf:
            self._distribute(member, digit, now)
            return
        self._run(member, member.matcher.press(digit, now), now)
        if member.matcher.deadline is None:
            self._typing.discard(member_id)
        elif self._roster.get(member_id):
            self._typing.add(member_id)

    def _distribute(self, member: Member, digit: str, now: float) -> None:
        """To all others' phones, but not to other servers' rooms: they might send it back."""
        self.emit(
            *(SendDigit(other.member_id, digit) for other in self if other is not member and not other.settings.bridge)
        )
        self.publish("dtmf-member", member, now, digits=digit)

    def _run(self, member: Member, bindings: list[Binding], now: float) -> None:
        for binding in bindings:
            if self._roster.get(member.member_id):
                actions.run(self, member, binding, now)

    def set_locked(self, locked: bool, now: float) -> None:
        """Let nobody in any more, or again."""
        if self.ended or locked == self.locked:
            return
        self.locked = locked
        self._play(self.settings.is_locked_sound if locked else self.settings.is_unlocked_sound)
        self.publish("lock" if locked else "unlock", None, now)

    def set_recording(self, on: bool, now: float, media_id: str = "", reason: str = "stopped") -> None:
        """A recording of the room, the document `media_id`, has begun, or ended for a reason; everybody is told."""
        if self.ended or on == self.recording:
            return
        self.recording = on
        self._play(self.settings.is_recording_sound if on else self.settings.is_not_recording_sound)
        self._recorded_as = media_id
        if on:
            self.publish("start-recording", None, now, media_id=media_id)
        else:
            self.publish("stop-recording", None, now, media_id=media_id, reason=reason)
