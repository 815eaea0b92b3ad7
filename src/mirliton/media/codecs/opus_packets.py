"""What a packet of Opus tells by its first bytes, without decoding it (RFC 6716).

A frame of CELT says in its first 15 bits whether it is digital silence (section 4.3). A frame of SILK says whether its
sender took it for speech, and begins with its gains (section 4.2.7): how loud what follows is, whatever it is.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.kernels import Int, kernel

_CELT, _HYBRID = 16, 12  # configurations from here on, table 2
_LONGER_SILK = 2  # 10 and 20 ms are one frame of SILK, 40 and 60 ms are more
_SILK_CHANNELS = 0x04
_SPEECH = 0xC0  # the flags of voice activity and of FEC, each half of the range: the first two bits
_FT_BITS = 8
_ADDITIONS = 4  # a change of gain is coded as 0 to 40, where 4 is none
_DOUBLED = 16
_LOUDEST_GAIN = 63

# Cumulative frequencies of 256: tables 9, 11, 12 and 13 of the RFC, for frames that are not speech.
_KINDS = np.array([0, 26, 256], np.int64)
_HIGH_BITS = np.cumsum(np.array([0, 32, 112, 68, 29, 12, 1, 1, 1], np.int64))
_LOW_BITS = np.arange(0, 257, 32, dtype=np.int64)
_CHANGES = np.cumsum(np.array([0, 6, 5, 11, 31, 132, 21, 8, 4, 3, 2, 2, 2] + [1] * 29, np.int64))


@kernel
def background(packet: NDArray[np.uint8], size: Int) -> Int:
    """How loud a packet without speech is: the highest of its gains, 0 to 63, in steps of 1.37 dB.

    0 is also digital silence of CELT; -1: there may be speech in it, or one cannot tell (several frames, stereo, FEC).
    """
    if size < 3 or packet[0] & 3:
        return np.int64(-1)
    configuration = packet[0] >> 3
    if configuration >= _CELT:
        return np.int64(0 if packet[1] == 255 and packet[2] >= 254 else -1)
    if packet[0] & _SILK_CHANNELS or packet[1] & _SPEECH:
        return np.int64(-1)
    if configuration < _HYBRID and configuration & 3 >= _LONGER_SILK:
        return np.int64(-1)
    return _highest_gain(packet, size, 4 if configuration & 1 else 2)


@kernel
def _highest_gain(packet: NDArray[np.uint8], size: Int, subframes: Int) -> Int:
    # Section 4.1.1: the range decoder, and past it the two flags, which are 0.
    value, span, at = _renormalize(packet, size, np.int64(127 - (packet[1] >> 1)), np.int64(128), np.int64(2))
    value, span = value - (span >> 1) - (span >> 2), span >> 2
    _, value, span, at = _symbol(packet, size, value, span, at, _KINDS)
    high, value, span, at = _symbol(packet, size, value, span, at, _HIGH_BITS)
    low, value, span, at = _symbol(packet, size, value, span, at, _LOW_BITS)
    gain = highest = np.int64(8 * high + low)
    for _ in range(subframes - 1):
        change, value, span, at = _symbol(packet, size, value, span, at, _CHANGES)
        louder = max(2 * change - _DOUBLED, gain + change - _ADDITIONS)
        gain = np.int64(max(0, min(_LOUDEST_GAIN, louder)))
        highest = max(highest, gain)
    return np.int64(highest)


@kernel
def _symbol(
    packet: NDArray[np.uint8], size: Int, value: Int, span: Int, at: Int, table: NDArray[np.int64]
) -> tuple[Int, Int, Int, Int]:
    """Section 4.1.2: the next symbol, and the decoder behind it."""
    part = span >> _FT_BITS
    below = 256 - min(value // part + 1, 256)
    k = np.int64(0)
    while table[k + 1] <= below:
        k += 1
    above = part * (256 - table[k + 1])
    span = part * (table[k + 1] - table[k]) if k > 0 else span - above
    value, span, at = _renormalize(packet, size, value - above, span, at)
    return k, value, span, at


@kernel
def _renormalize(packet: NDArray[np.uint8], size: Int, value: Int, span: Int, at: Int) -> tuple[Int, Int, Int]:
    """Section 4.1.2.1: bytes are taken across one bit, those after the end are zeros."""
    while span <= 1 << 23:
        following = np.int64(packet[at]) if at < size else np.int64(0)
        previous = np.int64(packet[at - 1]) if at - 1 < size else np.int64(0)
        taken = ((previous << 8) | following) >> 1 & 255
        value = ((value << 8) + (255 - taken)) & 0x7FFFFFFF
        span <<= 8
        at += 1
    return value, span, at
