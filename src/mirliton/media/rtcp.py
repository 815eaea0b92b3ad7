"""RTCP on the wire (RFC 3550 section 6): numbers, times, and what is a compound packet at all.

All of a datagram is checked before any of it is believed, so that one which is cut off changes nothing.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.kernels import Int, kernel

SENDER_REPORT, RECEIVER_REPORT, DESCRIPTION, GOODBYE = 200, 201, 202, 203
SENDER_INFO = 20  # bytes
BLOCK = 24  # bytes of what a report says of one source
_HEAD = 8  # bytes: header and SSRC
_SHORTEST = 8
_NTP_EPOCH = 2_208_988_800  # s from 1900 to 1970
_SECOND = 1_000_000_000


@kernel
def get16(b: NDArray[np.uint8], at: Int) -> Int:
    """A number of two bytes."""
    return (np.int64(b[at]) << 8) | np.int64(b[at + 1])


@kernel
def get32(b: NDArray[np.uint8], at: Int) -> Int:
    """A number of four bytes."""
    return (get16(b, at) << 16) | get16(b, at + 2)


@kernel
def put32(b: NDArray[np.uint8], at: Int, value: Int) -> None:
    """The low four bytes of a number."""
    b[at], b[at + 1] = (value >> 24) & 255, (value >> 16) & 255
    b[at + 2], b[at + 3] = (value >> 8) & 255, value & 255


@kernel
def put_header(b: NDArray[np.uint8], at: Int, count: Int, kind: Int, size: Int) -> None:
    """The first word of a packet of `size` bytes."""
    b[at], b[at + 1] = 0x80 | count, kind
    b[at + 2], b[at + 3] = 0, size // 4 - 1


@kernel
def size_at(b: NDArray[np.uint8], at: Int) -> Int:
    """Bytes of the packet that begins here."""
    return 4 * (get16(b, at + 2) + 1)


@kernel
def blocks_at(b: NDArray[np.uint8], at: Int) -> Int:
    """Where the blocks of a report begin."""
    return at + _HEAD + (SENDER_INFO if b[at + 1] == SENDER_REPORT else 0)


@kernel
def is_compound(b: NDArray[np.uint8], size: Int) -> bool:
    """Whether a datagram is a valid compound packet (RFC 3550 A.2): a report first, padding last, lengths that fit."""
    if size < _SHORTEST or size % 4 or b[1] < SENDER_REPORT or b[1] > RECEIVER_REPORT:
        return False
    at = np.int64(0)
    while at < size:
        if b[at] >> 6 != 2:
            return False
        end = at + size_at(b, at)
        if end > size:
            return False
        padding = np.int64(0)
        if b[at] & 0x20:
            padding = np.int64(b[end - 1])
            if end != size or padding == 0 or padding % 4:
                return False
        if at + _needed(b, at) > end - padding:
            return False
        at = end
    return True


@kernel
def _needed(b: NDArray[np.uint8], at: Int) -> Int:
    """How long a packet must be for what it says it holds."""
    count = np.int64(b[at] & 31)
    if b[at + 1] == SENDER_REPORT or b[at + 1] == RECEIVER_REPORT:
        return blocks_at(b, at) - at + BLOCK * count
    if b[at + 1] == GOODBYE:
        return 4 + 4 * count
    return np.int64(4)


@kernel
def ntp(real: Int) -> tuple[Int, Int]:
    """Seconds since 1900 and their fraction (32 bits each) of a time in ns since 1970 (RFC 3550 section 4)."""
    return (real // _SECOND + _NTP_EPOCH) & 0xFFFFFFFF, ((real % _SECOND) << 32) // _SECOND


@kernel
def middle(real: Int) -> Int:
    """The middle 32 bits of the NTP time: 1/65536 s."""
    seconds, fraction = ntp(real)
    return ((seconds & 0xFFFF) << 16) | (fraction >> 16)
