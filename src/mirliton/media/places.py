"""The tables by their addresses, so that compiled kernels hand each other one number instead of seventeen arrays.

Arrays that come from Python are counted by numba, atomically, and copied in full, at every call of every kernel: that
was half of the engine's own time. Here `Tables` has a second form for compiled code: the address of a list of
addresses and lengths. Its attributes have the same names, so a kernel reads the same when compiled and when
interpreted. `Engine` holds the real arrays, so they outlive every step.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, overload_attribute, register_model
from numpy.typing import NDArray

from mirliton.media.limits import BATCH, FIFO, MAX_FRAME, OPUS_DECODER_BYTES, OPUS_ENCODER_BYTES, RECEIVE_BYTES
from mirliton.media.records import (
    CHUNK,
    ENCODER,
    ENVELOPE,
    LEG,
    LINE,
    MIX,
    NEAR,
    PLAY,
    RELATION,
    SCRATCH,
    SLOT,
    SOCKET,
    SOURCE,
    TAP,
)
from mirliton.media.tables import Tables

_WORD = ir.IntType(64)
_array: Any = vars(numba)["carray"]


class _PlacesType(types.Type):
    """What compiled code has instead of `Tables`."""

    def __init__(self) -> None:
        super().__init__(name="mirliton.Tables")


@register_model(_PlacesType)
class _PlacesModel(models.PrimitiveModel):
    """In machine code: one address."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _WORD)  # type: ignore[no-untyped-call]


_PLACES = _PlacesType()


def places_of(tables: Tables) -> NDArray[np.int64]:
    """Address and length of each table, in the order of `Tables`."""
    numbers: list[int] = []
    for table in tables:
        numbers += [table.ctypes.data, len(table)]
    return np.array(numbers, np.int64)


def _tables_at(_context: Any, address: Any) -> Any:
    """An address of `places_of` numbers as the compiled form of `Tables`."""

    def convert(_context: Any, _builder: Any, _signature: Any, arguments: Any) -> Any:
        return arguments[0]

    return _PLACES(types.uintp), convert


def _number(_context: Any, places: Any, index: Any) -> Any:
    """The `index`-th number."""

    def load(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        first = builder.inttoptr(arguments[0], _WORD.as_pointer())
        return builder.load(builder.gep(first, [arguments[1]]))

    return types.int64(_PLACES, types.int64), load


def _pointer(_context: Any, address: Any) -> Any:
    """A number as `void *`."""

    def convert(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.voidptr(types.int64), convert


tables_at: Any = intrinsic(_tables_at)
"""(address of the numbers of `places_of`) -> tables; only in compiled code."""
number: Any = intrinsic(_number)
pointer: Any = intrinsic(_pointer)


def _define(name: str, dtype: Any, shape: tuple[int, ...]) -> None:
    """Let compiled code read `t.<name>`: an array of the table's length times `shape`.

    Numba compares the signatures of the two levels to the letter, so they have no annotations.
    """
    at = 2 * Tables._fields.index(name)

    def line(t):  # type: ignore[no-untyped-def]
        return lambda t: _array(pointer(number(t, at)), (number(t, at + 1),), dtype)

    def plane(t):  # type: ignore[no-untyped-def]
        width = shape[0]
        return lambda t: _array(pointer(number(t, at)), (number(t, at + 1), width), dtype)

    def block(t):  # type: ignore[no-untyped-def]
        width, depth = shape
        return lambda t: _array(pointer(number(t, at)), (number(t, at + 1), width, depth), dtype)

    overload_attribute(_PlacesType, name)((line, plane, block)[len(shape)])


_DEFINITIONS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "legs": (LEG, ()),
    "next_leg": (np.int64, ()),
    "turns": (np.int64, ()),
    "due_mixes": (np.int64, ()),
    "near": (NEAR, ()),
    "lines": (LINE, ()),
    "spoken": (np.float32, (MAX_FRAME,)),
    "mixes": (MIX, ()),
    "encoders": (ENCODER, ()),
    "fifos": (np.int16, (FIFO,)),
    "opus_encoders": (np.int64, (OPUS_ENCODER_BYTES // 8,)),
    "opus_free": (np.int64, ()),
    "opus_decoders": (np.int64, (OPUS_DECODER_BYTES // 8,)),
    "slots": (SLOT, ()),
    "plays": (PLAY, ()),
    "relations": (RELATION, ()),
    "taps": (TAP, ()),
    "chunks": (CHUNK, ()),
    "clips": (np.int16, ()),
    "counters": (np.int64, ()),
    "events": (np.int64, (4,)),
    "reports": (np.int64, ()),
    "scratch": (SCRATCH, ()),
    "sockets": (SOCKET, ()),
    "sources": (SOURCE, ()),
    "remote": (np.uint8, (16,)),
    "inbox": (np.uint8, (RECEIVE_BYTES,)),
    "envelopes": (ENVELOPE, ()),
    "receive_headers": (np.uint64, (8,)),
    "outbox": (np.uint8, ()),
    "send_vectors": (np.uint64, (2,)),
    "send_headers": (np.uint64, (BATCH, 8)),
    "send_leg": (np.int64, (BATCH,)),
    "send_count": (np.int64, ()),
}

for _name, (_dtype, _shape) in _DEFINITIONS.items():
    _define(_name, _dtype, _shape)
