"""One recording on its way to disk: a tap, a timeline and the file they fill. Blocking; one thread at a time."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mirliton.media.types import Chunk
from mirliton.recording.messages import Begin, State
from mirliton.recording.sound_files import FileFacts, Format, open_file
from mirliton.recording.timeline import Timeline

_SETTLED = 1_000_000_000
"""After this time (nanoseconds) no chunk of it comes any more: what has no sound is silence, and can be written."""
_MOST_WAITING = 3000
"""Chunks that wait while the silence before them is being written: a minute of 20 ms."""
_MARKS = 8
"""Seconds: none of the files holds back as much."""
_STRIDE = 10.0
"""Seconds of silence written at a time, so that hours of it (somebody came late) delay no other take."""


class Reader(Protocol):
    """What comes out of a tap: `media.taps.TapReader`."""

    next: int
    lost: int

    def read(self) -> Sequence[Chunk]:
        """Everything new."""


class Take:
    """Everything raises `WriteFailed` when the disk does not take it. Times are nanoseconds of the engine's clock."""

    def __init__(self, order: Begin, reader: Reader) -> None:
        self.number = order.take
        self.path = Path(order.path)
        self.behind = False
        """Whether there is more to write now."""
        self._reader = reader
        self._waiting: deque[Chunk] = deque()
        self._dropped = 0
        self._finish_at: int | None = None
        self._marks = deque([(0, reader.next)], maxlen=_MARKS)
        self._file = open_file(self.path, Format(order.format), order.rate)
        self._timeline = Timeline(order.rate, order.start, order.max_seconds, self._file.write)

    @property
    def lost(self) -> int:
        """Chunks that came and are not in the file."""
        return self._reader.lost + self._dropped

    @property
    def finishing(self) -> bool:
        """Whether it was told to."""
        return self._finish_at is not None

    def finish(self, at: int) -> None:
        """Let it end there."""
        self._finish_at = at
        self._timeline.end_at(at)

    def hear(self) -> None:
        """Take what the tap has: it cannot wait there."""
        self._waiting.extend(self._reader.read())
        while len(self._waiting) > _MOST_WAITING:
            self._waiting.popleft()
            self._dropped += 1

    def write(self, now: int) -> FileFacts | None:
        """Write what was heard until `now`, or a part of it (`behind`); the facts of the file when it is whole."""
        settled = now - _SETTLED if self._finish_at is None else self._finish_at
        first = self._waiting[0].at if self._waiting else settled
        self.behind = not self._timeline.fill(min(first, settled), _STRIDE)
        if self.behind:
            return None
        while self._waiting:
            self._timeline.place(self._waiting.popleft())
        self.behind = not self._timeline.fill(settled, _STRIDE)
        if not self._timeline.full:
            return None
        self._timeline.flush()
        return self._file.close()

    def flush(self) -> State:
        """Bring the file up to date, and say how far it is."""
        safe = self._file.flush()
        while len(self._marks) > 1 and self._marks[1][0] <= safe:
            self._marks.popleft()
        self._marks.append((self._timeline.end, self._reader.next - len(self._waiting)))
        return State(self.number, safe, self.path.stat().st_size, self._marks[0][1], self.lost)

    def abandon(self) -> None:
        """Close the file as it is."""
        self._file.abandon()
