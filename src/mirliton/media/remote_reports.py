"""Reports of the other side of a leg: how well it hears us, how long the way there and back is (RFC 3550 6.4.1).

Believed only from a leg's own address, and what cannot be true is counted and changes nothing. Reports never latch.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media.expected_loss import hear_of_loss
from mirliton.media.kernels import Int, kernel
from mirliton.media.records import CONNECTED
from mirliton.media.rtcp import (
    BLOCK,
    RECEIVER_REPORT,
    SENDER_REPORT,
    blocks_at,
    get16,
    get32,
    is_compound,
    middle,
    size_at,
)
from mirliton.media.sources import find, source_key
from mirliton.media.srtp import unprotect_report
from mirliton.media.tables import Tables

_LONGEST_TRIP = 10 * 65536  # 1/65536 s
_GRAIN = 66  # 1/65536 s: two readings of two clocks may cross by a millisecond
_AHEAD = 1 << 15
_SECOND = 1_000_000_000


@kernel
def take_reports(t: Tables, socket: Int, row: Int, size: Int, real: Int, arrival: Int) -> None:
    """A datagram of RTCP from a socket's RTP port or from the odd one above. `real`: when it came, ns since 1970."""
    t.counters[counting.RTCP_IN] += 1
    b = t.inbox[row]
    leg = _whose(t, socket, row)
    if leg < 0 or t.legs[leg].state != CONNECTED:
        t.counters[counting.RTCP_UNKNOWN_SOURCE] += 1
        return
    if t.legs[leg].srtp_in != 0:
        size = unprotect_report(t, leg, row, size)
        if size < 0:
            return
    if not is_compound(b, size):
        t.counters[counting.RTCP_MALFORMED] += 1
        return
    at = np.int64(0)
    while at < size:
        if b[at + 1] == SENDER_REPORT or b[at + 1] == RECEIVER_REPORT:
            _take_report(t, leg, b, at, real, arrival)
        at += size_at(b, at)


@kernel
def _whose(t: Tables, socket: Int, row: Int) -> Int:
    """The leg with this source: the RTP port's for what came to that; else of a named port, or of the port above."""
    name = t.envelopes[row].name
    address, port = get32(name, 4), get16(name, 2)
    leg = find(t, source_key(socket, address, port))
    if leg < 0 and t.sockets[socket].even >= 0:
        leg = find(t, source_key(t.sockets[socket].even, address, port - 1))
    return leg


@kernel
def _take_report(t: Tables, leg: Int, b: NDArray[np.uint8], at: Int, real: Int, arrival: Int) -> None:
    record = t.legs[leg]
    if b[at + 1] == SENDER_REPORT:
        if record.receiving and get32(b, at + 4) == record.remote_ssrc:
            record.their_report = get32(b, at + 10)  # the middle of the NTP time
            record.their_report_at = arrival
        else:
            t.counters[counting.RTCP_OTHER_SSRC] += 1
    first = blocks_at(b, at)
    for i in range(np.int64(b[at] & 31)):
        if get32(b, first + BLOCK * i) == record.ssrc:
            _take_block(t, leg, b, first + BLOCK * i, real)
        else:
            t.counters[counting.RTCP_OTHER_SSRC] += 1


@kernel
def _take_block(t: Tables, leg: Int, b: NDArray[np.uint8], at: Int, real: Int) -> None:
    """What the other side says of our stream."""
    record = t.legs[leg]
    fraction, lost = np.int64(b[at + 4]), get32(b, at + 4) & 0xFFFFFF
    if lost >= 0x800000:
        lost = np.int64(0)  # more came than was expected: some came twice
    behind = (record.sequence - 1 - get16(b, at + 10)) & 0xFFFF
    expected = record.packets_sent - behind
    if behind >= _AHEAD or lost > expected:
        t.counters[counting.RTCP_IMPLAUSIBLE] += 1
        return
    record.remote_reports += 1
    record.remote_lost, record.remote_expected = lost, expected
    record.remote_jitter = get32(b, at + 12) / record.ts_step
    _time_the_trip(t, leg, get32(b, at + 16), get32(b, at + 20), real)
    hear_of_loss(t, leg, fraction)


@kernel
def _time_the_trip(t: Tables, leg: Int, our_report: Int, held: Int, real: Int) -> None:
    """There and back: since our report was sent, without the time it lay there (RFC 3550 6.4.1, LSR and DLSR)."""
    if our_report == 0:
        return
    trip = (middle(real) - our_report - held) & 0xFFFFFFFF
    if trip >= (1 << 32) - _GRAIN:
        trip = np.int64(0)
    if trip > _LONGEST_TRIP:
        t.counters[counting.RTCP_IMPLAUSIBLE] += 1
        return
    t.legs[leg].round_trip = max(1, trip * _SECOND // 65536)
