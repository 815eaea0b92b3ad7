"""What the domain needs of the world, as protocols; `calls` implements them. No I/O happens in this package.

`Sound` is a media address (semantics 5.3) as text: a prompt id, `tone_stream://…`, a media id, an URL. Who plays it
resolves it for the account and language; an address that cannot be resolved is logged, counted and skipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Sound = str


class HungUp(Exception):
    """The caller is gone. Raised out of any `Caller` method that waits; the dialogue just lets it pass."""


@dataclass(frozen=True, slots=True)
class CallerInfo:
    """Who calls, as the room shows it (semantics 6.5)."""

    call_id: str
    account_id: str
    caller_id_name: str = ""
    caller_id_number: str = ""
    device_id: str | None = None
    owner_id: str | None = None
    inbound: bool = True
    custom_channel_vars: dict[str, Any] = field(default_factory=dict)
    custom_application_vars: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a caller said, before it is kept: mono 16-bit samples (a numpy array) at `rate` Hz."""

    rate: int
    samples: Any

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.rate


class Names(Protocol):
    """The recorded names of people (semantics 1.5.8)."""

    async def known(self, caller: CallerInfo) -> Sound | None:
        """The media address of the recording that the caller's user has; None without a user or a recording."""

    async def keep(self, caller: CallerInfo, recorded: Recorded) -> Sound:
        """Store a recording for as long as it is not forgotten: its media address. Raises `NameNotKept`."""

    async def adopt(self, caller: CallerInfo, sound: Sound) -> bool:
        """The caller agrees with a recording: from now on it is the user's name. False: there is no user; it stays
        temporary. Never raises."""

    async def forget(self, caller: CallerInfo, sound: Sound) -> None:
        """Delete a temporary recording; never raises."""


class NameNotKept(Exception):
    """The recording cannot be stored; the text says why."""


class Caller(Protocol):
    """One call in its dialogue, before it is in a room."""

    @property
    def info(self) -> CallerInfo:
        """Who calls."""

    async def answer(self) -> None:
        """Answer (200 OK, ACK awaited by the layers below). Answering again does nothing. Raises `HungUp`."""

    def play(self, sounds: Sequence[Sound], language: str) -> None:
        """Queue sounds behind what already plays, and go on at once."""

    async def play_to_end(self, sounds: Sequence[Sound], language: str) -> None:
        """Queue sounds and wait until they (and all before them) have been heard. Raises `HungUp`."""

    async def collect(
        self,
        sounds: Sequence[Sound],
        language: str,
        *,
        max_digits: int,
        terminator: str,
        first_digit_ms: int,
        interdigit_ms: int,
    ) -> str:
        """Play the prompt and gather one entry (semantics 1.5.2): digits without the terminator, "" for none.

        Any digit stops every queued sound; digits that came before this call (while the welcome played) count.
        The first-digit timer starts when the prompt has finished. Raises `HungUp`.
        """

    async def record(
        self, sounds: Sequence[Sound], language: str, *, max_seconds: float, silence_score: int, silence_seconds: float
    ) -> Recorded | None:
        """Play the sounds to their end, then record what the caller says; None when nothing could be recorded.

        Ends with any digit (which is swallowed), after `silence_seconds` of frames below `silence_score` (mean of the
        absolute sample values), or after `max_seconds`. Silence at the end is cut off. Raises `HungUp`.
        """

    async def hang_up(self) -> None:
        """End the call with normal clearing; never raises."""
