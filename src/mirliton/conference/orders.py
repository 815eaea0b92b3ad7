"""What changes about one member in a room: talking, mute, deaf, hold, levels, relations, the floor."""

from mirliton.conference.effects import Hear, SetMember
from mirliton.conference.member import Member
from mirliton.conference.playing import RoomSounds


class MemberOrders(RoomSounds):
    """Orders for somebody who is not there do nothing."""

    def sound_from(self, member_id: int, on: bool, now: float) -> None:
        """The engine's gate opened or closed. While muted that is nobody's business (semantics 3.2)."""
        member = self._roster.get(member_id)
        if member is None:
            return
        member.makes_sound = on
        self._settle_talking(member, now)

    def set_muted(self, member_id: int, muted: bool, now: float, *, quiet: bool = False) -> None:
        """Mute or unmute. Repeating repeats sound and event, as the command does (semantics 3.7)."""
        member = self._roster.get(member_id)
        if member is None:
            return
        if muted:
            self._stop_talking(member, now)
        member.muted = muted
        self.emit(SetMember(member_id, muted=muted))
        if not quiet:
            self._play_to(member_id, self.settings.muted_sound if muted else self.settings.unmuted_sound)
        self.publish("mute-member" if muted else "unmute-member", member, now)
        self._settle_talking(member, now)

    def set_deaf(self, member_id: int, deaf: bool, now: float, *, quiet: bool = False) -> None:
        """Take or give back the hearing."""
        member = self._roster.get(member_id)
        if member is None:
            return
        member.deaf = deaf
        self.emit(SetMember(member_id, deaf=deaf))
        if not quiet:
            self._play_to(member_id, self.settings.deaf_sound if deaf else self.settings.undeaf_sound)
        self.publish("deaf-member" if deaf else "undeaf-member", member, now)

    def set_held(self, member_id: int, held: bool, now: float) -> None:
        """The phone put the call on hold, or took it back; while held, mute controls do nothing (semantics 3.7)."""
        member = self._roster.get(member_id)
        if member is None or member.held == held:
            return
        if held:
            self._stop_talking(member, now)
        member.held = held
        self.publish("hold-member" if held else "unhold-member", member, now)
        self._settle_talking(member, now)

    def set_energy(self, member_id: int, level: int, now: float) -> None:
        """A gate level of a member's own, 0..1800."""
        if member := self._roster.get(member_id):
            member.energy_level = level
            self.emit(SetMember(member_id, energy_level=level))
            self.publish("energy-level", member, now, level=level)

    def set_output_level(self, member_id: int, level: int, now: float) -> None:
        """How loud the room is for a member, -4..4."""
        if member := self._roster.get(member_id):
            member.output_level = level
            self.emit(SetMember(member_id, output_level=level))
            self.publish("volume-level", member, now, level=level)

    def set_input_level(self, member_id: int, level: int, now: float) -> None:
        """How loud a member is for the room, -4..4."""
        if member := self._roster.get(member_id):
            member.input_level = level
            self.emit(SetMember(member_id, input_level=level))
            self.publish("gain-level", member, now, level=level)

    def relate(self, participant: int, other: int, relationship: str) -> bool:
        """`mute`: the other does not hear the participant. `deaf`: the participant does not hear the other. Any other
        word: both hear each other again (semantics 6.6).

        False: nothing changed, because one of the two is not here, they are one, or there are too many relations.
        """
        if participant == other or not (self._roster.get(participant) and self._roster.get(other)):
            return False
        if relationship not in ("mute", "deaf"):
            self.emit(
                *(Hear(listener, speaker, True) for listener, speaker in self.relations.clear(participant, other))
            )
            return True
        listener, speaker = (other, participant) if relationship == "mute" else (participant, other)
        new = self.relations.silence(listener, speaker)
        if new:
            self.emit(Hear(listener, speaker, on=False))
        return new is not None

    def give_floor(self, member_id: int | None, now: float) -> None:
        """The floor changes hands; None leaves it free (semantics 3.10)."""
        old, self.floor = self.floor, member_id
        if old != member_id:
            self.publish("floor-change", None, now, old_id=old, new_id=member_id)

    def _isolate(self, member: Member, isolated: bool, now: float) -> None:
        """Neither heard by the others nor hearing them, or again so."""
        if isolated:
            self._stop_talking(member, now)
        member.isolated = isolated
        self.emit(SetMember(member.member_id, isolated=isolated))
        self._settle_talking(member, now)

    # Talking

    def _settle_talking(self, member: Member, now: float) -> None:
        """A member talks who makes sound and can be heard."""
        if not member.makes_sound:
            self._stop_talking(member, now)
        elif not (member.talking or member.muted or member.held or member.isolated):
            self._start_talking(member, now)

    def _start_talking(self, member: Member, now: float) -> None:
        member.talking, member.talking_since = True, now
        holder = self._roster.get(self.floor)
        if not member.settings.ghost and (holder is None or not holder.talking):
            self.give_floor(member.member_id, now)
        self.publish("start-talking", member, now)

    def _stop_talking(self, member: Member, now: float) -> None:
        if member.talking:
            member.talking = False
            self.publish("stop-talking", member, now, talking_seconds=round(now - member.talking_since, 3))
