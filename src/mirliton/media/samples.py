"""Runs of samples: loops so plain that the compiler turns them into vector instructions.

Kernels hand in slices and not tables with offsets: an address that has to be looked up again for every sample, in case
the last one overwrote it, costs ten times as much.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirliton.media.kernels import Int, Real, fast_kernel

Run = NDArray[Any]


@fast_kernel
def clear(out: Run, n: Int) -> None:
    """`out[0:n]` becomes silence."""
    for i in range(n):
        out[i] = 0


@fast_kernel
def copy(source: Run, out: Run, n: Int) -> None:
    """`out[0:n] = source[0:n]`; the runs do not overlap."""
    for i in range(n):
        out[i] = source[i]


@fast_kernel
def add(source: NDArray[np.float32], out: NDArray[np.float32], n: Int) -> None:
    """`out[0:n] += source[0:n]`."""
    for i in range(n):
        out[i] += source[i]


@fast_kernel
def total(first: NDArray[np.float32], second: NDArray[np.float32], out: NDArray[np.float32], n: Int) -> None:
    """`out[0:n] = first[0:n] + second[0:n]`."""
    for i in range(n):
        out[i] = first[i] + second[i]


@fast_kernel
def difference(first: NDArray[np.float32], second: NDArray[np.float32], out: NDArray[np.float32], n: Int) -> None:
    """`out[0:n] = first[0:n] - second[0:n]`."""
    for i in range(n):
        out[i] = first[i] - second[i]


@fast_kernel
def scale(out: NDArray[np.float32], n: Int, gain: Real) -> None:
    """`out[0:n] *= gain`."""
    factor = np.float32(gain)
    for i in range(n):
        out[i] *= factor


@fast_kernel
def look_up_code(table: NDArray[np.uint8], pcm: NDArray[np.int16], out: NDArray[np.uint8], n: Int) -> None:
    """`out[0:n] = table[pcm[0:n] + 32768]`: samples to G.711."""
    for i in range(n):
        out[i] = table[np.int64(pcm[i]) + 32768]


@fast_kernel
def mean_size(pcm: NDArray[np.int16], n: Int) -> Int:
    """The integer mean of the absolute values."""
    sum_ = np.int64(0)
    for i in range(n):
        sum_ += abs(np.int32(pcm[i]))
    return sum_ // n


@fast_kernel
def to_16_bits(signal: NDArray[np.float32], n: Int, out: NDArray[np.int16]) -> None:
    """Rounded; what is too large is held at full scale."""
    for i in range(n):
        held = max(np.float32(-32768), min(np.float32(32767), signal[i]))
        out[i] = np.int32(held + np.float32(32768.5)) - 32768
