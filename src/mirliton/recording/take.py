"""One recording on its way to disk: a timeline and the file it fills. Blocking; no two calls at the same time."""

from collections.abc import Sequence
from pathlib import Path

from mirliton.media.types import Chunk
from mirliton.recording.flac import FileFacts, FlacFile
from mirliton.recording.timeline import Timeline

_SETTLED = 1_000_000_000
"""After this time (nanoseconds) no chunk of it comes any more: what has no sound is silence, and can be written."""


class Take:
    """Everything raises `WriteFailed` when the disk does not take it. Times are nanoseconds of the engine's clock."""

    def __init__(self, path: Path, rate: int, start: int, max_seconds: float) -> None:
        self.path = path
        self._file = FlacFile(path, rate)
        self._timeline = Timeline(rate, start, max_seconds, self._file.write)

    def add(self, chunks: Sequence[Chunk], now: int) -> bool:
        """Write what came until `now`; true when the recording is as long as it may be."""
        for chunk in chunks:
            self._timeline.place(chunk)
        self._timeline.fill(now - _SETTLED)
        return self._timeline.full

    def finish(self, chunks: Sequence[Chunk], now: int) -> FileFacts:
        """Write the last chunks, fill up with silence to `now`, and close the file."""
        self.add(chunks, now)
        self._timeline.fill(now)
        self._timeline.flush()
        return self._file.close()

    def abandon(self) -> None:
        """Close the file as it is, after a failure."""
        self._file.abandon()
