"""What is heard in a room by order or by itself: sounds for all, for one, and hold music (semantics 3.5, 3.6)."""

from mirliton.conference.core import RoomCore
from mirliton.conference.effects import PlayToMember, PlayToRoom, StartLoop, StopLoop
from mirliton.conference.member import Member
from mirliton.conference.ports import Sound

LEAD_IN_TICKS = 20
"""Of the room's clock, before sounds that greet; what is ordered, and departures, begin at once (semantics 3.5)."""


class RoomSounds(RoomCore):
    """A room that can be heard."""

    def play(self, sound: Sound, now: float) -> None:
        """A sound for everybody."""
        if not self.ended:
            self._play(sound, reported=True)
            self.publish("play-file", None, now, file=sound)

    def play_to(self, member_id: int, sound: Sound, now: float) -> None:
        """A sound for one member."""
        if sound and (member := self._roster.get(member_id)):
            self.emit(PlayToMember(member_id, (sound,), self.settings.language, reported=True))
            self.publish("play-file-member", member, now, file=sound)

    def play_done(self, sound: Sound, now: float, member_id: int | None = None) -> None:
        """The shell reports that a sound of `play` or (for one member) `play_to` has come to its end."""
        if member_id is None and not self.ended:
            self.publish("play-file-done", None, now, file=sound)
        elif member := self._roster.get(member_id):
            self.publish("play-file-member-done", member, now, file=sound)

    def say_to(self, member_id: int, sounds: tuple[Sound, ...]) -> None:
        """Prompts for one member, in the room's language. Another server's room is not spoken to."""
        member = self._roster.get(member_id)
        if sounds and member is not None and not member.settings.bridge:
            self.emit(PlayToMember(member_id, sounds, self.settings.language))

    def toggle_music(self, now: float) -> None:
        """Hold music off, or on again."""
        self._music.off = not self._music.off
        self._settle_music(now)

    def queued_seconds(self, now: float) -> float:
        """How long the room's queue still plays."""
        return max(self._music.quiet_at - now, 0.0)

    def sound_queued(self, seconds: float, now: float) -> None:
        """The answer to `PlayToRoom`: the sound's length, 0 when it could not be found."""
        self._music.queued(seconds, now)
        self._settle_music(now)

    def music_failed(self, now: float) -> None:
        """The answer to `StartLoop` when there is no such sound; tried again later."""
        self._music.failed(now)

    def _play(self, sound: Sound, *, reported: bool = False, lead_in_ms: int = 0) -> None:
        if sound and not self.ended:
            self._music.pending += 1
            self.emit(PlayToRoom(sound, self.settings.language, reported, lead_in_ms))

    def _interrupt(self, sound: Sound) -> None:
        """A sound that hold music makes way for, after a lead-in: who has just come in shall hear all of it."""
        if sound:
            self._stop_music()
            self._play(sound, lead_in_ms=LEAD_IN_TICKS * self.settings.interval)

    def _play_to(self, member_id: int, sound: Sound) -> None:
        if sound:
            self.say_to(member_id, (sound,))

    def _announce_alone(self) -> None:
        if self._roster.lone and not self.waiting:
            self._interrupt(self.settings.alone_sound)

    def _enter_sound(self, member: Member) -> Sound:
        if member.silent:
            return ""
        if member.settings.enter_sound is not None:
            return member.settings.enter_sound
        return self.settings.moderator_enter_sound if member.moderator else self.settings.enter_sound

    def _exit_sound(self, member: Member) -> Sound:
        if member.silent:
            return ""
        if member.settings.exit_sound is not None:
            return member.settings.exit_sound
        return self.settings.moderator_exit_sound if member.moderator else self.settings.exit_sound

    # Hold music

    def _wants_music(self) -> bool:
        """For somebody alone, and for all who wait for a moderator."""
        if self.ended or self._music.off:
            return False
        if self.waiting:
            return self.count > 0
        return self._roster.lone and self._roster.without_music == 0

    def _settle_music(self, now: float) -> None:
        """Start or stop the music as is due."""
        wanted = self._wants_music()
        if not wanted:
            self._stop_music()
        due = self._music.due(wanted)
        if due is not None and due <= now:
            self._music.playing = True
            self.emit(StartLoop(self._music.sound, self.settings.language))

    def _stop_music(self) -> None:
        if self._music.playing:
            self._music.playing = False
            self.emit(StopLoop())
