"""What a room asks of the world: frozen orders that the shell takes from its outbox and carries out in order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mirliton.conference.ports import Sound


@dataclass(frozen=True, slots=True)
class AddMember:
    """Put a leg into the mix. `isolated`: neither heard nor hearing the others (waiting for a moderator).

    `voices_only`: hears the others but no sound of the room (another server's room, which has its own).
    """

    member_id: int
    muted: bool
    deaf: bool
    isolated: bool
    voices_only: bool = False


@dataclass(frozen=True, slots=True)
class RemoveMember:
    """Take a leg out of the mix."""

    member_id: int


@dataclass(frozen=True, slots=True)
class SetMember:
    """Change what is given. Levels: energy 0..1800, input and output -4..4 (semantics 3.3)."""

    member_id: int
    muted: bool | None = None
    deaf: bool | None = None
    isolated: bool | None = None
    energy_level: int | None = None
    input_level: int | None = None
    output_level: int | None = None


@dataclass(frozen=True, slots=True)
class PlayToRoom:
    """Put a sound at the end of the room's queue. Must be answered by `Room.sound_queued`.

    `reported`: `Room.play_done` wants to hear of its end. `lead_in_ms`: silence before it, part of what is queued.
    """

    sound: Sound
    language: str
    reported: bool = False
    lead_in_ms: int = 0


@dataclass(frozen=True, slots=True)
class PlayToMember:
    """Put sounds at the end of one member's own queue. `reported`: `Room.play_done` wants to hear of their end."""

    member_id: int
    sounds: tuple[Sound, ...]
    language: str
    reported: bool = False


@dataclass(frozen=True, slots=True)
class StartLoop:
    """Start the hold music. Answer `Room.music_failed` when it cannot be played."""

    sound: Sound
    language: str


@dataclass(frozen=True, slots=True)
class StopLoop:
    """End the hold music."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End a call that was in the room, with normal clearing, once it has heard the sounds to their end."""

    member_id: int
    sounds: tuple[Sound, ...] = ()
    language: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A call that was in the room goes on at an extension of its account."""

    member_id: int
    extension: str


@dataclass(frozen=True, slots=True)
class Execute:
    """Run an application on a member's call, who stays in the room."""

    member_id: int
    application: str
    arguments: str


@dataclass(frozen=True, slots=True)
class SendDigit:
    """Send a digit to the phone of a member."""

    member_id: int
    digit: str


@dataclass(frozen=True, slots=True)
class Hear:
    """Whether one member hears another; every pair does until told otherwise. Forgotten when either leaves."""

    listener_id: int
    speaker_id: int
    on: bool


@dataclass(frozen=True, slots=True)
class ToggleRecording:
    """Start or stop the recording of the room; `Room.set_recording` tells how it went."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Tell subscribers of an event (semantics 7.1); all keys lower case, numbered per room."""

    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Destroy:
    """The room is over: forget it."""


Effect = (
    AddMember
    | RemoveMember
    | SetMember
    | PlayToRoom
    | PlayToMember
    | StartLoop
    | StopLoop
    | HangUp
    | Transfer
    | Execute
    | SendDigit
    | Hear
    | ToggleRecording
    | Publish
    | Destroy
)
