"""Where a leg's samples and packets lie: close together at 8 kHz, which most legs have, else where there is room.

The arena has the payloads of packets: first some places, taken by turns by sequence numbers, then a ring.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import PLACE_BYTES, PLACES, SMALL_ARENA_BYTES
from mirliton.media.records import place_of
from mirliton.media.tables import Tables

_NARROW = 8000
RING = PLACE_BYTES * PLACES
"""Where the ring begins."""

# "[:]" makes arrays of any length of those of records, whose length is part of their type


@kernel
def arena_of(t: Tables, leg: Int) -> NDArray[np.uint8]:
    """A leg's payloads; the first `arena_bytes` of it are used."""
    if t.legs[leg].arena_bytes <= SMALL_ARENA_BYTES:
        near: NDArray[np.uint8] = t.near[leg].arena[:]
        return near
    far: NDArray[np.uint8] = t.lines[leg].arena[:]
    return far


@kernel
def payload_of(t: Tables, leg: Int, sequence: Int) -> NDArray[np.uint8]:
    """From the first byte of a packet's payload on."""
    at = t.slots[place_of(leg, sequence)].at
    if at < 0:
        return arena_of(t, leg)[PLACE_BYTES * (sequence & (PLACES - 1)) :]
    return arena_of(t, leg)[at & (t.legs[leg].arena_bytes - 1) :]


@kernel
def is_present(t: Tables, leg: Int, sequence: Int) -> bool:
    """Did this packet come, and was nothing written over it since?"""
    record, slot = t.legs[leg], t.slots[place_of(leg, sequence)]
    if slot.seq != sequence:
        return False
    if slot.at < 0:
        return bool(sequence > record.placed - PLACES)
    return bool(record.arena_used - slot.at <= record.arena_bytes)


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
