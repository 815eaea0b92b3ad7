"""When a radio station's sound is heard, and how fast its bytes may come. Pure: time is passed in."""

import numpy as np
import numpy.typing as npt

from mirliton.media.types import LiveClip

Block = dict[int, npt.NDArray[np.int16]]
"""The same sound at 8000 Hz and, with twice as many samples, at 16000 Hz."""

SECOND = 1_000_000_000  # ns
SAMPLE = SECOND // 8000

LEAD = 2 * SECOND
"""How far ahead of the clock sound is written."""
CUSHION = SECOND // 2
"""How far ahead it begins, and begins again after a gap, so that the next delay of the network is no gap."""
_LATEST = SECOND // 10  # sooner is what the engine may be reading already
_KEPT = SECOND  # of what was heard, so that no engine that is late hears a hole

SMALLEST_PIECE = 512
"""Bytes that each piece costs at least: many small ones keep the process busy as much as fewer large ones."""


class Pacer:
    """Writes into a ring: sound a little ahead of the clock, and silence over what was heard, so that whatever comes
    too late, or never, is silence and not what was heard one turn of the ring ago.

    All times are those of `LiveClip.write`, in ns.
    """

    def __init__(self, ring: LiveClip, seconds: float, now: int) -> None:
        self._ring = ring
        self._turn = round(seconds * 8000) * SAMPLE
        self._next = 0
        self._silent_until = now + self._turn - _KEPT

    def room(self, now: int) -> float:
        """Seconds until there is room for more sound."""
        return max(0, self._next - now - LEAD) / SECOND

    def write(self, now: int, block: Block) -> bool:
        """Add sound behind what was written before, or begin again when that is over; returns whether it was."""
        self.erase(now)
        if late := self._next < now + _LATEST:
            self._next = now + CUSHION
        self._ring.write(self._next, block)
        self._next += len(block[8000]) * SAMPLE
        return late

    def erase(self, now: int) -> None:
        """Put silence over what was heard since the last time. Call it at least once a second."""
        start, end = max(self._silent_until, self._next, now), now + self._turn - _KEPT
        if (samples := (end - start) // SAMPLE) > 0:
            self._ring.write(start, {rate: np.zeros(samples * rate // 8000, np.int16) for rate in (8000, 16000)})
            self._silent_until = start + samples * SAMPLE


class Throttle:
    """How long to wait before more is read, so that no more than `bytes_per_second` come in over `burst` seconds."""

    def __init__(self, bytes_per_second: int, burst: float = 4.0) -> None:
        self._rate = bytes_per_second
        self._burst = burst
        self._paid = 0.0

    def wait(self, now: float, size: int) -> float:
        """Seconds (of the clock of `now`) to wait after a piece of `size` bytes."""
        self._paid = max(self._paid, now - self._burst) + max(size, SMALLEST_PIECE) / self._rate
        return max(0.0, self._paid - now)
