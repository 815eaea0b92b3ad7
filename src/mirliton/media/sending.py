"""Packets out: what encoders made, to one leg or to many, handed over to the kernel in batches (RFC 3550 5.1)."""

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media.encoding import encode, fill, take
from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import BATCH, PACKET_BYTES
from mirliton.media.native import sendmmsg
from mirliton.media.records import CONNECTED
from mirliton.media.samples import copy
from mirliton.media.srtp import protect
from mirliton.media.tables import Tables

_HEADER = 12
_KEY_LASTS = 1280  # ts units: 160 ms, which every receiver takes for a press
_KEY_PAUSE = 640
_KEY_ENDS = 3  # RFC 4733 2.5.1.4: the end is said three times
_KEY_VOLUME = 10  # -dBm0
_ALIGNED = 64


@kernel
def send_own(t: Tables, leg: Int, samples: Int) -> None:
    """The scratch `frame[0:samples]` is the next sound of one leg."""
    if fill(t, leg, samples):
        _say(t, leg, encode(t, leg, t.scratch[0].frame), t.encoders[leg].span)
        return
    count = take(t, leg)
    while count >= 0:
        _say(t, leg, count, t.encoders[leg].span)
        count = take(t, leg)


@kernel
def send_shared(t: Tables, group: Int, first: Int, samples: Int) -> None:
    """The scratch `frame[0:samples]` is the next sound of an encoder's listeners; `first` leg of the mix."""
    if fill(t, group, samples):
        if t.encoders[group].wanted:
            _say_to_all(t, group, first, encode(t, group, t.scratch[0].frame))
        return
    count = take(t, group)
    while count >= 0:
        if t.encoders[group].wanted:
            _say_to_all(t, group, first, count)
        count = take(t, group)


@kernel
def _say_to_all(t: Tables, group: Int, first: Int, count: Int) -> None:
    leg, span = first, t.encoders[group].span
    while leg >= 0:
        record = t.legs[leg]
        if record.group == group and not record.private and record.may_send and record.state == CONNECTED:
            _say(t, leg, count, span)
        leg = t.next_leg[leg]


@kernel
def stay_silent(t: Tables, leg: Int, span: Int) -> None:
    """Send nothing (hold) for `span` ts units: the timestamp goes on, and the next packet is marked."""
    record = t.legs[leg]
    record.timestamp = (record.timestamp + span * record.ts_step) & 0xFFFFFFFF
    t.encoders[leg].used = 0
    record.mark_next = 1


@kernel
def _say(t: Tables, leg: Int, count: Int, span: Int) -> None:
    """One packet of a leg: `count` bytes of the scratch `coded`, or in their place the key that the other is told."""
    record = t.legs[leg]
    if record.keys == 0 or record.event_payload_type < 0 or record.key_pause > 0:
        record.key_pause = max(0, record.key_pause - span)
        if count > 0:
            _packet(t, leg, record.payload_type, record.mark_next, record.timestamp, t.scratch[0].coded, count)
        record.mark_next = count == 0
    else:
        _say_key(t, leg, span)
    record.timestamp = (record.timestamp + span * record.ts_step) & 0xFFFFFFFF


@kernel
def _say_key(t: Tables, leg: Int, span: Int) -> None:
    record, event = t.legs[leg], t.scratch[0].event
    begins, ends = record.key_lasts == 0, record.key_lasts >= _KEY_LASTS
    if begins:
        record.key_timestamp = record.timestamp
    if not ends:
        record.key_lasts += span
    lasts = record.key_lasts * record.event_step
    event[0], event[1] = (record.keys & 31) - 1, _KEY_VOLUME | (ends << 7)
    event[2], event[3] = lasts >> 8, lasts & 255
    _packet(t, leg, record.event_payload_type, begins, record.key_timestamp, event, 4)
    if ends:
        record.key_ends += 1
    if record.key_ends == _KEY_ENDS:
        record.keys >>= 5
        record.key_lasts = record.key_ends = 0
        record.key_pause = _KEY_PAUSE


@kernel
def _packet(t: Tables, leg: Int, payload_type: Int, mark: Int, ts: Int, payload: NDArray[np.uint8], count: Int) -> None:
    record = t.legs[leg]
    if not has_room(t, record.socket):
        flush(t)
    b = next_place(t)
    sequence, ssrc = record.sequence, record.ssrc
    b[0], b[1] = 0x80, payload_type | (np.int64(mark) << 7)
    b[2], b[3] = sequence >> 8, sequence & 255
    b[4], b[5], b[6], b[7] = ts >> 24, (ts >> 16) & 255, (ts >> 8) & 255, ts & 255
    b[8], b[9], b[10], b[11] = ssrc >> 24, (ssrc >> 16) & 255, (ssrc >> 8) & 255, ssrc & 255
    copy(payload, b[_HEADER:], count)
    record.sequence = (sequence + 1) & 0xFFFF
    size = _HEADER + count
    if record.srtp_out != 0:
        size = protect(t, leg, b, size)
        if size < 0:
            return
    record.packets_sent += 1
    record.octets_sent += count
    post(t, record.socket, leg, leg, size)


@kernel
def has_room(t: Tables, socket: Int) -> bool:
    """Whether one more packet can wait; if not, it is time for `flush`."""
    sockets = t.send_headers.shape[0]
    return bool(
        t.send_count[socket] < BATCH
        and t.send_count[sockets] < t.send_vectors.shape[0]
        and t.send_count[sockets + 1] + PACKET_BYTES <= t.outbox.shape[0]
    )


@kernel
def next_place(t: Tables) -> NDArray[np.uint8]:
    """Where the next packet is written: `PACKET_BYTES` or more, one behind the other so that they stay in the cache."""
    return t.outbox[t.send_count[t.send_headers.shape[0] + 1] :]


@kernel
def post(t: Tables, socket: Int, leg: Int, name: Int, size: Int) -> None:
    """What was written to `next_place` goes through a socket to `t.remote[name]`, for a leg, with the next flush."""
    sockets = t.send_headers.shape[0]
    at, row, place = t.send_count[socket], t.send_count[sockets], t.send_count[sockets + 1]
    vector, header = t.send_vectors[row], t.send_headers[socket, at]
    vector[0], vector[1] = t.outbox.ctypes.data + np.uint64(place), size
    header[0] = t.remote.ctypes.data + np.uint64(name * 16)
    header[2] = t.send_vectors.ctypes.data + np.uint64(row * 16)
    t.send_leg[socket, at] = leg
    t.send_count[socket], t.send_count[sockets] = at + 1, row + 1
    t.send_count[sockets + 1] = place + (size + _ALIGNED - 1) // _ALIGNED * _ALIGNED


@kernel
def flush(t: Tables) -> None:
    """Hand everything to the kernel. A packet that it refuses is counted and left out; the others go."""
    sockets = t.send_headers.shape[0]
    for k in range(sockets):
        done, total = np.int64(0), t.send_count[k]
        while done < total:
            sent = sendmmsg(t.sockets[k].descriptor, t.send_headers[k, done:].ctypes.data, total - done, 0)
            if sent <= 0:
                t.counters[counting.SEND_FAILED] += 1
                t.legs[t.send_leg[k, done]].send_failures += 1
                done += 1
            else:
                t.counters[counting.PACKETS_OUT] += sent
                done += sent
        t.send_count[k] = 0
    t.send_count[sockets] = t.send_count[sockets + 1] = 0
