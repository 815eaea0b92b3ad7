"""One recording of a room as the layers above hold it: who asked for what, and how it ended."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from mirliton.media.types import Tap


class RecordingRefused(Exception):
    """A recording cannot start; the text says why and what to do."""


class Reason(StrEnum):
    """Why a recording ended."""

    STOPPED = "stopped"
    TOO_LONG = "too_long"
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


@dataclass(slots=True, eq=False)
class RoomRecording:
    """One recording. `media_id` is its document from the start; the sound is there when it has `ended`."""

    account_id: str
    conference_id: str
    media_id: str
    tap: Tap
    on_end: "OnEnd | None" = None
    ended: Ended | None = None
    stop_reason: Reason | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def ask_to_stop(self, reason: Reason) -> None:
        """End at the next opportunity; the first reason counts."""
        self.stop_reason = self.stop_reason or reason
        self.stopping.set()


OnEnd = Callable[[RoomRecording, Ended], None]
"""Called once, in the event loop, when a recording that started has ended, whatever the reason."""
