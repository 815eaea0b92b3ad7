"""The control process's side of taps: shared memory, and what is read out of it (see `tapping`)."""

import os
from collections.abc import Callable

import numpy as np

from mirliton.media.limits import TAP_CHUNKS
from mirliton.media.tables import Records, map_taps, tap_bytes
from mirliton.media.types import Chunk


class TapMemory:
    """Shared memory for `count` taps behind `descriptor`."""

    def __init__(self, count: int) -> None:
        self.descriptor = os.memfd_create("mirliton-taps")
        os.ftruncate(self.descriptor, tap_bytes(count))
        self._taps, self._chunks = map_taps(self.descriptor, count, writable=False)

    def written(self, tap: int) -> int:
        """How many chunks the engine has ever written into a tap."""
        return int(self._taps[tap].written)

    def chunk(self, tap: int, number: int) -> Chunk:
        """A copy of one chunk."""
        record: Records = self._chunks[tap * TAP_CHUNKS + number % TAP_CHUNKS]
        return Chunk(int(record.at), int(record.rate), np.array(record.samples[: record.count]))

    def close(self) -> None:
        """Give the memory back."""
        os.close(self.descriptor)


class TapHandle:
    """Implements `types.Tap`."""

    def __init__(self, memory: TapMemory, index: int, on_close: Callable[["TapHandle"], None]) -> None:
        self.index = index
        self.lost = 0
        self._memory = memory
        self._next = memory.written(index)
        self._on_close = on_close
        self._closed = False
        self._left: list[Chunk] = []

    def read(self) -> list[Chunk]:
        """See `types.Tap.read`."""
        if self._closed:
            left, self._left = self._left, []
            return left
        written = self._memory.written(self.index)
        self._skip(written - TAP_CHUNKS)
        chunks = [self._memory.chunk(self.index, number) for number in range(self._next, written)]
        first, self._next = self._next, written
        # What the engine overwrote while it was being copied is torn: only chunks that are still there count.
        torn = max(self._memory.written(self.index) - TAP_CHUNKS + 1 - first, 0)
        self.lost += min(torn, len(chunks))
        return chunks[torn:]

    def close(self) -> None:
        """See `types.Tap.close`."""
        if not self._closed:
            self._left = self.read()
            self._closed = True
            self._on_close(self)

    def _skip(self, oldest: int) -> None:
        if oldest > self._next:
            self.lost += oldest - self._next
            self._next = oldest
