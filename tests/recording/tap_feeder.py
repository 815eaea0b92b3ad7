"""Plays the engine: writes chunks into real shared memory, as the kernel does."""

import numpy as np

from mirliton.media.limits import TAP_CHUNKS, TAP_SAMPLES
from mirliton.media.tables import map_taps
from mirliton.media.taps import TapHandle, TapMemory
from mirliton.media.types import Chunk

TAPS = 4


class TapFeeder:
    """`memory` is what a writer inherits."""

    def __init__(self) -> None:
        self.memory = TapMemory(TAPS)
        self._taps, self._chunks = map_taps(self.memory.descriptor, TAPS, writable=True)

    def tap(self, index: int) -> TapHandle:
        return TapHandle(self.memory, index, lambda _: None)

    def feed(self, index: int, chunks: list[Chunk]) -> None:
        tap = self._taps[index]
        for chunk in chunks:
            count, begin = len(chunk.samples), int(tap.position)
            if begin % TAP_SAMPLES + count > TAP_SAMPLES:
                begin += TAP_SAMPLES - begin % TAP_SAMPLES
            place = self._chunks[index * TAP_CHUNKS + int(tap.written) % TAP_CHUNKS]
            place.at, place.rate, place.count, place.begin = chunk.at, chunk.rate, count, begin
            tap.ring[begin % TAP_SAMPLES :][:count] = np.asarray(chunk.samples)
            tap.position = begin + count
            tap.written += 1
