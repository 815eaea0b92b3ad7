"""A caller says a name: when to stop listening, and what to keep of it (semantics 1.5.8). Pure."""

from collections.abc import Sequence

import numpy as np

from mirliton.conference.ports import Recorded
from mirliton.media.types import Chunk
from mirliton.recording.timeline import Samples, Timeline

_SECOND = 1_000_000_000
_FRAMES_PER_SECOND = 50
_LEAD_SECONDS = 0.1


class Listener:
    """Fed with what a tap heard. `silence_score`: mean of the absolute sample values of 20 ms, below it is silence.

    The sound has the rate of the first chunk. Where the tap had nothing, there was silence.
    """

    def __init__(self, max_seconds: float, silence_score: int, silence_seconds: float) -> None:
        self._max_seconds = max_seconds
        self._silence_score = silence_score
        self._silence_seconds = silence_seconds
        self._started: int | None = None
        self._quiet_since = 0  # nanoseconds, as all times here
        self._timeline: Timeline | None = None
        self._frame = 0  # samples in 20 ms
        self._pieces: list[Samples] = []
        self._unscored: Samples = np.zeros(0, np.int16)
        self._scored = 0
        self._loud: tuple[int, int] | None = None  # the first and the last frame that is no silence

    def hear(self, chunks: Sequence[Chunk], now: int) -> bool:
        """Take what came (engine nanoseconds) and say whether to end. The first call starts the recording."""
        if self._started is None:
            self._started = self._quiet_since = now
        for chunk in chunks:
            if self._timeline is None:
                self._timeline = Timeline(chunk.rate, self._started, self._max_seconds, self._take)
                self._frame = chunk.rate // _FRAMES_PER_SECOND
            self._timeline.place(chunk)
        quiet, whole = now - self._quiet_since, now - self._started
        full = self._timeline is not None and self._timeline.full
        return full or quiet >= self._silence_seconds * _SECOND or whole >= self._max_seconds * _SECOND

    def recorded(self) -> Recorded | None:
        """What was said, without the silence behind it and with at most 100 ms before; None when nothing was."""
        if self._timeline is None:
            return None
        self._timeline.flush()
        if len(self._unscored):
            self._score(self._unscored)
            self._unscored = self._unscored[:0]
        if self._loud is None:
            return None
        rate, frame = self._timeline.rate, self._frame
        first, last = self._loud
        begin = max(0, first * frame - int(_LEAD_SECONDS * rate))
        return Recorded(rate, np.concatenate(self._pieces)[begin : (last + 1) * frame])

    def _take(self, samples: Samples) -> None:
        self._pieces.append(samples)
        waiting = np.concatenate([self._unscored, samples])
        frame = self._frame
        whole = len(waiting) // frame * frame
        for begin in range(0, whole, frame):
            self._score(waiting[begin : begin + frame])
        self._unscored = waiting[whole:]

    def _score(self, frame: Samples) -> None:
        number, self._scored = self._scored, self._scored + 1
        if np.abs(frame.astype(np.int32)).mean() < self._silence_score:
            return
        self._loud = (self._loud[0] if self._loud else number, number)
        self._quiet_since = (self._started or 0) + (number + 1) * _SECOND // _FRAMES_PER_SECOND
