"""G.711 µ-law and A-law (ITU-T G.711). Encoding is a table of 65 536 entries, decoding is calculated, many at a time.

Encoding picks the code whose decoded value is nearest, so that decode(encode(decode(x))) is bit-exact.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.kernels import Int, fast_kernel, kernel


def _ulaw_decode() -> NDArray[np.int16]:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_decode() -> NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code >> 4) & 7
    step = (code & 0x0F) << 4
    magnitude = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _nearest(decoded: NDArray[np.int16]) -> NDArray[np.uint8]:
    """For each 16-bit sample (index sample + 32768) the code that decodes nearest to it."""
    order = np.argsort(decoded, kind="stable")
    levels = decoded[order].astype(np.int32)
    samples = np.arange(-32768, 32768, dtype=np.int32)
    right = np.clip(np.searchsorted(levels, samples), 1, 255)
    left_is_nearer = samples - levels[right - 1] <= levels[right] - samples
    return order[np.where(left_is_nearer, right - 1, right)].astype(np.uint8)


ULAW_DECODE = _ulaw_decode()
ALAW_DECODE = _alaw_decode()
ULAW_ENCODE = _nearest(ULAW_DECODE)
ALAW_ENCODE = _nearest(ALAW_DECODE)
# Two codes lie equally near to zero in each law; the positive one is what equipment sends as silence.
ULAW_SILENCE, ALAW_SILENCE = 0xFF, 0xD5
ULAW_ENCODE[32768] = ULAW_SILENCE
ALAW_ENCODE[32768] = ALAW_SILENCE


@kernel
def _ulaw(code: Int) -> tuple[Int, Int]:
    """The magnitude of a sample, and 1 if it is negative."""
    inverse = ~np.int64(code) & 0xFF
    return ((((inverse & 0x0F) << 3) + 0x84) << ((inverse >> 4) & 7)) - 0x84, inverse >> 7


@kernel
def _alaw(code: Int) -> tuple[Int, Int]:
    inverse = np.int64(code) ^ 0x55
    segment = (inverse >> 4) & 7
    above = np.int64(segment > 0)
    return (((inverse & 0x0F) << 4) + 8 + (above << 8)) << (segment - above), 1 - (inverse >> 7)


@fast_kernel
def decode_ulaw(codes: NDArray[np.uint8], out: NDArray[np.int16], n: Int) -> None:
    """`out[0:n]` = what `codes[0:n]` mean."""
    for i in range(n):
        size, negative = _ulaw(codes[i])
        out[i] = (size ^ -negative) + negative


@fast_kernel
def decode_alaw(codes: NDArray[np.uint8], out: NDArray[np.int16], n: Int) -> None:
    """`out[0:n]` = what `codes[0:n]` mean."""
    for i in range(n):
        size, negative = _alaw(codes[i])
        out[i] = (size ^ -negative) + negative


@fast_kernel
def size_of_ulaw(codes: NDArray[np.uint8], n: Int) -> Int:
    """The integer mean of the magnitudes of `n` samples."""
    sum_ = np.int64(0)
    for i in range(n):
        sum_ += _ulaw(codes[i])[0]
    return sum_ // n


@fast_kernel
def size_of_alaw(codes: NDArray[np.uint8], n: Int) -> Int:
    """The integer mean of the magnitudes of `n` samples."""
    sum_ = np.int64(0)
    for i in range(n):
        sum_ += _alaw(codes[i])[0]
    return sum_ // n
