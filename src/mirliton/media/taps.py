"""Readers of taps: shared memory, and what is taken out of it (see `tapping`), in the control or another process."""

import os
from collections.abc import Callable

import numpy as np

from mirliton.media.limits import MAX_FRAME, TAP_CHUNKS, TAP_SAMPLES
from mirliton.media.tables import map_taps, tap_bytes
from mirliton.media.types import Chunk, LentTap


class TapMemory:
    """Shared memory for `count` taps behind `descriptor`: made anew, or inherited from the process that made it."""

    def __init__(self, count: int, descriptor: int = -1) -> None:
        if descriptor < 0:
            descriptor = os.memfd_create("mirliton-taps")
            os.ftruncate(descriptor, tap_bytes(count))
        self.descriptor = descriptor
        self._taps, self._chunks = map_taps(descriptor, count, writable=False)

    def written(self, tap: int) -> int:
        """How many chunks the engine has ever written into a tap."""
        return int(self._taps[tap].written)

    def used(self, tap: int) -> int:
        """How many samples of its ring the engine has ever used."""
        return int(self._taps[tap].position)

    def chunk(self, tap: int, number: int) -> tuple[int, Chunk]:
        """Where one chunk begins in the ring, and a copy of it."""
        record = self._chunks[tap * TAP_CHUNKS + number % TAP_CHUNKS]
        begin, count = int(record.begin), int(record.count)
        place = begin % TAP_SAMPLES
        return begin, Chunk(int(record.at), int(record.rate), np.array(self._taps[tap].ring[place : place + count]))

    def close(self) -> None:
        """Give the memory back."""
        os.close(self.descriptor)


class TapReader:
    """Takes out of one tap what came since the chunk `next`."""

    def __init__(self, memory: TapMemory, index: int, next_chunk: int) -> None:
        self.index, self.next = index, next_chunk
        self.lost = 0
        self._memory = memory

    def read(self) -> list[Chunk]:
        """Everything new, oldest first; what was overwritten, or perhaps while it was being copied, counts as lost."""
        written = self._memory.written(self.index)
        first = max(self.next, written - TAP_CHUNKS)
        copied = [self._memory.chunk(self.index, number) for number in range(first, written)]
        oldest = self._memory.written(self.index) - TAP_CHUNKS + 1
        # the engine may be writing behind `used`, and may have skipped the end of the ring before that
        untouched = self._memory.used(self.index) + 2 * MAX_FRAME - TAP_SAMPLES
        whole = [chunk for at, (begin, chunk) in enumerate(copied, first) if at >= oldest and begin >= untouched]
        self.lost += written - self.next - len(whole)
        self.next = written
        return whole


class TapHandle:
    """Implements `types.Tap`. `on_free`: neither the engine nor another process has the memory any more."""

    def __init__(
        self,
        memory: TapMemory,
        index: int,
        on_close: Callable[["TapHandle"], None],
        on_free: Callable[["TapHandle"], None] | None = None,
        *,
        heard_only: bool = False,
    ) -> None:
        self.index, self.heard_only = index, heard_only
        self._reader = TapReader(memory, index, memory.written(index))
        self._on_close, self._on_free = on_close, on_free
        self._closed = self._lent = False
        self._left: list[Chunk] = []

    @property
    def lost(self) -> int:
        """See `types.Tap`."""
        return self._reader.lost

    def lend(self) -> LentTap:
        """See `types.Tap.lend`."""
        self._lent = True
        return LentTap(self.index, self._reader.next)

    def give_back(self) -> None:
        """See `types.Tap.give_back`."""
        if self._lent:
            self._lent = False
            self._free_if_unused()

    def read(self) -> list[Chunk]:
        """See `types.Tap.read`."""
        if not self._closed:
            return self._reader.read()
        left, self._left = self._left, []
        return left

    def close(self) -> None:
        """See `types.Tap.close`."""
        if self._closed:
            return
        self._left = [] if self._lent else self._reader.read()
        self._closed = True
        self._on_close(self)
        self._free_if_unused()

    def _free_if_unused(self) -> None:
        if self._closed and not self._lent and self._on_free is not None:
            self._on_free(self)
