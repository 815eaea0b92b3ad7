"""Packets to sound, on time: the jitter buffer's reading end.

A tick reads one interval from a leg, whether or not its packets came (deadlines, not readiness). Rules:

* nothing there yet: the frame is concealed and the position waits, so that a packet that is only late still plays;
  this adds delay. If it turns out that the packet was lost, the time already concealed is taken off the gap.
* a hole with later packets behind it: concealed, the position goes on.
* every packet tells how long packets have to wait (`delay`). Who waits longer or less than that is brought there: in
  pauses at once, in speech period by period (`stretching`).
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.background import FAR_BELOW, is_known_background
from mirliton.media.buffers import is_present, payload_of
from mirliton.media.decoding import (
    append_silence,
    conceal,
    decode,
    decode_into,
    decode_judged,
    expand,
    has_fec,
    pass_over,
    recover,
)
from mirliton.media.delay import fit_grid, least_wait
from mirliton.media.gate import judge_nothing
from mirliton.media.kernels import Int, Real, kernel
from mirliton.media.limits import SLOTS
from mirliton.media.pauses import fill_pause
from mirliton.media.records import OPUS, PCMA, place_of
from mirliton.media.samples import clear, copy
from mirliton.media.stretching import LOOK_MS, lengthen, shorten
from mirliton.media.tables import Tables

_STARVED = 1600  # 200 ms without a packet: the sender pauses; start afresh at its next packet
_LONGEST_GAP = 8000  # a hole of more than a second is a jump of the sender's clock
_MOST_GUESSED = 160  # ts units made up at a time
_PACE = 160  # one period in 20 ms
_LITTLE, _MOST_FOR_LITTLE = 4000, 32_000  # ts units until a cut is tried again that only saves a few milliseconds
_MOST_FOR_MUCH = 3200  # and one that saves more
_FAR = 800  # ts units away from the target: then what is joined need not be so alike
_ALIKE, _ALIKE_WHEN_FAR, _ALIKE_FOR_LITTLE = 0.85, 0.5, 0.95
_MOST_SEARCHES = 32  # in one step, so that a thousand who search at once hold up no tick; the others search later
_QUIET = 16  # mean size of samples that nobody hears

NOTHING, SOUND, UNSPOKEN = 0, 1, 2


@kernel
def ignore(t: Tables, leg: Int) -> None:
    """Nobody needs this leg now: what came is passed over unread, and reading will start at what comes next."""
    record = t.legs[leg]
    record.playing = 0
    record.conceal_run = record.ready = record.pause = record.shift = 0
    if record.receiving:
        record.head = record.highest + 1


@kernel
def _next_present(t: Tables, leg: Int) -> Int:
    """The first packet at or after the head, or -1."""
    record = t.legs[leg]
    if record.head <= record.bridge:
        for sequence in range(max(record.head, record.bridge - SLOTS + 1), record.bridge + 1):
            if is_present(t, leg, sequence):
                return np.int64(sequence)
    first = max(record.head, record.highest - SLOTS + 1)
    for sequence in range(first, record.highest + 1):
        if is_present(t, leg, sequence):
            return np.int64(sequence)
    return np.int64(-1)


@kernel
def _start(t: Tables, leg: Int, frame: Int, due: Int) -> bool:
    """Begin to play at the oldest packet that waits, once it has waited as long as packets here should."""
    record = t.legs[leg]
    sequence = _next_present(t, leg)
    while sequence >= 0 and t.slots[place_of(leg, sequence)].pause != 0:
        _begin_pause(t, leg, sequence)
        sequence = _next_present(t, leg)
    if sequence < 0:
        return False
    slot = t.slots[place_of(leg, sequence)]
    fit_grid(t, leg, slot.span, frame)
    if due // 125_000 - slot.ts < least_wait(t, leg):
        return False
    record.playing, record.pause = 1, 0
    record.head = sequence
    record.position = slot.ts
    record.waited = record.shift = record.rest = record.patience = record.roomy = 0
    return True


@kernel
def _begin_pause(t: Tables, leg: Int, sequence: Int) -> None:
    record = t.legs[leg]
    record.playing, record.head = 0, sequence + 1
    record.pause = t.slots[place_of(leg, sequence)].pause
    record.waited = record.conceal_run = 0


@kernel
def read(t: Tables, leg: Int, frame: Int, due: Int) -> Int:
    """Read `frame` ts units into the scratch frame, at the leg's rate. Says what that is: `SOUND`, or `NOTHING` (no
    packet came, the frame is silence), or `UNSPOKEN` (a packet came that is not worth decoding; no frame was written).

    `due` (ns): the time of the tick.
    """
    record = t.legs[leg]
    wanted = frame * (record.rate // 8000)
    if not record.receiving or (not record.playing and not _start(t, leg, frame, due)):
        judge_nothing(t, leg, frame)
        return np.int64(_rest(t, leg, wanted))
    if record.shift != 0:
        _change_pace(t, leg, frame)
    if record.ready == 0 and _is_straight(t, leg, frame):
        return _play_straight(t, leg, frame)
    heard = record.ready > 0
    while record.ready < wanted:
        sequence = _next_present(t, leg)
        if sequence < 0:
            missing = (wanted - record.ready + record.rate // 8000 - 1) // (record.rate // 8000)
            record.waited += conceal(t, leg, missing)
        elif t.slots[place_of(leg, sequence)].pause != 0:
            _begin_pause(t, leg, sequence)
            return np.int64(_rest(t, leg, wanted))
        else:
            heard = _play_on(t, leg, sequence) or heard
    heard = heard or record.conceal_run > 0
    _hand_out(t, leg, wanted)
    if record.waited > _STARVED:
        ignore(t, leg)
    return np.int64(SOUND if heard else NOTHING)


@kernel
def _rest(t: Tables, leg: Int, wanted: Int) -> bool:
    """A frame of a pause: what is left of the sound, and noise if the leg is listened to."""
    if t.legs[leg].pause != 0 and _is_heard(t, leg):
        fill_pause(t, leg, wanted)
        _hand_out(t, leg, wanted)
        return True
    t.legs[leg].ready = 0
    clear(t.scratch[0].frame, wanted)
    return False


@kernel
def _is_heard(t: Tables, leg: Int) -> bool:
    record = t.legs[leg]
    return bool(record.talking or record.heard or record.energy_level == 0)


@kernel
def _hand_out(t: Tables, leg: Int, wanted: Int) -> None:
    """The first of the ready samples into the scratch frame."""
    copy(t.lines[leg].ready, t.scratch[0].frame, wanted)
    _drop(t, leg, 0, wanted)


@kernel
def _is_straight(t: Tables, leg: Int, frame: Int) -> bool:
    """The usual case: the packet whose turn it is is there, and is as long as the tick."""
    record = t.legs[leg]
    slot = t.slots[place_of(leg, record.head)]
    return bool(is_present(t, leg, record.head) and slot.ts == record.position and slot.span == frame)


@kernel
def _play_straight(t: Tables, leg: Int, frame: Int) -> Int:
    record = t.legs[leg]
    sequence = np.int64(record.head)
    slot = t.slots[place_of(leg, sequence)]
    score = slot.score if record.silent and slot.score >= 0 else _unspoken(t, leg, sequence)
    record.head = sequence + 1
    record.position += frame
    record.waited = 0
    record.packet_span = frame
    if score < 0:
        decode_into(t, leg, payload_of(t, leg, sequence), slot.length, t.scratch[0].frame)
        return np.int64(SOUND)
    pass_over(t, leg, score)
    if not record.talking:
        return np.int64(UNSPOKEN)
    decode_judged(t, leg, payload_of(t, leg, sequence), slot.length, t.scratch[0].frame)
    return np.int64(SOUND)


@kernel
def said_before(t: Tables, leg: Int, samples: Int, low: Int, out: NDArray[np.int16]) -> bool:
    """What a packet of G.711 said that was played lately, by the low bits of its number. False: that is not known."""
    record = t.legs[leg]
    sequence = record.head - 1 - ((record.head - 1 - low) & 0xFFFF)
    slot = t.slots[place_of(leg, sequence)]
    if record.codec > PCMA or slot.span != samples // (record.rate // 8000) or not is_present(t, leg, sequence):
        return False
    expand(record.codec, payload_of(t, leg, sequence), slot.length, out)
    return True


@kernel
def _play_on(t: Tables, leg: Int, sequence: Int) -> bool:
    """Decode the next packet that there is, or fill the hole before it. Says whether anything was heard."""
    record = t.legs[leg]
    slot = t.slots[place_of(leg, sequence)]
    span, gap = slot.span, slot.ts - record.position
    if gap > 0:
        return _cross_gap(t, leg, gap, span, sequence)
    record.head = sequence + 1
    if span + gap <= 0:  # all of it is in the past
        return False
    record.position += span + gap
    record.waited = 0
    before = record.ready
    score = _unspoken(t, leg, sequence)
    if score >= 0:
        append_silence(t, leg, span)
        pass_over(t, leg, score)
        return True
    decode(t, leg, payload_of(t, leg, sequence), slot.length)
    if gap < 0:
        _drop(t, leg, before, -gap * (record.rate // 8000))
    return True


@kernel
def _unspoken(t: Tables, leg: Int, sequence: Int) -> Int:
    """The score of a packet not worth decoding: nobody hears this leg, and the packet itself says that it would not
    pass the gate. Else -1."""
    record, slot = t.legs[leg], t.slots[place_of(leg, sequence)]
    if record.codec != OPUS or record.talking or record.event_payload_type < 0:
        return np.int64(-1)
    if slot.level >= record.quiet_level:
        return np.int64(0)
    if is_known_background(t, leg, payload_of(t, leg, sequence), slot.length):
        return np.int64(min(record.score, record.energy_level // FAR_BELOW))  # the last may have been a word
    return np.int64(-1)


@kernel
def _drop(t: Tables, leg: Int, at: Int, samples: Int) -> None:
    """Take samples out of what is ready: their time was filled already."""
    record, ready = t.legs[leg], t.lines[leg].ready
    samples = min(samples, record.ready - at)
    record.ready -= samples
    for i in range(at, record.ready):
        ready[i] = ready[i + samples]


@kernel
def _cross_gap(t: Tables, leg: Int, gap: Int, span: Int, sequence: Int) -> bool:
    """Time for which no packet exists before the next one: already waited for, a jump, or made up now.

    Says whether what was lost was heard after all, by FEC.
    """
    record = t.legs[leg]
    if gap > _LONGEST_GAP:
        record.position += gap
    elif record.waited > 0:
        credit = min(gap, record.waited)
        record.position += credit
        record.waited -= credit
    elif record.codec == OPUS and gap <= span and record.talking and _is_repeated_by(t, leg, sequence):
        record.position += recover(t, leg, payload_of(t, leg, sequence), t.slots[place_of(leg, sequence)].length, gap)
        return True
    else:
        part = min(gap - span if record.codec == OPUS and gap > span else gap, _MOST_GUESSED)
        record.position += conceal(t, leg, part)
    return False


@kernel
def _is_repeated_by(t: Tables, leg: Int, sequence: Int) -> bool:
    """Has this packet FEC for the one before it?"""
    return has_fec(payload_of(t, leg, sequence), t.slots[place_of(leg, sequence)].length)


@kernel
def _change_pace(t: Tables, leg: Int, frame: Int) -> None:
    """Come nearer to the delay that should be, by `shift` or a part of it."""
    record = t.legs[leg]
    if not _is_heard(t, leg) or record.shift > record.most_delay:
        if record.shift > 0:
            _skip(t, leg)
        else:
            _insert_silence(t, leg, min(-record.shift, frame))
        record.shift = 0
        return
    record.rest -= frame
    if record.rest > 0 or t.scratch[0].searches >= _MOST_SEARCHES:
        return
    ratio = record.rate // 8000
    _read_ahead(t, leg, frame * ratio + LOOK_MS * 8 * ratio)
    at = 0
    while at * ratio < record.ready and at < frame and record.shift != 0:
        if not _change_one_period(t, leg, at * ratio):
            return
        at += _PACE


@kernel
def _skip(t: Tables, leg: Int) -> None:
    """What the sound lags behind too much is not played."""
    record = t.legs[leg]
    ratio = record.rate // 8000
    decoded = min(record.ready // ratio, record.shift)
    _drop(t, leg, 0, decoded * ratio)
    record.position += record.shift - decoded
    record.accelerated += record.shift


@kernel
def _insert_silence(t: Tables, leg: Int, span: Int) -> None:
    record, ready = t.legs[leg], t.lines[leg].ready
    samples = span * (record.rate // 8000)
    for i in range(record.ready - 1, -1, -1):
        ready[i + samples] = ready[i]
    clear(ready, samples)
    record.ready += samples
    record.stretched += span


@kernel
def _read_ahead(t: Tables, leg: Int, samples: Int) -> None:
    """Decode what follows without a gap, until so many samples are ready."""
    record = t.legs[leg]
    while record.ready < samples:
        sequence = _next_present(t, leg)
        if sequence < 0:
            return
        slot = t.slots[place_of(leg, sequence)]
        if slot.ts != record.position or slot.pause != 0:
            return
        _play_on(t, leg, sequence)


@kernel
def _change_one_period(t: Tables, leg: Int, at: Int) -> bool:
    """One period less or more of the ready samples, from sample `at` on. False: not now."""
    record = t.legs[leg]
    t.scratch[0].searches += 1
    patient = record.patience >= (_MOST_FOR_LITTLE if 0 < record.shift < record.grid else _MOST_FOR_MUCH)
    if _join(t, leg, at, _alike_enough(t, leg)):
        record.rest, record.patience = _PACE, 0
        return True
    if patient and _join(t, leg, at, 0.0):  # what has no period may be cut anywhere
        record.rest = _MOST_FOR_MUCH
        return False
    record.rest = record.patience = _patience(t, leg)
    return False


@kernel
def _alike_enough(t: Tables, leg: Int) -> Real:
    """How similar must be what is joined?"""
    record = t.legs[leg]
    if 0 < record.shift < record.grid:
        return _ALIKE_FOR_LITTLE
    return _ALIKE if abs(record.shift) < _FAR else _ALIKE_WHEN_FAR


@kernel
def _join(t: Tables, leg: Int, at: Int, alike: Real) -> bool:
    record = t.legs[leg]
    ratio = record.rate // 8000
    x, count = t.lines[leg].ready[at:], record.ready - at
    quiet = max(_QUIET, record.energy_level)
    if record.shift > 0:
        taken = shorten(x, count, record.rate, record.shift * ratio, alike, quiet)
        record.ready -= taken
        record.shift -= taken // ratio
        record.accelerated += taken // ratio
    else:
        taken = lengthen(x, count, record.rate, -record.shift * ratio, alike, quiet)
        record.ready += taken
        record.shift = min(0, record.shift + taken // ratio)
        record.stretched += taken // ratio
    return bool(taken > 0)


@kernel
def _patience(t: Tables, leg: Int) -> Int:
    """How long to wait after a search in vain: it is dear, and some sound has no period, so longer each time."""
    record = t.legs[leg]
    least, most = _PACE, _MOST_FOR_MUCH
    if 0 < record.shift < record.grid:
        least, most = _LITTLE, _MOST_FOR_LITTLE
    return np.int64(min(max(2 * record.patience, least), most))
