"""Chunks of a tap to one continuous sound at one rate: the clock says where every sample belongs. Pure.

The error in time is never more than a tick and a half, however long it takes: a chunk that comes so near to the end
of the one before is appended to it (a cut or a pause of some milliseconds would click), and any other, such as the
first after a silence, is put where its time says, with silence before it or without the part that is there already.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import soxr

from mirliton.media.types import Chunk

Samples = npt.NDArray[np.int16]
Sink = Callable[[Samples], None]
"""Takes the next samples; what it raises comes out of the call that made them."""

_SECOND = 1_000_000_000
_LONGEST = 1e9  # seconds
_LATE, _EARLY = 1.5, 0.75
"""How far a chunk may be behind or before its place and still be appended, in its own length; a repeated one is not."""


class Timeline:
    """Sound from `start` (engine nanoseconds) on at `rate` Hz, at most `max_seconds` of it, given to `sink`."""

    def __init__(self, rate: int, start: int, max_seconds: float, sink: Sink) -> None:
        self.rate = rate
        self.frames = 0
        """How many samples the sink has got."""
        self._start = start
        self._limit = int(max(0.0, min(max_seconds, _LONGEST)) * rate)
        self._sink = sink
        self._end = 0  # where the next sample belongs: ahead of `frames` by what the resampler still holds
        self._run: _Run | None = None

    @property
    def end(self) -> int:
        """Where the next sample belongs."""
        return self._end

    @property
    def full(self) -> bool:
        """Whether `max_seconds` are there."""
        return self._end >= self._limit

    def place(self, chunk: Chunk) -> None:
        """Add a chunk. Chunks come in the order of their time."""
        if self.full or not len(chunk.samples):
            return
        samples: Samples = chunk.samples
        position = self._position(chunk.at)
        offset, length = position - self._end, len(samples) * self.rate / chunk.rate
        begins = self._run is None  # nothing sounds yet: it can go where it belongs without a click
        if offset > (0 if begins else _LATE * length):
            self.fill(chunk.at)
        elif offset < (0 if begins else -_EARLY * length):
            samples = samples[round(-offset * chunk.rate / self.rate) :]
        if len(samples) and not self.full:
            self._append(samples, chunk.rate)

    def end_at(self, at: int) -> None:
        """Nothing from this time on belongs to it."""
        self._limit = max(min(self._limit, self._position(at)), self._end)

    def fill(self, until: int, most_seconds: float = _LONGEST) -> bool:
        """Silence up to this time, unless there is sound already; False when `most_seconds` of it are too few."""
        wanted = min(self._position(until), self._limit)
        position = min(wanted, self._end + int(most_seconds * self.rate))
        if position <= self._end:
            return True
        self.flush()
        while self.frames < position:
            self._put(np.zeros(min(self.rate, position - self.frames), np.int16))
        self._end = self.frames
        return position == wanted

    def flush(self) -> None:
        """Give the sink what the resampler holds back."""
        run, self._run = self._run, None
        if run is None:
            return
        self._end = min(self._end, self._limit)
        self._put(run.finish()[: self._end - self.frames])
        self._put(np.zeros(self._end - self.frames, np.int16))  # soxr may round the length down by a sample

    def _position(self, at: int) -> int:
        return (at - self._start) * self.rate // _SECOND

    def _append(self, samples: Samples, rate: int) -> None:
        if self._run is None or self._run.rate != rate:
            self.flush()
            self._run = _Run(rate, self.rate, self._end)
        self._put(self._run.convert(samples))
        self._end = self._run.end

    def _put(self, samples: Samples) -> None:
        samples = samples[: self._limit - self.frames]
        if len(samples):
            self.frames += len(samples)
            self._sink(samples)


class _Run:
    """Sound without a gap and of one rate; its length is reckoned from what went in, so that rounding cannot add up."""

    def __init__(self, rate: int, wanted: int, begin: int) -> None:
        self.rate = rate
        self._wanted = wanted
        self._begin = begin
        self._taken = 0
        self._stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32")

    @property
    def end(self) -> int:
        """The position behind the last sample."""
        return self._begin + round(self._taken * self._wanted / self.rate)

    def convert(self, samples: Samples) -> Samples:
        self._taken += len(samples)
        return samples if self.rate == self._wanted else self._resampled(samples)

    def finish(self) -> Samples:
        return self._resampled(np.zeros(0, np.int16), last=True)

    def _resampled(self, samples: Samples, *, last: bool = False) -> Samples:
        wave = self._stream.resample_chunk(samples.astype(np.float32), last=last)
        return np.asarray(np.clip(np.round(wave), -32768, 32767), np.int16)
