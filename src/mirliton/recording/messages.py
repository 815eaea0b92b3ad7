"""What the control process tells the writer and hears from it: msgpack arrays over a Unix socket.

A *take* is one file from one tap. Its number is never used again, so that news of a writer that died say nothing of
what its successor writes.
"""

import msgspec

from mirliton.recording.sound_files import FileFacts


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Base of all messages."""


class Begin(Message, frozen=True, array_like=True, tag=True):
    """Write what a tap hears from its chunk `next` on into a new file that begins at `start` (engine nanoseconds)."""

    take: int
    path: str
    format: str
    rate: int
    start: int
    max_seconds: float
    tap: int
    next: int


class Finish(Message, frozen=True, array_like=True, tag=True):
    """Write what was heard before `at` (engine nanoseconds), and close the file."""

    take: int
    at: int


class Abandon(Message, frozen=True, array_like=True, tag=True):
    """Nobody wants it: close the file as it is and remove it."""

    take: int


Order = Begin | Finish | Abandon


class Opened(Message, frozen=True, array_like=True, tag=True):
    """The file is there, or (`problem`) why it is not."""

    take: int
    problem: str = ""


class State(msgspec.Struct, frozen=True, array_like=True):
    """How far a take is.

    `frames` samples are safe whatever happens to the writer, and what follows begins in the chunk `next` or later.
    `size` in bytes is all of the file; `lost` chunks came and are not in it.
    """

    take: int
    frames: int
    size: int
    next: int
    lost: int


class Progress(Message, frozen=True, array_like=True, tag=True):
    """Once a second: all takes, after their files were brought up to date."""

    states: list[State]


class Finished(Message, frozen=True, array_like=True, tag=True):
    """A take has ended: as it was told, at its longest (`full`), or because of a `problem`; then without `facts`."""

    take: int
    lost: int
    facts: FileFacts | None = None
    full: bool = False
    problem: str = ""


News = Opened | Progress | Finished
