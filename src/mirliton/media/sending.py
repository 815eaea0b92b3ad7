"""Packets out: encode, cut into the leg's packet time, and hand over to the kernel in batches (RFC 3550 5.1)."""

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media.codecs import g722
from mirliton.media.codecs.g711 import ALAW_ENCODE, ULAW_ENCODE
from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import BATCH
from mirliton.media.native import sendmmsg
from mirliton.media.samples import copy, look_up_code
from mirliton.media.tables import G722, OUTBOX, PCMA, Tables

_HEADER = 12
_KEY_LASTS = 1280  # RTP units: 160 ms, which every receiver takes for a press
_KEY_PAUSE = 640
_KEY_ENDS = 3  # RFC 4733 2.5.1.4: the end is said three times
_KEY_VOLUME = 10  # -dBm0
_ROW = OUTBOX.itemsize


@kernel
def encode(t: Tables, codec: Int, state: NDArray[np.int32], samples: Int) -> Int:
    """The scratch `frame[0:samples]` into the scratch `coded`; returns the number of bytes."""
    t.counters[counting.ENCODES] += 1
    if codec == G722:
        g722.encode(state, t.scratch[0].frame, samples // 2, t.scratch[0].coded, 0)
        return samples // 2
    table = ALAW_ENCODE if codec == PCMA else ULAW_ENCODE
    look_up_code(table, t.scratch[0].frame, t.scratch[0].coded, samples)
    return samples


@kernel
def send(t: Tables, leg: Int, count: Int) -> None:
    """Send `count` bytes of the scratch `coded` as the next sound of a leg, in packets of its own length."""
    record = t.legs[leg]
    packet = record.ptime * 8
    if record.fifo_used == 0 and count == packet:
        _say(t, leg, t.scratch[0].coded, count)
        return
    fifo = t.lines[leg].fifo
    if record.fifo_used + count > fifo.shape[0]:
        record.fifo_used = 0
    copy(t.scratch[0].coded, fifo[record.fifo_used :], count)
    record.fifo_used += count
    while record.fifo_used >= packet:
        _say(t, leg, fifo, packet)
        for i in range(packet, record.fifo_used):
            fifo[i - packet] = fifo[i]
        record.fifo_used -= packet


@kernel
def stay_silent(t: Tables, leg: Int, count: Int) -> None:
    """Send nothing (hold): the timestamp goes on, and the next packet is marked."""
    record = t.legs[leg]
    record.timestamp = (record.timestamp + count) & 0xFFFFFFFF
    record.fifo_used = 0
    record.mark_next = 1


@kernel
def _say(t: Tables, leg: Int, payload: NDArray[np.uint8], count: Int) -> None:
    """One packet time of a leg: sound, or in its place the key that the other side is told."""
    record = t.legs[leg]
    if record.keys == 0 or record.event_payload_type < 0 or record.key_pause > 0:
        record.key_pause = max(0, record.key_pause - count)
        _packet(t, leg, record.payload_type, record.mark_next, record.timestamp, payload, count)
        record.mark_next = 0
    else:
        _say_key(t, leg, count)
    record.timestamp = (record.timestamp + count) & 0xFFFFFFFF


@kernel
def _say_key(t: Tables, leg: Int, count: Int) -> None:
    record, event = t.legs[leg], t.scratch[0].event
    begins, ends = record.key_lasts == 0, record.key_lasts >= _KEY_LASTS
    if begins:
        record.key_timestamp = record.timestamp
    if not ends:
        record.key_lasts += count
    event[0], event[1] = (record.keys & 31) - 1, _KEY_VOLUME | (ends << 7)
    event[2], event[3] = record.key_lasts >> 8, record.key_lasts & 255
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
    sockets = t.send_headers.shape[0]
    if t.send_count[sockets] >= t.outbox.shape[0] or t.send_count[record.socket] >= BATCH:
        flush(t)
    row = t.send_count[sockets]
    t.send_count[sockets] = row + 1
    b = t.outbox[row].data
    sequence, ssrc = record.sequence, record.ssrc
    b[0], b[1] = 0x80, payload_type | (np.int64(mark) << 7)
    b[2], b[3] = sequence >> 8, sequence & 255
    b[4], b[5], b[6], b[7] = ts >> 24, (ts >> 16) & 255, (ts >> 8) & 255, ts & 255
    b[8], b[9], b[10], b[11] = ssrc >> 24, (ssrc >> 16) & 255, (ssrc >> 8) & 255, ssrc & 255
    copy(payload, b[_HEADER:], count)
    record.sequence = (sequence + 1) & 0xFFFF
    record.packets_sent += 1
    t.outbox[row].vector[1] = _HEADER + count
    at = t.send_count[record.socket]
    header = t.send_headers[record.socket, at]
    header[0] = t.remote.ctypes.data + np.uint64(leg * 16)
    header[2] = t.outbox.ctypes.data + np.uint64(row * _ROW)
    t.send_leg[record.socket, at] = leg
    t.send_count[record.socket] = at + 1


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
    t.send_count[sockets] = 0
