"""Opus (RFC 6716; in RTP: RFC 7587) by libopus, which compiled kernels call without the interpreter.

The library comes with the wheel of PyAV (nothing else of that is used), or from the system. States are plain memory
of ours: libopus promises that an encoder's state may be copied, which is how a listener gets an encoder of its own
that goes on where the shared one stands.
"""

import ctypes
import ctypes.util
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import binding
from numba import types
from numpy.typing import NDArray

from mirliton.media.kernels import INTERPRETED, Int, kernel
from mirliton.media.limits import OPUS_DECODER_BYTES, OPUS_ENCODER_BYTES

RATES = (8000, 12000, 16000, 24000, 48000)
VOIP = 2048
SET_BITRATE, SET_FEC, SET_LOSS = np.int32(4002), np.int32(4012), np.int32(4014)
SET_COMPLEXITY, SET_SIGNAL = np.int32(4010), np.int32(4024)
VOICE, MUSIC = 3001, 3002
_SET_VBR, _SET_DTX = 4006, 4016
_SET_MAX_BANDWIDTH = 4004
_BANDWIDTHS = {8000: 1101, 12000: 1102, 16000: 1103, 24000: 1104, 48000: 1105}
_OK = 0


class OpusMissing(RuntimeError):
    """There is no libopus to be found."""


def _path() -> str:
    """Where libopus lies."""
    try:
        files = metadata.files("av") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if Path(file).name.startswith("libopus"):
            return str(file.locate())
    found = ctypes.util.find_library("opus")
    if found is None:
        raise OpusMissing("libopus is missing: install the package av (pip install av), or Debian's libopus0")
    return found


_library = ctypes.CDLL(_path())
_library.opus_get_version_string.restype = ctypes.c_char_p

VERSION: str = _library.opus_get_version_string().decode()


def _external(name: str, *arguments: Any) -> Any:
    """A function of libopus for kernels: numba finds it by its name, so that machine code can be kept on disk."""
    function = getattr(_library, name)
    if INTERPRETED:
        size = {types.uintp: ctypes.c_void_p, types.int32: ctypes.c_int}
        function.argtypes = [size[argument] for argument in arguments]
        return function
    binding.add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)
    return types.ExternalFunction(name, types.int32(*arguments))


opus_decode = _external("opus_decode", types.uintp, types.uintp, types.int32, types.uintp, types.int32, types.int32)
"""(state, packet or 0, bytes, int16 out, samples there is room for, 1: the packet before, from its FEC) -> samples."""

opus_encode = _external("opus_encode", types.uintp, types.uintp, types.int32, types.uintp, types.int32)
"""(state, int16 samples, how many, out, bytes there is room for) -> bytes; negative: an error."""

opus_packet_get_nb_samples = _external("opus_packet_get_nb_samples", types.uintp, types.int32, types.int32)
"""(packet, bytes, rate) -> samples it makes; negative: no packet of Opus."""

opus_set = _external("opus_encoder_ctl", types.uintp, types.int32, types.int32)
"""(state, request, value) -> 0, or an error. In C it takes any number of arguments; on Linux, integers among these are
handed over like those of any other function."""


@kernel
def _never(_packet: Int, _size: Int) -> Int:
    """For a libopus that cannot tell."""
    return np.int32(0)


opus_packet_has_lbrr = (
    _external("opus_packet_has_lbrr", types.uintp, types.int32) if hasattr(_library, "opus_packet_has_lbrr") else _never
)
"""(packet, bytes) -> 1: it repeats the one before (since libopus 1.5)."""


def _check_sizes() -> None:
    for size, room in ((_library.opus_encoder_get_size(1), OPUS_ENCODER_BYTES),
                       (_library.opus_decoder_get_size(1), OPUS_DECODER_BYTES)):  # fmt: skip
        if size > room:
            raise OpusMissing(f"this libopus ({VERSION}) needs {size} bytes a state; there is room for {room}")


_check_sizes()


def _ctl(state: NDArray[np.int64], request: int, value: int) -> None:
    result = _library.opus_encoder_ctl(ctypes.c_void_p(state.ctypes.data), request, ctypes.c_int(value))
    if result != _OK:
        raise ValueError(f"libopus refuses setting {request} to {value}: error {result}")


def begin_encoder(
    state: NDArray[np.int64],
    rate: int,
    *,
    bits_per_second: int,
    complexity: int,
    signal: int = VOICE,
    widest: int = 48000,
    fec: bool = False,
    loss_percent: int = 0,
    dtx: bool = False,
    constant: bool = False,
) -> None:
    """Make a fresh mono encoder for sound at `rate` Hz (one of `RATES`) in `state`. `widest`: Hz of the receiver.

    `signal`: with `VOICE` libopus uses SILK, which can repeat packets; with `MUSIC` CELT alone, which is much cheaper.
    """
    result = _library.opus_encoder_init(ctypes.c_void_p(state.ctypes.data), rate, 1, VOIP)
    if result != _OK:
        raise ValueError(f"libopus makes no encoder for {rate} Hz: error {result}")
    _ctl(state, int(SET_SIGNAL), signal)
    _ctl(state, int(SET_BITRATE), bits_per_second)
    _ctl(state, int(SET_COMPLEXITY), complexity)
    _ctl(state, _SET_MAX_BANDWIDTH, _BANDWIDTHS[max(known for known in RATES if known <= max(widest, 8000))])
    _ctl(state, _SET_VBR, int(not constant))
    _ctl(state, _SET_DTX, int(dtx))
    expect_loss(state, fec=fec, percent=loss_percent)


def expect_loss(state: NDArray[np.int64], *, fec: bool, percent: int) -> None:
    """Spend bits on repeating each packet in the next (RFC 6716 2.1.7), as far as this much loss is worth it."""
    _ctl(state, int(SET_FEC), int(fec))
    _ctl(state, int(SET_LOSS), percent)


def begin_decoder(state: NDArray[np.int64], rate: int) -> None:
    """Make a fresh mono decoder with output at `rate` Hz (one of `RATES`) in `state`."""
    result = _library.opus_decoder_init(ctypes.c_void_p(state.ctypes.data), rate, 1)
    if result != _OK:
        raise ValueError(f"libopus makes no decoder for {rate} Hz: error {result}")
