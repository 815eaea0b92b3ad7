"""Reports to the other side of a leg (RFC 3550 section 6): what we sent, and how well we hear it.

Each leg reports about every 5 s. Legs stand in a wheel of moments, so a report costs something when it is due and
nothing before, and two thousand legs that came at once report one after the other.

Reports go to the RTP port where the two sides agreed on that (RFC 5761), else from our odd port to theirs (section 11).
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media.drift import follow_clock
from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import REPORT_WHEEL
from mirliton.media.records import CONNECTED
from mirliton.media.rtcp import (
    BLOCK,
    DESCRIPTION,
    GOODBYE,
    RECEIVER_REPORT,
    SENDER_INFO,
    SENDER_REPORT,
    ntp,
    put32,
    put_header,
)
from mirliton.media.sending import flush, has_room, next_place, post
from mirliton.media.srtp import protect_report
from mirliton.media.tables import Tables

_MOMENT = 20_000_000  # ns from one place of the wheel to the next
_INTERVAL = 5_000_000_000
_MOST_BEHIND = REPORT_WHEEL - 3 * _INTERVAL // (2 * _MOMENT) - 1  # moments; places before these are still to come
_MOST_AT_ONCE = 64  # reports of one step
_SECOND = 1_000_000_000
_HEAD = 8
_CNAME = 1
_CNAME_LENGTH = 16


@kernel
def schedule(t: Tables, leg: Int, now: Int, first: bool) -> None:
    """Let a leg report after 0.5 to 1.5 times the interval; half of that before its first report (RFC 3550 6.2)."""
    state = (np.int64(t.scratch[0].random) * 1664525 + 1013904223) & 0xFFFFFFFF
    t.scratch[0].random = state
    wait = _INTERVAL // 2 + _INTERVAL * (state >> 16) // 65536
    if first:
        wait = wait // 2
    place = (now + wait) // _MOMENT % REPORT_WHEEL
    t.legs[leg].report_place = place + 1
    t.legs[leg].report_next = t.reports[place]
    t.reports[place] = leg


@kernel
def unschedule(t: Tables, leg: Int) -> None:
    """Take a leg out of the wheel."""
    record = t.legs[leg]
    if record.report_place == 0:
        return
    place = record.report_place - 1
    record.report_place = 0
    at = t.reports[place]
    if at == leg:
        t.reports[place] = record.report_next
        return
    while t.legs[at].report_next != leg:
        at = t.legs[at].report_next
    t.legs[at].report_next = record.report_next


@kernel
def wheel_turns(t: Tables, now: Int) -> bool:
    """Whether another moment has begun since reports were last looked at."""
    return bool(t.reports[REPORT_WHEEL] < now // _MOMENT)


@kernel
def report_due(t: Tables, now: Int, real_offset: Int) -> None:
    """Send the reports whose moment has come. What is too much for one step goes with the next.

    `real_offset` = real time - monotonic time, ns.
    """
    moment, left = now // _MOMENT, _MOST_AT_ONCE
    at = max(t.reports[REPORT_WHEEL], moment - _MOST_BEHIND)
    while at < moment and left > 0:
        place = (at + 1) % REPORT_WHEEL
        leg = t.reports[place]
        if leg < 0:
            at += 1
            continue
        t.reports[place] = t.legs[leg].report_next
        follow_clock(t, leg)
        if t.legs[leg].state == CONNECTED:
            _report(t, leg, now, real_offset)
        schedule(t, leg, now, False)
        left -= 1
    t.reports[REPORT_WHEEL] = at


@kernel
def _report(t: Tables, leg: Int, now: Int, real_offset: Int) -> None:
    """SR or RR, and the CNAME (RFC 3550 6.4, 6.5.1)."""
    record, line = t.legs[leg], _line(t, leg)
    if line < 0:
        return
    if not has_room(t, line):
        flush(t)
    b = next_place(t)
    sends = bool(record.packets_sent != record.packets_reported)
    hears = bool(record.receiving != 0 and record.received != record.received_reported)
    record.packets_reported = record.packets_sent
    put32(b, 4, record.ssrc)
    size = np.int64(_HEAD)
    if sends:
        _put_sender(t, leg, b, now, real_offset)
        size += SENDER_INFO
    if hears:
        _put_block(t, leg, b, size, now)
        size += BLOCK
    put_header(b, 0, np.int64(hears), SENDER_REPORT if sends else RECEIVER_REPORT, size)
    _send(t, leg, line, size + _put_description(t, leg, b, size))


@kernel
def say_goodbye(t: Tables, leg: Int) -> bool:
    """RR, CNAME and BYE of a leg that ends; they go with the next flush. False: left out, there is no room for it.

    It makes no system call, so commands may use it, which run without the compiler.
    """
    line = _line(t, leg)
    if line < 0 or not has_room(t, line):
        return False
    b = next_place(t)
    put_header(b, 0, 0, RECEIVER_REPORT, _HEAD)
    put32(b, 4, t.legs[leg].ssrc)
    size = _HEAD + _put_description(t, leg, b, _HEAD)
    put_header(b, size, 1, GOODBYE, _HEAD)
    put32(b, size + 4, t.legs[leg].ssrc)
    _send(t, leg, line, size + _HEAD)
    return True


@kernel
def _put_sender(t: Tables, leg: Int, b: NDArray[np.uint8], now: Int, real_offset: Int) -> None:
    record = t.legs[leg]
    seconds, fraction = ntp(now + real_offset)
    put32(b, 8, seconds)
    put32(b, 12, fraction)
    put32(b, 16, _timestamp_at(t, leg, now))
    put32(b, 20, record.packets_sent)
    put32(b, 24, record.octets_sent)


@kernel
def _timestamp_at(t: Tables, leg: Int, now: Int) -> Int:
    """The RTP timestamp of this moment: the next packet has that of its first sample, which may wait for the rest."""
    record = t.legs[leg]
    e = leg if record.private or record.group < 0 else record.group
    waiting = t.encoders[e].used * 8000 // max(8000, t.encoders[e].rate)
    ahead = (t.mixes[record.mix].due - now) // 125_000
    return np.int64((record.timestamp + (waiting - ahead) * record.ts_step) & 0xFFFFFFFF)


@kernel
def _put_block(t: Tables, leg: Int, b: NDArray[np.uint8], at: Int, now: Int) -> None:
    """How well the other side is received (RFC 3550 6.4.1, A.3)."""
    record = t.legs[leg]
    expected = record.highest - record.lowest + 1
    wanted = expected - record.expected_reported
    missing = wanted - (record.received - record.received_reported)
    record.expected_reported, record.received_reported = expected, record.received
    fraction = min(255, max(0, missing) * 256 // max(1, wanted))
    lost = max(-0x800000, min(0x7FFFFF, expected - record.received))
    put32(b, at, record.remote_ssrc)
    put32(b, at + 4, (fraction << 24) | (lost & 0xFFFFFF))
    put32(b, at + 8, record.highest - (1 << 16))
    put32(b, at + 12, np.int64(record.jitter * record.ts_step))
    put32(b, at + 16, record.their_report)
    put32(b, at + 20, _since(record.their_report_at, now) if record.their_report else np.int64(0))


@kernel
def _since(then: Int, now: Int) -> Int:
    """1/65536 s."""
    return np.int64(min(max(0, now - then) // 1000 * 65536 // 1_000_000, 0xFFFFFFFF))


@kernel
def _put_description(t: Tables, leg: Int, b: NDArray[np.uint8], at: Int) -> Int:
    """SDES with the CNAME alone; returns its size. The name is random and lasts as long as the call (RFC 7022)."""
    record, half = t.legs[leg], _CNAME_LENGTH // 2
    size = _HEAD + 2 + _CNAME_LENGTH + 2  # the last two end the list, and fill the word
    put_header(b, at, 1, DESCRIPTION, size)
    put32(b, at + 4, record.ssrc)
    b[at + 8], b[at + 9] = _CNAME, _CNAME_LENGTH
    for i in range(half):
        b[at + 10 + i] = _letter((record.name_1 >> (6 * i)) & 63)
        b[at + 10 + half + i] = _letter((record.name_2 >> (6 * i)) & 63)
    b[at + size - 2], b[at + size - 1] = 0, 0
    return np.int64(size)


@kernel
def _letter(six: Int) -> Int:
    """One of 64 letters, digits and signs."""
    if six < 26:
        return six + 65
    if six < 52:
        return six - 26 + 97
    return six - 52 + 48 if six < 62 else six - 62 + 45


@kernel
def _line(t: Tables, leg: Int) -> Int:
    """The socket that a leg's reports go through; -1: none."""
    record = t.legs[leg]
    return np.int64(record.socket) if record.muxed else np.int64(t.sockets[record.socket].odd)


@kernel
def _send(t: Tables, leg: Int, line: Int, size: Int) -> None:
    """What was written to the next place, to where this leg's reports go."""
    name = t.legs.shape[0] + leg
    if t.legs[leg].srtp_out != 0:
        size = protect_report(t, leg, next_place(t), size)
        if size < 0:
            return
    _address(t, leg, t.remote[name])
    post(t, line, leg, name, size)
    t.counters[counting.RTCP_OUT] += 1


@kernel
def _address(t: Tables, leg: Int, name: NDArray[np.uint8]) -> None:
    """`struct sockaddr_in` of where the other side wants reports."""
    record = t.legs[leg]
    port = record.remote_port
    if not record.muxed:
        port = record.reports_port if record.reports_port else port + 1
    name[0], name[1] = 2, 0
    name[2], name[3] = (port >> 8) & 255, port & 255
    for i in range(4):
        name[4 + i] = (record.remote_ip >> (24 - 8 * i)) & 255
