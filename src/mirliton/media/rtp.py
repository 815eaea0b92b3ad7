"""Packets in: read in batches, checked (RFC 3550 A.1), told apart by source, and kept for the jitter buffer."""

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media.buffers import RING, payload_of
from mirliton.media.decoding import duration, has_fec
from mirliton.media.delay import aim, count_lateness, fastest, forget_transits, note_arrival, target
from mirliton.media.digits import receive_event
from mirliton.media.drift import note_transit
from mirliton.media.foresight import expect_packet, expect_source
from mirliton.media.gate import score_of
from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import (
    BATCH,
    CONTROL_BYTES,
    PAYLOAD_BYTES,
    PLACE_BYTES,
    PLACES,
    RECEIVE_BYTES,
    SLOTS,
)
from mirliton.media.native import recvmmsg
from mirliton.media.pauses import OF_OPUS
from mirliton.media.records import CONNECTED, OPUS, place_of
from mirliton.media.remote_reports import take_reports
from mirliton.media.samples import copy
from mirliton.media.sources import leg_of, take_source
from mirliton.media.srtp import unprotect
from mirliton.media.tables import Tables

_WRAP = np.int64(1) << 32
_JUMP = 3000  # sequence numbers; a larger step is a restart of the sender (RFC 3550 MAX_DROPOUT)
_FORGOTTEN = 1_000_000_000  # ns without a packet, after which nothing of the old stream is of use
_EARLIER = 8  # packets before the first one to come that may still be played
_DONT_WAIT = 0x40
_COMFORT_NOISE = 13
_MOST_BYTES = 1500  # of a packet
_FEW = PLACES - 4  # wait, while the last three that were played stay where they are: the gate may look back at them
_MOST_DTX_BYTES = 2  # RFC 7845 4.1: the TOC alone, or with a frame of nothing


@kernel
def receive(t: Tables, socket: Int, now: Int, real_offset: Int) -> None:
    """Read everything that waits on a socket. `real_offset` = real time - monotonic time, ns."""
    for _ in range(64):  # bounded, so that a flood on one socket cannot hold up the tick
        count = recvmmsg(t.sockets[socket].descriptor, t.receive_headers.ctypes.data, BATCH, _DONT_WAIT, 0)
        for i in range(count):
            expect_source(t, socket, i)
        for i in range(count):
            expect_packet(t, socket, i)
        for i in range(count):
            arrival = now
            if t.receive_headers[i, 5] >= 32:
                stamp = t.envelopes[i].control[2] * 1_000_000_000 + t.envelopes[i].control[3] - real_offset
                if now - 1_000_000_000 < stamp <= now:
                    arrival = stamp
            size = np.int64(t.receive_headers[i, 7] & np.uint64(0xFFFFFFFF))
            t.counters[counting.PACKETS_IN] += 1
            kind = t.inbox[i][1]
            if t.sockets[socket].even >= 0 or (size >= 8 and 200 <= kind <= 207):  # RFC 5761
                take_reports(t, socket, i, size, arrival + real_offset, arrival)
            else:
                _packet(t, socket, i, size, arrival)
            # the kernel wrote how much it used; the next call must find how much there is
            t.receive_headers[i, 1] = 16
            t.receive_headers[i, 5] = CONTROL_BYTES
        if count < BATCH:
            return


@kernel
def _payload_start(t: Tables, row: Int, size: Int) -> tuple[Int, Int]:
    """Where the payload begins and ends, or (-1, 0) for what is no valid RTP packet."""
    b = t.inbox[row]
    if size < 12 or size > _MOST_BYTES:
        return -1, 0
    start = 12 + 4 * np.int64(b[0] & 15)
    if b[0] & 0x10:
        if start + 4 > size:
            return -1, 0
        start += 4 + 4 * ((np.int64(b[start + 2]) << 8) | np.int64(b[start + 3]))
    end = size
    if b[0] & 0x20:
        padding = np.int64(b[size - 1])
        if padding == 0:
            return -1, 0
        end -= padding
    if start > end:
        return -1, 0
    return start, end


@kernel
def _packet(t: Tables, socket: Int, row: Int, size: Int, arrival: Int) -> None:
    b = t.inbox[row]
    if size < 12 or size > RECEIVE_BYTES or (b[0] >> 6) != 2:
        t.counters[counting.NOT_RTP] += 1
        return
    name = t.envelopes[row].name
    address = (np.int64(name[4]) << 24) | (np.int64(name[5]) << 16) | (np.int64(name[6]) << 8) | np.int64(name[7])
    port = (np.int64(name[2]) << 8) | np.int64(name[3])
    leg = leg_of(t, socket, address, port)
    if leg < 0:
        return
    record = t.legs[leg]
    if record.state != CONNECTED:
        return
    if record.srtp_in != 0:
        size = unprotect(t, leg, row, size)
        if size < 0:
            return
    start, end = _payload_start(t, row, size)
    if start < 0:
        t.counters[counting.NOT_RTP] += 1
        return
    take_source(t, leg, address, port)
    kind = np.int64(b[1] & 0x7F)
    sequence = (np.int64(b[2]) << 8) | np.int64(b[3])
    ts = (np.int64(b[4]) << 24) | (np.int64(b[5]) << 16) | (np.int64(b[6]) << 8) | np.int64(b[7])
    ssrc = (np.int64(b[8]) << 24) | (np.int64(b[9]) << 16) | (np.int64(b[10]) << 8) | np.int64(b[11])
    if kind != record.payload_type and kind != record.event_payload_type and kind != _COMFORT_NOISE:
        t.counters[counting.UNKNOWN_PAYLOAD] += 1
        return
    if not record.receiving or ssrc != record.remote_ssrc:
        _begin(t, leg, ssrc, sequence, ts, arrival)
    full = _unwrap(t, leg, sequence, ts, arrival)
    record.last_arrival = arrival
    if full < 0:
        return
    full_ts = record.highest_ts + _signed32(ts - record.highest_raw) // record.ts_step
    if full > record.highest or record.received == 0:
        if full > record.highest + 1:
            record.gaps += 1
        record.highest = max(full, record.highest)
        record.highest_ts, record.highest_raw = full_ts, ts
    record.received += 1
    if kind == record.event_payload_type:
        if end - start >= 4:
            receive_event(t, leg, full_ts, b, start)
        return
    if not record.may_receive or _is_repeated(t, leg, full):
        return
    if kind == _COMFORT_NOISE:
        _keep_pause(t, leg, row, full, full_ts, np.int64(b[start] & 127) + 1 if end > start else np.int64(127))
        return
    span = duration(t, leg, b[start:], end - start) if 0 < end - start <= PAYLOAD_BYTES else np.int64(-1)
    if span < 0:
        record.malformed += 1
        return
    _measure_jitter(t, leg, full_ts, arrival)
    late = note_arrival(t, leg, full_ts, span, arrival)
    if record.codec == OPUS:
        if end - start <= _MOST_DTX_BYTES:
            _keep_pause(t, leg, row, full, full_ts, np.int64(OF_OPUS))
            return
        _wait_for_fec(t, leg, b[start:], end - start, full, late + span)
    _keep_sound(t, leg, row, full, full_ts, start, end - start, span, arrival)


@kernel
def _keep_sound(
    t: Tables, leg: Int, row: Int, full: Int, ts: Int, start: Int, size: Int, span: Int, arrival: Int
) -> None:
    if _keep(t, leg, row, full, ts, start, size):
        slot = t.slots[place_of(leg, full)]
        slot.span, slot.arrival, slot.pause = span, arrival, 0
        slot.level = _said_level(t, leg, t.inbox[row], start)
        slot.score = score_of(t, leg, t.inbox[row][start:], size, span)
        aim(t, leg, ts, span)


@kernel
def _wait_for_fec(t: Tables, leg: Int, payload: NDArray[np.uint8], size: Int, full: Int, late: Int) -> None:
    """The packet before this one is missing, and this one repeats it: so late it came, as far as waiting helps."""
    record = t.legs[leg]
    missing = t.slots[place_of(leg, full - 1)].seq != full - 1 and record.head < full > record.lowest
    if missing and has_fec(payload, size):
        count_lateness(t, leg, late)


@kernel
def _keep_pause(t: Tables, leg: Int, row: Int, full: Int, ts: Int, pause: Int) -> None:
    if _keep(t, leg, row, full, ts, 0, 0):
        slot = t.slots[place_of(leg, full)]
        slot.span, slot.pause, slot.level, slot.score = 0, pause, 127, -1


@kernel
def _said_level(t: Tables, leg: Int, b: NDArray[np.uint8], start: Int) -> Int:
    """How far below full scale the sender says this packet is, in dB (RFC 6464); -1: nothing."""
    record = t.legs[leg]
    if record.level_extension == 0 or not b[0] & 0x10:
        return np.int64(-1)
    at = 12 + 4 * np.int64(b[0] & 15)
    if b[at] != 0xBE or b[at + 1] != 0xDE:  # one-byte headers, RFC 8285 section 4.2
        return np.int64(-1)
    at += 4
    while at + 1 < start:
        length = np.int64(b[at] & 15) + 1
        if b[at] >> 4 == record.level_extension:
            return np.int64(b[at + 1] & 0x7F)
        at += 1 if b[at] == 0 else length + 1
    return np.int64(-1)


@kernel
def _signed32(difference: Int) -> Int:
    d = difference & (_WRAP - 1)
    return d - _WRAP if d >= _WRAP >> 1 else d


@kernel
def _begin(t: Tables, leg: Int, ssrc: Int, sequence: Int, ts: Int, arrival: Int) -> None:
    """A new stream: the first packet, or a sender that changed its SSRC (RFC 3550 8.2) or its numbers."""
    record = t.legs[leg]
    follows = record.receiving and arrival - record.last_arrival < _FORGOTTEN
    if record.receiving:
        record.received_before += record.received
        record.lost_before += max(0, record.highest - record.lowest + 1 - record.received)
    if follows:
        _follow_on(t, leg, sequence, arrival)
    else:
        _start_anew(t, leg, sequence, ts // record.ts_step + _WRAP)
    record.receiving, record.remote_ssrc, record.highest_raw = 1, ssrc, ts
    record.received, record.bad_sequence, record.last_transit = 0, -1, 0.0
    record.event_seen = 0
    record.expected_reported = record.received_reported = 0
    record.clock_points = record.least_transit_at = 0


@kernel
def _start_anew(t: Tables, leg: Int, sequence: Int, ts: Int) -> None:
    record = t.legs[leg]
    record.lowest = record.highest = sequence + (1 << 16)
    record.highest_ts = ts
    record.playing, record.pause, record.bridge, record.head = 0, 0, 0, record.lowest - _EARLIER
    forget_transits(t, leg)
    for i in range(SLOTS):
        t.slots[leg * SLOTS + i].seq = -1


@kernel
def _follow_on(t: Tables, leg: Int, sequence: Int, arrival: Int) -> None:
    """The new stream goes on where the old one stands, as far as the times of arrival allow: then nothing is heard.

    What still waits of the old one is played; `bridge` tells where it ends.
    """
    record = t.legs[leg]
    latest = arrival // 125_000 - fastest(t, leg)
    record.highest_ts = max(latest - target(t, leg), min(latest, record.highest_ts + record.grid_span))
    record.bridge = record.highest
    first = record.highest + 1 + _EARLIER
    record.lowest = record.highest = first + ((sequence - first) & 0xFFFF)
    if not record.playing:
        record.head = record.lowest - _EARLIER


@kernel
def _unwrap(t: Tables, leg: Int, sequence: Int, ts: Int, arrival: Int) -> Int:
    """The sequence number in 64 bits; -1 for one that is far off (two in a row restart the stream)."""
    record = t.legs[leg]
    step = (sequence - record.highest) & 0xFFFF
    if step >= 1 << 15:
        step -= 1 << 16
    if -_JUMP < step < _JUMP:
        record.bad_sequence = -1
        return np.int64(record.highest + step)
    if record.bad_sequence == sequence:
        _begin(t, leg, record.remote_ssrc, sequence, ts, arrival)
        return np.int64(record.highest)
    record.bad_sequence = (sequence + 1) & 0xFFFF
    record.malformed += 1
    return np.int64(-1)


@kernel
def _measure_jitter(t: Tables, leg: Int, ts: Int, arrival: Int) -> None:
    """Interarrival jitter, RFC 3550 6.4.1, in ts units."""
    record = t.legs[leg]
    transit = arrival / 125_000.0 - ts
    if record.last_transit != 0.0:
        record.jitter += (abs(transit - record.last_transit) - record.jitter) / 16.0
    record.last_transit = transit
    note_transit(t, leg, transit, arrival)


@kernel
def _is_repeated(t: Tables, leg: Int, full: Int) -> bool:
    """A packet that came before, and is counted as such."""
    if t.slots[place_of(leg, full)].seq != full:
        return False
    t.legs[leg].duplicate += 1
    t.legs[leg].received -= 1
    return True


@kernel
def _keep(t: Tables, leg: Int, row: Int, full: Int, ts: Int, start: Int, size: Int) -> bool:
    """Into the jitter buffer, unless it came too late."""
    record = t.legs[leg]
    slot = t.slots[place_of(leg, full)]
    if full < record.head or slot.seq > full:
        record.late += 1
        return False
    slot.seq, slot.ts, slot.at, slot.length = full, ts, _place(t, leg, full, size), size
    copy(t.inbox[row][start:], payload_of(t, leg, full), size)
    return True


@kernel
def _place(t: Tables, leg: Int, full: Int, size: Int) -> Int:
    """Where a payload goes: bytes that ever went into the ring, or -1 for the place of its number.

    As long as few packets wait, those of usual size go to a few places by turns: the same memory again and again, which
    stays in the cache, and what was played last is still there. Others go into a ring, one behind the other.
    """
    record = t.legs[leg]
    newest, waiting = full == record.highest, full - record.head
    if newest and size <= PLACE_BYTES and waiting <= _FEW:
        record.placed = full
        return np.int64(-1)
    at, mask = np.int64(record.arena_used), record.arena_bytes - 1
    place = at & mask
    if (newest and waiting == 0) or place + size > record.arena_bytes or place < RING:
        at += (RING - place) & mask  # nothing is in the ring, or its end is near
    record.arena_used = at + size
    return np.int64(at)
