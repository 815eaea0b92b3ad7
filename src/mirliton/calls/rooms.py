"""The running rooms of this node: callers join them, the REST API looks at them and commands them (`calls.live`)."""

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog

from mirliton.calls.call import Call
from mirliton.calls.events import EventFeed
from mirliton.calls.live import BadMedia, NoSuchParticipant, NoSuchRoom, Refused
from mirliton.calls.ports import SoundLibrary
from mirliton.calls.room_recording import RecordingOptions
from mirliton.calls.running import RunningRoom
from mirliton.calls.sound_queue import SoundStatistics
from mirliton.conference.core import MAX_VARIABLES
from mirliton.conference.directory import Directory, RoomsFull
from mirliton.conference.entry import Admission, turn_away
from mirliton.conference.events import PUBLISHED
from mirliton.conference.ports import HungUp, Names
from mirliton.conference.reading import Document
from mirliton.conference.room import Refusal, Room
from mirliton.conference.settings import RoomSettings, keys_without_effect
from mirliton.media.types import MediaEngine, MediaFull
from mirliton.recording.recordings import Recordings
from mirliton.sounds.addresses import SoundNotFound

_log = structlog.get_logger(__name__)

LONGEST_SEARCH = 30.0
"""Seconds that a name is kept for a room that still looks for the sounds before it."""


@dataclass(slots=True)
class RoomStatistics:
    """Counters since the start."""

    opened: int = 0
    joined: int = 0
    refused: dict[str, int] = field(
        default_factory=lambda: {"full": 0, "locked": 0, "ended": 0, "no_room": 0, "no_room_runs": 0}
    )


class Rooms:
    """Implements `calls.live.LiveRooms`, and `find`/`attend` for callflows."""

    def __init__(
        self,
        engine: MediaEngine,
        sounds: SoundLibrary,
        *,
        node: str = "localhost",
        max_rooms: int = 1000,
        max_members_per_room: int = 4000,
        max_rate: int = 48000,
        published: Iterable[str] = PUBLISHED,
        events: EventFeed | None = None,
        sound_statistics: SoundStatistics | None = None,
        recordings: Recordings | None = None,
        recording_options: RecordingOptions | None = None,
        names: Names | None = None,
    ) -> None:
        """Needs a running event loop. `max_rate`: rooms that ask for more are mixed at this rate, in Hz.

        Without `recordings` rooms cannot be recorded; without `names` temporary ones are not forgotten.
        """
        self.events = events or EventFeed()
        self.statistics = RoomStatistics()
        self.sound_statistics = sound_statistics or SoundStatistics()
        self._engine = engine
        self._sounds = sounds
        self._recordings = recordings
        self._recording_options = recording_options
        self._names = names
        self._max_rate = max_rate
        self._loop = asyncio.get_running_loop()
        self._directory = Directory(
            node=node,
            max_rooms=max_rooms,
            max_members=max_members_per_room,
            unix_offset=time.time() - self._loop.time(),
            published=frozenset(published),
        )
        self._running: dict[Room, RunningRoom] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many rooms run."""
        return len(self._directory)

    @property
    def members(self) -> int:
        """How many calls are in rooms."""
        return sum(room.count for room in self._directory)

    # For callflows

    def find(self, account_id: str, conference_id: str) -> Room | None:
        """The running room, if there is one."""
        return self._directory.find(account_id, conference_id)

    async def attend(self, call: Call, admission: Admission) -> str | None:
        """Be in the room until the call ends (None) or is let go to another number (that).

        A caller who cannot come in is told why and hung up. A name recorded for this time only is forgotten at the end,
        when the room has taken it up for the last time: to say who has left.
        """
        try:
            return await self._attend(call, admission)
        finally:
            if admission.name is not None and admission.temporary_name and self._names is not None:
                await self._farewell_found(admission.room)
                await self._names.forget(call.info, admission.name)

    async def _farewell_found(self, settings: RoomSettings) -> None:
        room = self._directory.find(settings.account_id, settings.conference_id)
        if room is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_SEARCH):
                await self._running[room].sounds_found()

    async def _attend(self, call: Call, admission: Admission) -> str | None:
        if call.ended:
            raise HungUp
        outcome = self._enter(call, admission)
        if isinstance(outcome, Refusal):
            self.statistics.refused[outcome.reason] += 1
            await turn_away(call, outcome.sound, admission.room.language)
            return None
        self.statistics.joined += 1
        return await call.until_released()

    def _enter(self, call: Call, admission: Admission) -> Refusal | None:
        settings = admission.room
        if admission.caller.join_existing and self.find(settings.account_id, settings.conference_id) is None:
            return Refusal("no_room_runs", "")
        try:
            running = self._open(admission)
        except (RoomsFull, MediaFull) as error:
            _log.warning("no room for a conference", conference_id=admission.room.conference_id, reason=str(error))
            return Refusal("no_room", admission.room.max_members_sound)
        outcome = running.join(call, admission.caller)
        return outcome if isinstance(outcome, Refusal) else None

    def _open(self, admission: Admission) -> RunningRoom:
        settings = admission.room
        room, created = self._directory.get_or_create(settings, self._loop.time())
        if not created:
            return self._running[room]
        try:
            mix = self._engine.open_mix(
                rate=min(settings.rate, self._max_rate),
                interval=settings.interval,
                energy_level=settings.energy_level,
                comfort_noise=settings.comfort_noise,
            )
        except MediaFull:
            self._directory.forget(room)
            raise
        running = RunningRoom(
            room,
            mix,
            sounds=self._sounds,
            sound_statistics=self.sound_statistics,
            publish=self.events.publish,
            on_destroyed=self._forget,
            spawn=self._spawn,
            recordings=self._recordings,
            recording_options=self._recording_options,
            opened_with=admission.conference.document,
        )
        self._running[room] = running
        self.statistics.opened += 1
        self._say_what_has_no_effect(admission)
        return running

    def _say_what_has_no_effect(self, admission: Admission) -> None:
        settings = admission.room
        complaints = (*settings.member_controls.complaints, *settings.moderator_controls.complaints)
        idle = keys_without_effect(admission.conference.document)
        if idle or complaints:
            _log.warning(
                "conference asks for things that are not done",
                account_id=settings.account_id,
                conference_id=settings.conference_id,
                keys=idle,
                controls=list(dict.fromkeys(complaints)),
            )

    def _forget(self, running: RunningRoom) -> None:
        self._directory.forget(running.room)
        self._running.pop(running.room, None)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # For the REST API

    def snapshot(self, account_id: str, conference_id: str) -> dict[str, Any] | None:
        """The live block of one room."""
        room = self._directory.find(account_id, conference_id)
        if room is None:
            return None
        return room.snapshot(self._loop.time()) | {"participants": self._running[room].participants()}

    def opened_with(self, account_id: str, conference_id: str) -> Document | None:
        """The document that a running room was made from; None when it does not run."""
        room = self._directory.find(account_id, conference_id)
        return self._running[room].opened_with if room else None

    def conferences(self, account_id: str) -> list[str]:
        """The ids of an account's conferences that run, oldest first."""
        return [room.settings.conference_id for room in self._directory if room.settings.account_id == account_id]

    def participants(self, account_id: str, conference_id: str) -> list[dict[str, Any]]:
        """Participant objects of semantics 6.5."""
        room = self._directory.find(account_id, conference_id)
        return self._running[room].participants() if room else []

    async def command_room(
        self, account_id: str, conference_id: str, action: str, data: dict[str, Any]
    ) -> dict[str, Any]:
        """`lock`, `unlock`, `play`, `record`, `vars`. Raises `NoSuchRoom`, `BadMedia`, `Refused`, else `ValueError`."""
        running = self._commanded(account_id, conference_id)
        self._tell_command(running, action, data)
        match action:
            case "lock" | "unlock":
                running.act(lambda room, now: room.set_locked(action == "lock", now))
            case "play":
                sound = await self._media(running, data)
                running.act(lambda room, now: room.play(sound, now))
                await running.sounds_found()
            case "record":
                await _record(running, data)
            case "vars":
                if not running.act(lambda room, _: room.set_variables(data)):
                    raise Refused(400, f"a room has at most {MAX_VARIABLES} variables: take some away with null")
            case _:
                raise ValueError(f"no such action on a conference: {action!r}")
        await self._engine.settled()
        return {"response": "ok"}

    async def command_participants(
        self, account_id: str, conference_id: str, participant_id: int | None, action: str, data: dict[str, Any]
    ) -> dict[str, Any]:
        """`mute`, `unmute`, `deaf`, `undeaf`, `kick`, `play` on one, or (None) on many, `relate` (semantics 6.6).

        Raises `NoSuchRoom`, `NoSuchParticipant`, `BadMedia`, `Refused`, and `ValueError` for any other action.
        """
        running = self._commanded(account_id, conference_id)
        if participant_id is not None and running.room.member(participant_id) is None:
            raise NoSuchParticipant(str(participant_id))
        self._tell_command(running, action, {**data, "participant_id": participant_id} if participant_id else data)
        if action == "relate":
            _relate(running, data)
        elif action == "play":
            sound = await self._media(running, data)
            if participant_id is None:
                running.act(lambda room, now: room.play(sound, now))
            else:
                running.act(lambda room, now: room.play_to(participant_id, sound, now))
            await running.sounds_found(participant_id)
        else:
            chosen = _many(running.room, action) if participant_id is None else [participant_id]
            for member_id in chosen:
                _command(running, member_id, action)
        await self._engine.settled()
        return {"response": "ok"}

    def _commanded(self, account_id: str, conference_id: str) -> RunningRoom:
        room = self._directory.find(account_id, conference_id)
        if room is None:
            raise NoSuchRoom(conference_id)
        return self._running[room]

    def _tell_command(self, running: RunningRoom, action: str, data: dict[str, Any]) -> None:
        """For subscribers of `conference.command` (semantics 7.2)."""
        settings = running.room.settings
        self.events.publish(
            {
                "event_category": "conference",
                "event_name": "command",
                "action": action,
                "account_id": settings.account_id,
                "conference_id": settings.conference_id,
                "data": data,
            }
        )

    async def _media(self, running: RunningRoom, data: dict[str, Any]) -> str:
        """The address to play, once it is known to be sound: what follows finds it without a wait."""
        address = data.get("media_id")
        settings = running.room.settings
        try:
            if not isinstance(address, str) or not address:
                raise BadMedia(f"{address!r} is no media address")
            await self._sounds.resolve(settings.account_id, address, settings.language)
        except SoundNotFound as error:
            raise BadMedia(str(error)) from error
        except MediaFull as full:
            raise Refused(503, str(full)) from full
        return address

    async def close(self) -> None:
        """End every room; the calls in them are hung up."""
        for running in list(self._running.values()):
            running.act(lambda room, now: room.end(now))
        if self._tasks:
            await asyncio.wait(set(self._tasks))


def _many(room: Room, action: str) -> list[int]:
    """Kick takes everybody; the others take non-moderators whose state differs."""
    state = {"mute": ("muted", True), "unmute": ("muted", False), "deaf": ("deaf", True), "undeaf": ("deaf", False)}
    if action == "kick":
        return [member.member_id for member in room]
    name, wanted = state.get(action, ("muted", None))
    if wanted is None:
        raise ValueError(f"no such action on participants: {action!r}")
    return [member.member_id for member in room if not member.moderator and getattr(member, name) != wanted]


async def _record(running: RunningRoom, data: dict[str, Any]) -> None:
    if data.get("action") == "start":
        await running.recording.start(data.get("format"), data.get("tracks"))
    else:
        await running.recording.stop()


def _relate(running: RunningRoom, data: dict[str, Any]) -> None:
    pair = data["participant_id"], data["other_participant"]
    for member_id in pair:
        if running.room.member(member_id) is None:
            raise NoSuchParticipant(str(member_id))
    if pair[0] == pair[1]:
        raise Refused(400, "participant_id and other_participant are the same: name two participants")
    running.relate(*pair, data.get("relationship", "clear"))


def _command(running: RunningRoom, member_id: int, action: str) -> None:
    match action:
        case "mute" | "unmute":
            running.act(lambda room, now: room.set_muted(member_id, action == "mute", now))
        case "deaf" | "undeaf":
            running.act(lambda room, now: room.set_deaf(member_id, action == "deaf", now))
        case "kick":
            running.act(lambda room, now: room.kick(member_id, now))
        case _:
            raise ValueError(f"no such action on a participant: {action!r}")
