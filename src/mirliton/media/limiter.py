"""The look-ahead limiter: sums of any size come out within 16 bits, without wrapping and without hard clipping.

The signal is delayed by 2 ms. It is cut into blocks of 2 ms, and the gain is a line from block edge to block edge
that is never above what the block on either side allows: so it is down before the peak arrives, and full scale is
never passed. It recovers with a time constant of about 60 ms.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.kernels import Int, Real, fast_kernel, kernel
from mirliton.media.samples import copy

Wave = NDArray[np.float32]

LIMITER_BLOCKS = 500
"""A second: blocks of 2 ms."""
CEILING = np.float32(32256.0)
"""-0.14 dBFS, the largest sample of G.711: one talker alone always passes to the bit."""
_RECOVERY = np.float32(0.033)


@fast_kernel
def _peak(signal: Wave, start: Int, end: Int) -> Real:
    peak = np.float32(0)
    for i in range(start, end):
        peak = max(peak, abs(signal[i]))
    return peak


@kernel
def _allowed(signal: Wave, start: Int, end: Int) -> Real:
    peak = _peak(signal, start, end)
    return CEILING / peak if peak > CEILING else np.float32(1)


@fast_kernel
def limit(signal: Wave, n: Int, block: Int, gain: Real, out: Wave) -> Real:
    """`out[0:n]` = limited `signal[0:n]`, knowing `signal[n : n + block]`; returns the gain at the end.

    `signal` begins with the last `block` samples of the tick before: the delay of the look-ahead.
    """
    if gain > 0.9999 and _peak(signal, 0, n + block) <= CEILING:
        for i in range(n):
            out[i] = signal[i]
        return np.float32(1)
    allowed = _allowed(signal, 0, block)
    gain = min(np.float32(gain), allowed)
    for start in range(0, n, block):
        coming = _allowed(signal, start + block, start + 2 * block)
        target = min(allowed, coming, gain + (np.float32(1) - gain) * _RECOVERY)
        slope = (target - gain) / block
        for i in range(block):
            out[start + i] = signal[start + i] * (gain + slope * i)
        gain, allowed = target, coming
    return gain


@kernel
def limit_on(signal: Wave, n: Int, look: Int, gain: Real, tail: Wave, out: Wave) -> Real:
    """`out[0:n]` = the limited stream that goes on with `signal[look : look + n]`; returns the gain at the end.

    `tail[0:look]` is what the stream's limiter has taken and not given, `signal[0:look]` the room for it.
    """
    copy(tail, signal, look)
    gain = limit(signal, n, look, gain, out)
    copy(signal[n:], tail, look)
    return gain
