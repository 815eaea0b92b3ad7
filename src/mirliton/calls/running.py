"""One running room: carries out what the domain's room decides, on the media engine and the calls."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import structlog

from mirliton.calls.call import Call
from mirliton.calls.live import Refused
from mirliton.calls.ports import Playable, SoundLibrary
from mirliton.calls.quality import quality
from mirliton.calls.room_recording import RecordingOptions, RecordingSwitch
from mirliton.calls.sound_queue import SoundQueue, SoundStatistics, times
from mirliton.conference import effects
from mirliton.conference.member import Member
from mirliton.conference.ports import HungUp, Sound
from mirliton.conference.reading import Document
from mirliton.conference.room import Refusal, Room
from mirliton.conference.settings import CallerSettings
from mirliton.media.types import MediaFull, Mix, PlayDone
from mirliton.recording.recordings import Recordings
from mirliton.recording.room_recording import Speaker

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

MAX_QUEUED_SECONDS = 900.0
LONGEST_FAREWELL = 30.0


class RunningRoom:
    """The only writer of its `Room`: every change goes through `act`, and its effects follow at once, in order."""

    def __init__(
        self,
        room: Room,
        mix: Mix,
        *,
        sounds: SoundLibrary,
        sound_statistics: SoundStatistics,
        publish: Callable[[Mapping[str, Any]], None],
        on_destroyed: Callable[["RunningRoom"], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        recordings: Recordings | None = None,
        recording_options: RecordingOptions | None = None,
        opened_with: Document | None = None,
    ) -> None:
        """`opened_with`: the conference document of the first caller."""
        self.room = room
        self.opened_with: Document = opened_with or {}
        self.recording = RecordingSwitch(
            recordings, room.settings, mix, self._recording_changed, spawn, recording_options
        )
        self.mix = mix
        self._loop = asyncio.get_running_loop()
        self._calls: dict[int, Call] = {}
        self._leaving: dict[int, Call] = {}
        self._queue = SoundQueue(sounds, room.settings.account_id, sound_statistics)
        self._music = SoundQueue(sounds, room.settings.account_id, sound_statistics)
        self._sound_statistics = sound_statistics
        self._publish = publish
        self._on_destroyed = on_destroyed
        self._spawn = spawn
        self._reported: dict[int, Sound] = {}  # sounds of the room whose end is an event, by play id
        mix.on_play_done = self._room_sound_done
        self._refused = ""  # why the engine could not do the last thing asked of it
        self._timer: asyncio.TimerHandle | None = None
        self._draining = False

    def act(self, order: Callable[[Room, float], _T]) -> _T:
        """Give the room an order and carry out what follows."""
        outcome = order(self.room, self._loop.time())
        self._drain()
        return outcome

    def join(self, call: Call, caller: CallerSettings) -> Member | Refusal:
        """Let a call in, or hear why not."""
        member = self.room.join(call.info, caller, self._loop.time())
        if isinstance(member, Member):
            self._bind(call, member.member_id)
            self.room.set_held(member.member_id, call.held, self._loop.time())
        self._drain()
        return member

    async def sounds_found(self, member_id: int | None = None) -> None:
        """Return when every sound asked for is in the queue of the room, or of one member."""
        call = self._calls.get(member_id) if member_id is not None else None
        await (call.sounds_found() if call else self._queue.idle())

    def participants(self) -> list[dict[str, Any]]:
        """Participant objects of semantics 6.5 in the order of joining, with `quality` of what was received."""
        now = self._loop.time()
        return [self._participant(member, now) for member in self.room]

    def _participant(self, member: Member, now: float) -> dict[str, Any]:
        call = self._calls.get(member.member_id)
        if call is None:
            return self.room.participant(member, now)
        heard = call.leg.statistics()
        return self.room.participant(member, now, heard.energy) | {"quality": quality(heard)}

    def relate(self, participant: int, other: int, relationship: str) -> None:
        """Who hears whom (semantics 6.6). Raises `Refused` when there are too many such pairs."""
        self._refused = ""
        if not self.act(lambda room, _: room.relate(participant, other, relationship)):
            raise Refused(503, "the room has as many relations as it can keep: clear some")
        if self._refused:
            raise Refused(503, self._refused)

    def _bind(self, call: Call, member_id: int) -> None:
        self._calls[member_id] = call
        call.forget_typed()
        call.on_hold = lambda held: self.act(lambda room, now: room.set_held(member_id, held, now))
        call.on_digit = lambda digit: self.act(lambda room, now: room.digit(member_id, digit, now))
        call.on_gone = lambda: self.act(lambda room, now: room.leave(member_id, now))
        call.leg.on_talking = lambda on: self.act(lambda room, now: room.sound_from(member_id, on, now))

    def _drain(self) -> None:
        """Carry effects out in order; orders that come meanwhile add to the end."""
        if self._draining:
            return
        self._draining = True
        try:
            while waiting := self.room.drain():
                for effect in waiting:
                    self._apply_guarded(effect)
        finally:
            self._draining = False
        self._set_timer()

    def _apply_guarded(self, effect: effects.Effect) -> None:
        try:
            self._apply(effect)
        except Exception:
            # What follows must still be done: a hang-up behind a broken effect would leave a call for ever.
            self._sound_statistics.failed += 1
            _log.exception("room effect failed", effect=type(effect).__name__, room=self.room.settings.conference_id)

    def _apply(self, effect: effects.Effect) -> None:
        match effect:
            case effects.AddMember(member_id, muted, deaf, isolated, voices_only):
                self._calls[member_id].leg.join(
                    self.mix, muted=muted, deaf=deaf, isolated=isolated, voices_only=voices_only
                )
                self._note_speaker(member_id)
            case effects.SetMember(member_id):
                self._set(member_id, effect)
            case effects.RemoveMember(member_id):
                self._remove(member_id)
            case effects.HangUp(member_id, sounds, language):
                if call := self._leaving.pop(member_id, None):
                    self._spawn(_dismiss(call, sounds, language))
            case effects.Transfer(member_id, extension):
                if call := self._leaving.pop(member_id, None):
                    call.release(extension)
            case effects.Execute(member_id, application, arguments):
                self._execute(member_id, application, arguments)
            case effects.SendDigit(member_id, digit):
                self._send_digit(member_id, digit)
            case effects.Hear(listener_id, speaker_id, on):
                self._hear(listener_id, speaker_id, on)
            case effects.ToggleRecording():
                self._spawn(self._toggle_recording())
            case effects.PlayToMember(member_id, sounds, language, reported):
                if call := self._calls.get(member_id):
                    call.play(sounds, language, partial(self._heard, member_id, sounds[-1]) if reported else None)
            case effects.PlayToRoom():
                self._queue_up(effect)
            case effects.StartLoop(sound, language):
                self._music.put(sound, language, self._loop_music)
            case effects.StopLoop():
                self._music.clear()
                self.mix.loop(None)
            case effects.Publish(event):
                self._publish(event)
            case effects.Destroy():
                self._destroy()

    def _note_speaker(self, member_id: int) -> None:
        call = self._calls[member_id]
        info = call.info
        speaker = Speaker(member_id, info.call_id, info.caller_id_name, info.caller_id_number)
        self.recording.came(member_id, speaker, call.leg)

    def _set(self, member_id: int, change: effects.SetMember) -> None:
        if call := self._calls.get(member_id):
            call.leg.set(
                muted=change.muted,
                deaf=change.deaf,
                isolated=change.isolated,
                energy_level=change.energy_level,
                input_level=change.input_level,
                output_level=change.output_level,
            )

    def _remove(self, member_id: int) -> None:
        """The call may go on outside the room, but nothing of the room reaches it any more."""
        if call := self._calls.pop(member_id, None):
            self.recording.left(member_id)
            call.on_digit = call.on_gone = call.on_hold = call.leg.on_talking = None
            call.leg.leave()
            if not call.ended:
                self._leaving[member_id] = call

    def _hear(self, listener_id: int, speaker_id: int, on: bool) -> None:
        listener, speaker = self._calls.get(listener_id), self._calls.get(speaker_id)
        if listener is None or speaker is None:
            return
        try:
            listener.leg.hear(speaker.leg, on)
        except MediaFull as full:
            self._refused = str(full)
            self.room.relations.hear(listener_id, speaker_id)

    def _send_digit(self, member_id: int, digit: str) -> None:
        call = self._calls.get(member_id)
        if call is not None and not call.leg.press(digit):
            call.play([f"tone_stream://{digit}(160,80)"], self.room.settings.language)

    def _execute(self, member_id: int, application: str, arguments: str) -> None:
        """The applications that make sense on a call which stays in the room (semantics 4.1)."""
        call = self._calls.get(member_id)
        match application:
            case "playback" | "play" if call is not None and arguments:
                call.play([arguments], self.room.settings.language)
            case "hangup":
                self.act(lambda room, now: room.remove(member_id, now))
            case "transfer":
                self.act(lambda room, now: room.transfer(member_id, arguments.split(" ", 1)[0], now))
            case _:
                _log.warning("application is unknown and left out", application=application)

    async def _toggle_recording(self) -> None:
        try:
            await (self.recording.stop() if self.room.recording else self.recording.start())
        except Refused as refused:
            _log.warning("recording refused", reason=str(refused), room=self.room.settings.conference_id)

    def _recording_changed(self, on: bool, media_id: str, reason: str) -> None:
        self.act(lambda room, now: room.set_recording(on, now, media_id, reason))

    def _heard(self, member_id: int | None, sound: Sound) -> None:
        self.act(lambda room, now: room.play_done(sound, now, member_id))

    def _room_sound_done(self, done: PlayDone) -> None:
        sound = self._reported.pop(done.play_id, None)
        if sound is not None and done.finished:
            self._heard(None, sound)

    def _queue_up(self, wanted: effects.PlayToRoom) -> None:
        if wanted.lead_in_ms:
            self._queue.put(f"silence_stream://{wanted.lead_in_ms}", wanted.language, self._lead_in)
        reported = wanted.sound if wanted.reported else None
        self._queue.put(
            wanted.sound, wanted.language, partial(self._play, reported=reported, after=wanted.lead_in_ms / 1000)
        )

    @property
    def _much_queued(self) -> bool:
        return self.room.queued_seconds(self._loop.time()) > MAX_QUEUED_SECONDS

    def _lead_in(self, silence: Playable | None) -> None:
        if silence is not None and not self._much_queued:
            self.mix.play(silence.clip)

    def _play(self, sound: Playable | None, reported: Sound | None = None, after: float = 0.0) -> None:
        """`after`: seconds of lead-in that went into the queue before it."""
        seconds = after
        if sound is not None and self._much_queued:
            self._sound_statistics.dropped += 1
        elif sound is not None:
            play_id = self.mix.play(sound.clip, loops=times(sound), gain=sound.gain)
            if reported is not None:
                self._reported[play_id] = reported
            seconds = after + sound.clip.seconds * times(sound)
        self.act(lambda room, now: room.sound_queued(seconds, now))

    def _loop_music(self, sound: Playable | None) -> None:
        if sound is not None:
            self.mix.loop(sound.clip, gain=sound.gain)
        else:
            self.act(lambda room, now: room.music_failed(now))

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.room.next_deadline
        if deadline is not None and math.isfinite(deadline):
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.act(lambda room, now: room.tick(now))

    def _destroy(self) -> None:
        self._queue.close()
        self._music.close()
        self._spawn(self.recording.close())
        self.mix.close()
        self._on_destroyed(self)


async def _dismiss(call: Call, sounds: Sequence[Sound], language: str) -> None:
    """Say goodbye, and hang up."""
    with contextlib.suppress(HungUp, TimeoutError):
        async with asyncio.timeout(LONGEST_FAREWELL):
            if sounds:
                call.stop_sounds()  # what was queued for a member of the room is not for one who was sent away
                await call.play_to_end(sounds, language)
    await call.hang_up()
