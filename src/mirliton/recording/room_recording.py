"""One recording of a room as the layers above hold it: who asked for what, and how it ended."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mirliton.recording.takes import Track


class RecordingRefused(Exception):
    """A recording cannot start; the text says why and what to do."""


class Reason(StrEnum):
    """Why a recording ended."""

    STOPPED = "stopped"
    TOO_LONG = "too_long"
    ACCOUNT_FULL = "account_full"  # recording.max_bytes_per_account
    SERVER_STOPPED = "server_stopped"
    DELETED = "deleted"  # its document was, while it ran: the sound is thrown away
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a recording ended. `media_id` None: there is nothing to play (yet); `problem` says why it failed."""

    reason: Reason
    media_id: str | None
    seconds: float
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Whose track it is."""

    participant_id: int
    call_id: str
    caller_id_name: str = ""
    caller_id_number: str = ""

    def as_keys(self) -> dict[str, Any]:
        """As keys of a media document."""
        return {
            "track_of": self.call_id,
            "participant_id": self.participant_id,
            "caller_id_name": self.caller_id_name,
            "caller_id_number": self.caller_id_number,
        }


@dataclass(slots=True, eq=False)
class RoomRecording:
    """One recording. `media_id` is its document from the start; the sound is there when it has `ended`."""

    account_id: str
    conference_id: str
    conference_name: str
    media_id: str
    on_end: "OnEnd | None" = None
    mix: Track | None = None
    tracks: dict[str, Track] = field(default_factory=dict)
    """Of members, by the ids of their documents; those that run."""
    opening: int = 0
    """How many more tracks will run as soon as their files are there."""
    ended: Ended | None = None
    stop_reason: Reason | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def running(self) -> list[Track]:
        """Everything of it that is being written."""
        return [track for track in (self.mix, *self.tracks.values()) if track is not None]


OnEnd = Callable[[RoomRecording, Ended], None]
"""Called once, in the event loop, when a recording that started has ended, whatever the reason."""
