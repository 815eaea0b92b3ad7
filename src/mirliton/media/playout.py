"""Packets to sound, on time: the jitter buffer's reading end.

A tick reads one interval from a leg, whether or not its packets came (deadlines, not readiness). Rules:

* nothing there yet: the frame is concealed and the position waits, so that a packet that is only late still plays;
  this adds delay. If it turns out that the packet was lost, the time already concealed is taken off the gap.
* a hole with later packets behind it: concealed, the position goes on.
* every packet notes how early it came. When the earliest need in a second was more than a frame away, one frame is
  skipped in a pause: delay is given back, and a fast sender's clock is followed the same way.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.decoding import append_silence, conceal, decode, decode_into, recover
from mirliton.media.gate import judge_nothing
from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import SLOTS
from mirliton.media.samples import clear, copy
from mirliton.media.tables import OPUS, Tables, place_of

_START_MARGIN = 5_000_000  # ns that a first packet has to have waited, so that the next may be a little late
_STARVED = 1600  # 200 ms without a packet: the sender pauses; start afresh at its next packet
_LONGEST_GAP = 8000  # a hole of more than a second is a jump of the sender's clock
_MOST_DELAY = 4000  # 500 ms, the most that may ever wait in the buffer
_REVIEW = 1_000_000_000
_MOST_GUESSED = 160  # ts units made up at a time
_UNKNOWN_SLACK = np.int64(1) << 60


@kernel
def ignore(t: Tables, leg: Int) -> None:
    """Nobody needs this leg now: what came is passed over unread, and reading will start at what comes next."""
    record = t.legs[leg]
    record.playing = 0
    record.conceal_run = record.ready = 0
    if record.receiving:
        record.head = record.highest + 1


@kernel
def _present(t: Tables, leg: Int, sequence: Int) -> bool:
    slot = t.slots[place_of(leg, sequence)]
    return bool(slot.seq == sequence and t.legs[leg].arena_used - slot.at <= t.legs[leg].arena_bytes)


@kernel
def _payload(t: Tables, leg: Int, sequence: Int) -> NDArray[np.uint8]:
    """From the first byte of a packet's payload on."""
    arena: NDArray[np.uint8] = t.lines[leg].arena
    return arena[t.slots[place_of(leg, sequence)].at & (t.legs[leg].arena_bytes - 1) :]


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
    record.position = t.slots[place_of(leg, sequence)].ts
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
    wanted = frame * (record.rate // 8000)
    if not record.receiving or (not record.playing and not _start(t, leg, now)):
        clear(t.scratch[0].frame, wanted)
        judge_nothing(t, leg, frame)
        return False
    _review_delay(t, leg, now, frame)
    if record.ready == 0 and _play_straight(t, leg, frame):
        return True
    heard = record.ready > 0
    while record.ready < wanted:
        sequence = _next_present(t, leg)
        if sequence < 0:
            missing = (wanted - record.ready + record.rate // 8000 - 1) // (record.rate // 8000)
            record.waited += conceal(t, leg, missing)
            break
        heard = _play_on(t, leg, sequence) or heard
    ready = t.lines[leg].ready
    copy(ready, t.scratch[0].frame, wanted)
    record.ready -= wanted
    for i in range(record.ready):
        ready[i] = ready[wanted + i]
    if record.waited > _STARVED:
        ignore(t, leg)
    return bool(heard or record.conceal_run > 0)


@kernel
def _play_straight(t: Tables, leg: Int, frame: Int) -> bool:
    """The usual case: the packet whose turn it is is there, and is as long as the tick. Else nothing is done."""
    record = t.legs[leg]
    sequence = np.int64(record.head)
    slot = t.slots[place_of(leg, sequence)]
    if not _present(t, leg, sequence) or slot.ts != record.position or slot.span != frame:
        return False
    if _is_silence(t, leg, sequence):
        return False
    decode_into(t, leg, _payload(t, leg, sequence), slot.length, t.scratch[0].frame)
    record.head = sequence + 1
    record.position += frame
    record.waited = 0
    return True


@kernel
def _play_on(t: Tables, leg: Int, sequence: Int) -> bool:
    """Decode the next packet that there is, or fill the hole before it. Says whether anything was heard."""
    record = t.legs[leg]
    slot = t.slots[place_of(leg, sequence)]
    span, gap = slot.span, slot.ts - record.position
    if gap > 0:
        _cross_gap(t, leg, gap, span, sequence)
        return False
    record.head = sequence + 1
    if span + gap <= 0:  # all of it is in the past
        return False
    record.position += span + gap
    record.waited = 0
    before = record.ready
    if _is_silence(t, leg, sequence):
        append_silence(t, leg, span)
        return True
    decode(t, leg, _payload(t, leg, sequence), slot.length)
    if gap < 0:
        _drop(t, leg, before, -gap * (record.rate // 8000))
    return True


@kernel
def _is_silence(t: Tables, leg: Int, sequence: Int) -> bool:
    """Not worth decoding: nobody hears this leg, and the packet itself says that it would not pass the gate."""
    record = t.legs[leg]
    return bool(
        record.codec == OPUS and not record.talking and t.slots[place_of(leg, sequence)].level >= record.quiet_level
        and record.event_payload_type >= 0
    )  # fmt: skip


@kernel
def _drop(t: Tables, leg: Int, at: Int, samples: Int) -> None:
    """Take samples out of what is ready: their time was filled already."""
    record, ready = t.legs[leg], t.lines[leg].ready
    samples = min(samples, record.ready - at)
    record.ready -= samples
    for i in range(at, record.ready):
        ready[i] = ready[i + samples]


@kernel
def _cross_gap(t: Tables, leg: Int, gap: Int, span: Int, sequence: Int) -> None:
    """Time for which no packet exists before the next one: already waited for, a jump, or made up now."""
    record = t.legs[leg]
    if gap > _LONGEST_GAP:
        record.position += gap
    elif record.waited > 0:
        credit = min(gap, record.waited)
        record.position += credit
        record.waited -= credit
    elif record.codec == OPUS and gap <= span and record.talking:
        recover(t, leg, _payload(t, leg, sequence), t.slots[place_of(leg, sequence)].length, gap)
        record.position += gap
    else:
        part = min(gap - span if record.codec == OPUS and gap > span else gap, _MOST_GUESSED)
        record.position += conceal(t, leg, part)
