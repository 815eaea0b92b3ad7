"""Packets to sound, on time: the jitter buffer's reading end, concealment and decoding.

A tick reads one interval from a leg, whether or not its packets came (deadlines, not readiness). Rules:

* nothing there yet: the frame is concealed and the position waits, so that a packet that is only late still plays;
  this adds delay. If it turns out that the packet was lost, the time already concealed is taken off the gap.
* a hole with later packets behind it: concealed, the position goes on.
* every packet notes how early it came. When the earliest need in a second was more than a frame away, one frame is
  skipped in a pause: delay is given back, and a fast sender's clock is followed the same way.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media.codecs import g722
from mirliton.media.codecs.g711 import ALAW_DECODE, ULAW_DECODE
from mirliton.media.digits import listen
from mirliton.media.kernels import Int, Real, kernel
from mirliton.media.limits import ARENA_BYTES, HISTORY, SLOTS
from mirliton.media.samples import clear, copy, look_up
from mirliton.media.tables import G722, PCMA, Tables

_START_MARGIN = 5_000_000  # ns that a first packet has to have waited, so that the next may be a little late
_STARVED = 1600  # 200 ms without a packet: the sender pauses; start afresh at its next packet
_LONGEST_GAP = 8000  # a hole of more than a second is a jump of the sender's clock
_MOST_DELAY = 4000  # 500 ms, the most that may ever wait in the buffer
_REVIEW = 1_000_000_000
_FADE_MS = 60
_UNKNOWN_SLACK = np.int64(1) << 60


@kernel
def ignore(t: Tables, leg: Int) -> None:
    """Nobody needs this leg now: what came is passed over unread, and reading will start at what comes next."""
    record = t.legs[leg]
    record.playing = 0
    record.conceal_run = 0
    if record.receiving:
        record.head = record.highest + 1


@kernel
def _present(t: Tables, leg: Int, sequence: Int) -> bool:
    slot = sequence & (SLOTS - 1)
    fresh = t.legs[leg].arena_used - t.lines[leg].slot_at[slot] <= ARENA_BYTES
    return bool(t.lines[leg].slot_seq[slot] == sequence) and bool(fresh)


@kernel
def _next_present(t: Tables, leg: Int) -> Int:
    """The first packet at or after the head, or -1."""
    record = t.legs[leg]
    first = max(record.head, record.highest - SLOTS + 1)
    for sequence in range(first, record.highest + 1):
        if _present(t, leg, sequence):
            return np.int64(sequence)
    return np.int64(-1)


@kernel
def _start(t: Tables, leg: Int, now: Int) -> bool:
    """Begin to play at the oldest packet that waits, once it has waited a little."""
    record = t.legs[leg]
    sequence = _next_present(t, leg)
    if sequence < 0:
        return False
    if now - record.last_arrival < _START_MARGIN and record.highest == sequence:
        return False
    record.playing = 1
    record.head = sequence
    record.position = t.lines[leg].slot_ts[sequence & (SLOTS - 1)]
    record.waited = 0
    record.skip_wanted = 0
    record.least_slack, record.slack_since = _UNKNOWN_SLACK, now
    return True


@kernel
def _review_delay(t: Tables, leg: Int, now: Int, frame: Int) -> None:
    """Once a second: could every packet of that second have been played a frame earlier? Then skip a frame."""
    record = t.legs[leg]
    if record.highest_ts - record.position > _MOST_DELAY:
        record.position = record.highest_ts - frame
    if now - record.slack_since >= _REVIEW:
        margin = 2_000_000 + 2 * np.int64(record.jitter * 125_000)
        if record.least_slack != _UNKNOWN_SLACK:
            record.skip_wanted = max(0, (record.least_slack - margin) // record.read_every)
        record.least_slack, record.slack_since = _UNKNOWN_SLACK, now
    if record.skip_wanted > 0 and (not record.talking or record.skip_wanted > 3):
        record.position += frame * (record.skip_wanted if not record.talking else 1)
        record.skip_wanted = 0


@kernel
def read(t: Tables, leg: Int, frame: Int, now: Int) -> bool:
    """Read `frame` ts units into the scratch frame, at the leg's rate. False: nothing came, the frame is silence."""
    record = t.legs[leg]
    ratio = record.rate // 8000
    if not record.receiving or (not record.playing and not _start(t, leg, now)):
        clear(t.scratch[0].frame, frame * ratio)
        return False
    _review_delay(t, leg, now, frame)
    done, heard = np.int64(0), False
    while done < frame:
        sequence = _next_present(t, leg)
        if sequence < 0:
            _conceal(t, leg, done * ratio, (frame - done) * ratio)
            record.waited += frame - done
            if record.waited > _STARVED:
                ignore(t, leg)
            break
        slot = sequence & (SLOTS - 1)
        gap = t.lines[leg].slot_ts[slot] - record.position
        if gap > 0:
            done += _cross_gap(t, leg, sequence, gap, done, frame)
            continue
        record.head = sequence
        offset, size = -gap, t.lines[leg].slot_size[slot]
        if offset < size:
            part = min(frame - done, size - offset)
            _decode(t, leg, t.lines[leg].slot_at[slot] % ARENA_BYTES + offset, part, done * ratio)
            record.position += part
            record.waited = 0
            done += part
            offset += part
            heard = True
        if offset >= size:
            record.head = sequence + 1
    return heard or record.conceal_run > 0


@kernel
def _cross_gap(t: Tables, leg: Int, sequence: Int, gap: Int, done: Int, frame: Int) -> Int:
    """Time for which no packet exists before the next one: already waited for, a jump, or concealed now."""
    record = t.legs[leg]
    if gap > _LONGEST_GAP:
        record.position += gap
        return np.int64(0)
    if record.waited > 0:
        credit = min(gap, record.waited)
        record.position += credit
        record.waited -= credit
        return np.int64(0)
    part = min(frame - done, gap)
    _conceal(t, leg, done * (record.rate // 8000), part * (record.rate // 8000))
    record.position += part
    return np.int64(part)


@kernel
def _decode(t: Tables, leg: Int, at: Int, count: Int, to: Int) -> None:
    """`count` bytes of payload from the arena into the frame, joined smoothly to what was concealed before."""
    record = t.legs[leg]
    payload, out = t.lines[leg].arena[at:], t.scratch[0].frame[to:]
    t.counters[counting.DECODES] += 1
    samples = count
    if record.codec == G722:
        g722.decode(t.lines[leg].g722_decode, payload, 0, count, out)
        samples = 2 * count
    elif record.codec == PCMA:
        look_up(ALAW_DECODE, payload, out, count)
    else:
        look_up(ULAW_DECODE, payload, out, count)
    if record.event_payload_type < 0:
        # what was said, and only that: a pause made here would cut one key press into two
        listen(t, leg, out, samples, record.rate // 8000)
    if record.conceal_run > 0:
        overlap = min(samples, record.rate // 400)
        for i in range(overlap):
            weight = np.float32(i + 1) / overlap
            guess = _guess(t.lines[leg].history, record.conceal_lag, record.conceal_run + i, record.rate)
            out[i] = np.int64(weight * out[i] + (1 - weight) * guess)
        record.conceal_run = 0


@kernel
def keep_history(t: Tables, leg: Int, samples: Int) -> None:
    """Remember the last 30 ms that were heard, for concealment."""
    line, frame, past = t.lines[leg].history, t.scratch[0].frame, t.scratch[0].past
    if samples >= HISTORY:
        copy(frame[samples - HISTORY :], line, HISTORY)
        return
    copy(line[samples:], past, HISTORY - samples)
    copy(past, line, HISTORY - samples)
    copy(frame, line[HISTORY - samples :], samples)


@kernel
def _guess(history: NDArray[np.int16], lag: Int, at: Int, rate: Int) -> Real:
    """The last period again and again, fading to silence in 60 ms."""
    fade = 1.0 - at * 1000.0 / (_FADE_MS * rate)
    if fade <= 0:
        return 0.0
    return np.float64(fade * history[HISTORY - lag + at % lag])


@kernel
def _best_lag(history: NDArray[np.int16], rate: Int) -> Int:
    """The period (2.5 to 15 ms) after which the last 10 ms repeat best."""
    span, best, best_score = rate // 100, rate // 200, -1.0
    for lag in range(rate // 400, rate * 15 // 1000):
        product, energy = 0.0, 1.0
        for i in range(0, span, 2):
            earlier = np.float64(history[HISTORY - span - lag + i])
            product += earlier * history[HISTORY - span + i]
            energy += earlier * earlier
        score = product / np.sqrt(energy)
        if score > best_score:
            best, best_score = lag, score
    return np.int64(best)


@kernel
def _conceal(t: Tables, leg: Int, to: Int, samples: Int) -> None:
    """Fill `samples` of the frame; silence unless this leg is being heard."""
    record = t.legs[leg]
    out = t.scratch[0].frame[to:]
    if not record.talking:
        clear(out, samples)
        return
    if record.conceal_run == 0:
        record.conceal_lag = _best_lag(t.lines[leg].history, record.rate)
    for i in range(samples):
        out[i] = np.int64(_guess(t.lines[leg].history, record.conceal_lag, record.conceal_run + i, record.rate))
    record.conceal_run += samples
    record.concealed += samples * 8000 // record.rate
