"""Where a leg's samples and packets lie: close together at 8 kHz, which most legs have, else where there is room."""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import SMALL_ARENA_BYTES
from mirliton.media.tables import Tables

_NARROW = 8000

# "[:]" makes arrays of any length of those of records, whose length is part of their type


@kernel
def arena_of(t: Tables, leg: Int) -> NDArray[np.uint8]:
    """A leg's ring of payloads; the first `arena_bytes` of it are used."""
    if t.legs[leg].arena_bytes <= SMALL_ARENA_BYTES:
        near: NDArray[np.uint8] = t.near[leg].arena[:]
        return near
    far: NDArray[np.uint8] = t.lines[leg].arena[:]
    return far


@kernel
def said_of(t: Tables, leg: Int) -> NDArray[np.int16]:
    """What a leg said last, see `lookback`."""
    if t.legs[leg].rate <= _NARROW:
        near: NDArray[np.int16] = t.near[leg].said[:]
        return near
    far: NDArray[np.int16] = t.lines[leg].said[:]
    return far


@kernel
def history_of(t: Tables, leg: Int) -> NDArray[np.int16]:
    """What was heard of a leg last, for concealment, see `decoding`."""
    if t.legs[leg].rate <= _NARROW:
        near: NDArray[np.int16] = t.near[leg].history[:]
        return near
    far: NDArray[np.int16] = t.lines[leg].history[:]
    return far
