"""Digits: telephone-event packets (RFC 4733 section 2.5) and, where none were agreed, tones in the sound.

A key press is reported once, at its start, so that a prompt stops at once; repeats of the same event (same timestamp)
and its end packets are absorbed, and a lost start is made good by any later packet of the event.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.kernels import Int, kernel
from mirliton.media.records import DIGIT
from mirliton.media.sources import push_event
from mirliton.media.tables import Tables

_BLOCK = 102  # samples at 8 kHz: 12.75 ms, the classical length for telling the eight frequencies apart
_FREQUENCIES = np.array([697, 770, 852, 941, 1209, 1336, 1477, 1633], np.float64)
_COEFFICIENTS = (2 * np.cos(2 * np.pi * _FREQUENCIES / 8000)).astype(np.float32)
_LAYOUT = np.array([1, 2, 3, 12, 4, 5, 6, 13, 7, 8, 9, 14, 10, 0, 11, 15], np.int64)  # event codes of RFC 4733
_LEAST_POWER = 4e5  # mean square of a block: about -38 dBFS
_SHARE = 0.72  # of the block's power that must lie in the two tones: speech rarely does
_PAUSE_BLOCKS = 3
_TWIST = 6.3  # 8 dB between the two tones


@kernel
def receive_event(t: Tables, leg: Int, ts: Int, payload: NDArray[np.uint8], at: Int) -> None:
    """One telephone-event packet; `ts` is the unwrapped timestamp, in ts units."""
    record = t.legs[leg]
    code = np.int64(payload[at])
    ended = np.int64(payload[at + 1] >> 7)
    duration = ((np.int64(payload[at + 2]) << 8) | np.int64(payload[at + 3])) // record.event_step
    if code > 15:
        return
    if record.event_seen:
        age = ts - record.event_ts
        if age <= 0:
            if age == 0:
                record.event_ended |= ended
                record.event_duration = max(record.event_duration, duration)
            return
        # A very long press is sent as segments, each starting where the last stopped (RFC 4733 2.5.1.3).
        goes_on = not record.event_ended and code == record.event_code and age == record.event_duration
        if goes_on and record.event_duration >= 0xF000 // record.event_step:
            record.event_ts, record.event_duration, record.event_ended = ts, duration, ended
            return
    record.event_seen, record.event_ts, record.event_code = 1, ts, code
    record.event_ended, record.event_duration = ended, duration
    push_event(t, DIGIT, leg, code, 0)


@kernel
def _block_digit(state: NDArray[np.float32]) -> Int:
    """The event code of a finished block, or -1."""
    power = np.zeros(8, np.float32)
    for f in range(8):
        s1, s2 = state[2 * f], state[2 * f + 1]
        power[f] = s1 * s1 + s2 * s2 - _COEFFICIENTS[f] * s1 * s2
    row, column = 0, 4
    for f in range(1, 4):
        if power[f] > power[row]:
            row = f
    for f in range(5, 8):
        if power[f] > power[column]:
            column = f
    total = state[16]
    if total < _LEAST_POWER * _BLOCK:
        return -1
    if power[row] > _TWIST * power[column] or power[column] > _TWIST * power[row]:
        return -1
    # A full-band tone of amplitude a gives |X|^2 = (a N / 2)^2 and adds a^2 N / 2 to the total.
    if 2 * (power[row] + power[column]) < _SHARE * total * _BLOCK:
        return -1
    return np.int64(_LAYOUT[row * 4 + column - 4])


@kernel
def listen(t: Tables, leg: Int, frame: NDArray[np.int16], samples: Int, step: Int) -> None:
    """Look for digits in what a leg says. `step` 2 reads every other sample of a 16 kHz leg."""
    record = t.legs[leg]
    state = t.lines[leg].tone_state
    for k in range(0, samples, step):
        x = np.float32(frame[k])
        for f in range(8):
            s0 = x + _COEFFICIENTS[f] * state[2 * f] - state[2 * f + 1]
            state[2 * f + 1] = state[2 * f]
            state[2 * f] = s0
        state[16] += x * x
        record.tone_filled += 1
        if record.tone_filled < _BLOCK:
            continue
        _judge(t, leg, _block_digit(state))
        record.tone_filled = 0
        for i in range(17):
            state[i] = 0.0


@kernel
def _judge(t: Tables, leg: Int, digit: Int) -> None:
    """Two equal blocks in a row are a key; it is held until three blocks go by without it (Q.24: 40 ms of pause).

    A single odd block inside a press, where a packet was lost or skipped, changes nothing.
    """
    record = t.legs[leg]
    held = record.tone_reported - 1
    if held >= 0:
        record.tone_misses = 0 if digit == held else record.tone_misses + 1
        if record.tone_misses >= _PAUSE_BLOCKS:
            record.tone_reported = 0
    record.tone_hits = record.tone_hits + 1 if digit == record.tone_candidate else 1
    record.tone_candidate = digit
    if digit >= 0 and digit != held and record.tone_hits == 2:
        record.tone_reported, record.tone_misses = digit + 1, 0
        push_event(t, DIGIT, leg, digit, 1)
