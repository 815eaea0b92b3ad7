"""What will be needed in a moment is called into the processor's cache: a leg's memory answers more slowly than it is
worked on. With a thousand legs nothing of a leg is left in the cache since its last tick, and without this the engine
would spend most of its time waiting, for one line after the other; with it, it waits for many at once.

Nothing here changes what is computed. On the interpreter these functions are not called for.
"""

from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from mirliton.media.kernels import INTERPRETED, F, Int, kernel
from mirliton.media.limits import PLACE_BYTES, PLACES, SMALL_ARENA_BYTES
from mirliton.media.records import ENCODER, HOT_BYTES, LEG, MIX, NEAR, RECEIVING_BYTES, SLOT, SOURCE, place_of
from mirliton.media.sources import find, home, source_key
from mirliton.media.tables import Tables

_LINE_OF_CACHE = 64
_LEG, _NEAR, _MIX, _SLOT, _SOURCE, _ENCODER = (one.itemsize for one in (LEG, NEAR, MIX, SLOT, SOURCE, ENCODER))
_LATENESS, _ARENA, _SAID, _HISTORY, _TAIL = (
    int(NEAR.fields[name][1])  # type: ignore[index]
    for name in ("lateness", "arena", "said", "history", "out_tail")
)
_HOT_OF_MIX = 192
_RECORD_AHEAD, _SLOT_AHEAD, _SOUND_AHEAD = 8, 4, 2  # legs
_SAMPLE, _NARROW = 2, 8000
_SMALL = 640  # bytes: of more the processor itself sees that they are read in a row
_SMALL_HISTORY, _SMALL_TAIL = 480, 64  # of sound at 8 kHz


def _emit(_context: Any, _address: Any) -> Any:
    """One instruction that asks for a line and waits for nothing."""

    def prefetch(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        for_reading, keep, data = word(0), word(3), word(1)
        builder.call(function, [builder.inttoptr(arguments[0], byte), for_reading, keep, data])
        return context.get_dummy_value()

    return types.void(types.int64), prefetch


_call: Any = intrinsic(_emit)


def _foresight(function: F) -> F:
    """A kernel; on the interpreter it does nothing."""
    return cast(F, lambda *_: None) if INTERPRETED else kernel(function)


@kernel
def _call_run(address: Int, size: Int) -> None:
    at = np.int64(address)
    end = at + size
    while at < end:
        _call(at)
        at += _LINE_OF_CACHE


@kernel
def _key_of(t: Tables, socket: Int, row: Int) -> Int:
    """The source of a datagram, as `sources` knows it."""
    name = t.envelopes[row].name
    address = (np.int64(name[4]) << 24) | (np.int64(name[5]) << 16) | (np.int64(name[6]) << 8) | np.int64(name[7])
    return np.int64(source_key(socket, address, (np.int64(name[2]) << 8) | np.int64(name[3])))


@_foresight
def expect_source(t: Tables, socket: Int, row: Int) -> None:
    """A datagram of the inbox will be looked up in the table of sources."""
    _call(np.int64(t.sources.ctypes.data) + home(t, _key_of(t, socket, row)) * _SOURCE)


@_foresight
def expect_packet(t: Tables, socket: Int, row: Int) -> None:
    """And now its leg will be needed, and where the packet will lie."""
    leg = find(t, _key_of(t, socket, row))
    if leg < 0:
        return
    b = t.inbox[row]
    near = np.int64(t.near.ctypes.data) + leg * _NEAR
    _call_run(np.int64(t.legs.ctypes.data) + leg * _LEG, RECEIVING_BYTES)
    _call(np.int64(t.slots.ctypes.data) + place_of(leg, (np.int64(b[2]) << 8) | np.int64(b[3])) * _SLOT)
    _call(near + _LATENESS)
    _call_run(near + _ARENA + PLACE_BYTES * (np.int64(b[3]) & (PLACES - 1)), PLACE_BYTES)


@_foresight
def _expect_leg(t: Tables, leg: Int) -> None:
    _call_run(np.int64(t.legs.ctypes.data) + leg * _LEG, HOT_BYTES)


@kernel
def _slot(t: Tables, leg: Int) -> Int:
    return np.int64(place_of(leg, t.legs[leg].head))


@_foresight
def _expect_slot(t: Tables, leg: Int) -> None:
    """Of a leg whose record is there."""
    _call(np.int64(t.slots.ctypes.data) + _slot(t, leg) * _SLOT)
    if t.legs[leg].private:
        _call_run(np.int64(t.encoders.ctypes.data) + leg * _ENCODER, 2 * _LINE_OF_CACHE)


@_foresight
def _expect_sound(t: Tables, leg: Int) -> None:
    """Of a leg whose record and slot are there: its packet, and what it said before."""
    record, slot = t.legs[leg], t.slots[_slot(t, leg)]
    if record.silent and slot.score >= 0:
        return
    near = np.int64(t.near.ctypes.data) + leg * _NEAR
    if record.arena_bytes <= SMALL_ARENA_BYTES:
        at = slot.at & (record.arena_bytes - 1) if slot.at >= 0 else PLACE_BYTES * (slot.seq & (PLACES - 1))
        _call_run(near + _ARENA + at, PLACE_BYTES)
    frame = _SAMPLE * record.said_frame
    if record.rate == _NARROW and frame <= _SMALL and not record.silent:
        _call_run(near + _SAID + _SAMPLE * record.said_at + frame, frame)
    if record.talking:
        _call_run(near + _TAIL, _SMALL_TAIL)
        _call_run(near + _HISTORY, _SMALL_HISTORY)


@_foresight
def begin_turns(t: Tables, mixes: Int) -> None:
    """The legs of `t.due_mixes[0:mixes]` will be worked on, one after the other."""
    work, count = t.scratch[0], np.int64(0)
    for k in range(mixes):
        leg = t.mixes[t.due_mixes[k]].first
        while leg >= 0:
            t.turns[count] = leg
            count += 1
            leg = t.next_leg[leg]
    work.turn, work.turns = 0, count
    for k in range(_RECORD_AHEAD):
        if k < count:
            _expect_leg(t, t.turns[k])
    for k in range(_SLOT_AHEAD):
        if k < count:
            _expect_slot(t, t.turns[k])


@_foresight
def expect_turn(t: Tables) -> None:
    """A leg is worked on. What is needed of the legs behind it is found through what was called for before."""
    work = t.scratch[0]
    at, count = work.turn, work.turns
    work.turn = at + 1
    if at + _RECORD_AHEAD < count:
        _expect_leg(t, t.turns[at + _RECORD_AHEAD])
    if at + _SLOT_AHEAD < count:
        _expect_slot(t, t.turns[at + _SLOT_AHEAD])
    if at + _SOUND_AHEAD < count:
        _expect_sound(t, t.turns[at + _SOUND_AHEAD])


@_foresight
def expect_mix(t: Tables, m: Int) -> None:
    """This mix is the next."""
    _call_run(np.int64(t.mixes.ctypes.data) + m * _MIX, _HOT_OF_MIX)
