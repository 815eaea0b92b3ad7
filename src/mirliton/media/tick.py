"""One tick of one mix, and the step that does all that is due: the engine's hot path, compiled as one.

What a tick costs: every unmuted leg is looked at (its score); only legs whose gate is open are added up, resampled
and get a mix of their own; everybody else hears the same frame, encoded once for each codec (design 4.3).

Signals of a mix are kept apart as `voices` and `sounds`, because members who wait for a moderator hear sounds only.
Nothing is limited before it has the rate, the volume and the prompts with which it is sent.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media.encoding import go_on_alone
from mirliton.media.foresight import begin_turns, expect_mix, expect_turn
from mirliton.media.gate import amplify, keep_silent
from mirliton.media.kernels import Int, kernel
from mirliton.media.limiter import LIMITER_BLOCKS, limit_on
from mirliton.media.limits import FIR_HISTORY, LOOKAHEAD, WIDE_HISTORY
from mirliton.media.lookback import miss_frame, pass_gate, skip_frame
from mirliton.media.opus_states import give_back
from mirliton.media.playing import play_loop, play_queue
from mirliton.media.playout import NOTHING, UNSPOKEN, ignore, read
from mirliton.media.records import CONNECTED, FREE, OPUS, RATES, WANTS_8K, WANTS_16K, WANTS_48K
from mirliton.media.reporting import report_due, wheel_turns
from mirliton.media.resampling import convert, triple_rate
from mirliton.media.rtp import receive
from mirliton.media.samples import add, clear, copy, difference, scale, to_16_bits, total
from mirliton.media.sending import flush, send_own, send_shared, stay_silent
from mirliton.media.tables import Tables
from mirliton.media.tapping import leave_chunk

CLIP_RATE = 16000
"""Clips have no more."""
_ALIKE_MS = 400
"""So long a listener's own encoder of Opus hears the same as the shared one before it changes: the states are alike."""
_ALIKE_TICKS = 2
_MOST_CATCH_UP = 200_000_000  # ns; what is later than that is skipped


@kernel
def _hear(t: Tables, m: Int, leg: Int, row: Int) -> None:
    """Read one frame from a leg; if it is heard in the mix, leave it in `t.spoken[row]` at the mix's rate."""
    mix, record = t.mixes[m], t.legs[leg]
    record.contributes = 0
    silent = bool(mix.lobby or record.muted or record.held or record.isolated or not record.may_receive)
    record.judged = np.int64(not silent)
    keep_silent(t, leg)
    record.read_every = mix.interval * 1_000_000
    record.next_read = mix.due + record.read_every
    wants_tones = record.event_payload_type < 0
    if silent and not wants_tones and not record.heard and (record.tap < 0 or record.tap_heard_only):
        ignore(t, leg)
        record.said_frame = 0
        return
    samples = record.rate * mix.interval // 1000
    outcome = read(t, leg, mix.interval * 8, mix.due)
    if outcome == NOTHING:
        miss_frame(t, leg, samples, mix.interval)
        return
    if outcome == UNSPOKEN:
        if record.silent:
            skip_frame(t, leg, samples, mix.interval)
            return
        clear(t.scratch[0].frame, samples)
    if record.tap >= 0 and not (silent and record.tap_heard_only):
        leave_chunk(t, record.tap, mix.due, record.rate, samples)
    amplify(t, leg, samples)
    if pass_gate(t, leg, samples, mix.interval):
        _contribute(t, m, leg, row, samples)


@kernel
def _contribute(t: Tables, m: Int, leg: Int, row: Int, samples: Int) -> None:
    record, own = t.legs[leg], t.spoken[row]
    copy(t.scratch[0].frame, own, samples)
    if record.rate != t.mixes[m].rate:
        line = t.lines[leg]
        window, rate = t.scratch[0].window, t.mixes[m].rate
        convert(window, line.in_history, line.in_wide_history, own, samples, record.rate, rate)
    record.contributes = row + 1


@kernel
def _add_up(t: Tables, m: Int, n: Int) -> Int:
    """Sum what is said into the scratch `voices`; returns how many legs were heard."""
    voices = t.scratch[0].voices
    clear(voices, n)
    heard, leg = 0, t.mixes[m].first
    while leg >= 0:
        expect_turn(t)
        _hear(t, m, leg, heard)
        if t.legs[leg].contributes:
            add(t.spoken[heard], voices, n)
            heard += 1
        leg = t.next_leg[leg]
    return heard


@kernel
def _room_sounds(t: Tables, m: Int, n: Int, heard: Int) -> None:
    """The queue, the loop and, when there is nothing else at all, comfort noise into the scratch `sounds`."""
    mix = t.mixes[m]
    out = t.scratch[0].sounds
    clear(out, n)
    playing = bool(mix.queue_head >= 0 or mix.loop >= 0)
    rate = min(mix.rate, CLIP_RATE)
    if mix.queue_head >= 0:
        mix.queue_head = play_queue(t, mix.queue_head, out, n * rate // mix.rate, rate, mix.due)
        if mix.queue_head < 0:
            mix.queue_tail = -1
    if mix.loop >= 0:
        play_loop(t, mix.loop, out, n * rate // mix.rate, rate, mix.due)
    mix.sounding = np.int64(playing or mix.sounded > 0)
    if mix.rate > rate and mix.sounding:
        triple_rate(t.scratch[0].window, mix.sound_history, out, n // 3)
    mix.sounded = np.int64(playing)
    if heard == 0 and not playing and mix.comfort_noise > 0:
        _add_noise(t, m, n)


@kernel
def _add_noise(t: Tables, m: Int, n: Int) -> None:
    """Comfort noise into the scratch `sounds`. Semantics 3.4: the value divides full scale, so larger is quieter."""
    out = t.scratch[0].sounds
    peak = 32768.0 / (t.mixes[m].comfort_noise * (t.mixes[m].rate // 8000))
    state = np.int64(t.scratch[0].random)
    for i in range(n):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] += np.float32((state / 2147483648.0 - 1.0) * peak)
    t.scratch[0].random = state


@kernel
def _is_private(t: Tables, m: Int, leg: Int) -> bool:
    """Does this leg need a mix of its own in this tick?"""
    record = t.legs[leg]
    if t.mixes[m].lobby or record.group < 0:
        return True
    if _hears_otherwise(t, m, leg):
        record.like_all = 0
        return True
    return bool(record.private) and _stays_apart(t, m, leg)


@kernel
def _hears_otherwise(t: Tables, m: Int, leg: Int) -> bool:
    """Does this leg hear something else in this tick than all of the mix?"""
    mix, record = t.mixes[m], t.legs[leg]
    if record.contributes or record.queue_head >= 0 or record.output_gain != 1.0:
        return True
    if record.isolated and mix.voices > 0:
        return True
    if mix.sounding and (record.deaf or record.voices_only):
        return True
    if record.deaf and mix.voices > 0:
        return True
    relation = np.int64(record.unheard)
    while relation >= 0:
        if t.legs[t.relations[relation].speaker].contributes:
            return True
        relation = np.int64(t.relations[relation].next)
    return False


@kernel
def _stays_apart(t: Tables, m: Int, leg: Int) -> bool:
    """A leg that hears what all hear: not yet from the same encoder, as long as one could tell the change.

    After one tick filters and look-ahead hold the same as those of all.
    """
    record, mix = t.legs[leg], t.mixes[m]
    record.like_all += 1
    if record.like_all < _ALIKE_TICKS:
        return True
    if abs(record.limiter_gain - mix.limiter_gains[_rate_index(record.rate)]) > 0.001:
        record.like_all = 0
        return True
    return bool(record.codec == OPUS and record.like_all * mix.interval < _ALIKE_MS)


@kernel
def _rate_index(rate: Int) -> Int:
    """Which of a mix's limiters sends at this rate."""
    return np.int64(min(rate // 16000, RATES - 1))


@kernel
def _leave_the_crowd(t: Tables, m: Int, leg: Int) -> None:
    """A leg that heard the shared mix until now gets its own: its filters and encoder go on where those stood."""
    record, mix, line = t.legs[leg], t.mixes[m], t.lines[leg]
    record.private = 1
    record.like_all = 0
    if record.group >= 0:
        index = _rate_index(record.rate)
        record.limiter_gain = mix.limiter_gains[index]
        copy(mix.out_tails[index * LOOKAHEAD :], t.near[leg].out_tail, LOOKAHEAD)
        copy(mix.out_history, line.out_history, FIR_HISTORY)
        copy(mix.out_wide_history, line.out_wide_history, WIDE_HISTORY)
        go_on_alone(t, record.group, leg)


@kernel
def _join_the_crowd(t: Tables, leg: Int) -> None:
    """What a leg hears is what all hear."""
    if t.legs[leg].private:
        t.legs[leg].private = 0
        give_back(t, leg)


@kernel
def _own_signal(t: Tables, m: Int, leg: Int, n: Int, signal: NDArray[np.float32]) -> None:
    """What this leg hears, before the limiter: voices and sounds without itself."""
    mix, record, work = t.mixes[m], t.legs[leg], t.scratch[0]
    if record.deaf:
        if mix.voices == 0 and not mix.sounding:
            copy(work.sounds, signal, n)  # comfort noise is for all (semantics 3.3)
        else:
            clear(signal, n)
    elif record.isolated:
        copy(work.sounds, signal, n)
    else:
        if record.voices_only and mix.sounding:
            copy(work.voices, signal, n)
        else:
            copy(work.everything, signal, n)
        _without(t, leg, n, signal)
        relation = record.unheard
        while relation >= 0:
            _without(t, t.relations[relation].speaker, n, signal)
            relation = t.relations[relation].next


@kernel
def _without(t: Tables, speaker: Int, n: Int, signal: NDArray[np.float32]) -> None:
    """Take what one leg said out of a signal."""
    row = t.legs[speaker].contributes - 1
    if row >= 0:
        difference(signal, t.spoken[row], signal, n)


@kernel
def _send_own(t: Tables, m: Int, leg: Int, n: Int) -> None:
    """A leg's own mix: at its rate and volume, with its own sounds, and limited last, so that nothing can clip."""
    mix, record, line, work = t.mixes[m], t.legs[leg], t.lines[leg], t.scratch[0]
    if not record.private:
        _leave_the_crowd(t, m, leg)
    look = record.rate // LIMITER_BLOCKS
    signal = work.signal[look:]
    _own_signal(t, m, leg, n, signal)
    if record.output_gain != 1.0:
        scale(signal, n, record.output_gain)
    samples = convert(work.window, line.out_history, line.out_wide_history, signal, n, mix.rate, record.rate)
    if record.queue_head >= 0:
        _add_queue(t, m, leg, signal, samples)
    tail = t.near[leg].out_tail
    record.limiter_gain = limit_on(work.signal, samples, look, record.limiter_gain, tail, work.limited)
    to_16_bits(work.limited, samples, work.frame)
    send_own(t, leg, samples)


@kernel
def _add_queue(t: Tables, m: Int, leg: Int, signal: NDArray[np.float32], samples: Int) -> None:
    """A leg's own sounds; clips have no more than 16 kHz."""
    record, work, due = t.legs[leg], t.scratch[0], t.mixes[m].due
    if record.rate <= CLIP_RATE:
        record.queue_head = play_queue(t, record.queue_head, signal, samples, record.rate, due)
    else:
        clear(work.queued, samples)
        record.queue_head = play_queue(t, record.queue_head, work.queued, samples // 3, CLIP_RATE, due)
        triple_rate(work.window, t.lines[leg].sound_history, work.queued, samples // 3)
        add(work.queued, signal, samples)
    if record.queue_head < 0:
        record.queue_tail = -1
        clear(t.lines[leg].sound_history, WIDE_HISTORY)


@kernel
def _send_shared(t: Tables, m: Int, n: Int) -> None:
    """The mix for everybody who hears all of it, once for each of the mix's encoders."""
    mix, work = t.mixes[m], t.scratch[0]
    _send_at(t, m, mix.rate, n)
    if mix.wants & WANTS_48K and mix.rate < 48000:
        copy(work.everything, work.queued, n)
        _send_higher(t, m, n)
        copy(work.queued, work.everything, n)
    elif mix.wants & WANTS_16K and mix.rate == 8000:
        _send_at(t, m, 16000, _next_rate(t, m, 8000, 16000, n))
    if mix.rate > 8000 and mix.wants & (WANTS_8K | WANTS_16K):
        _send_lower(t, m, n)


@kernel
def _send_higher(t: Tables, m: Int, n: Int) -> None:
    """Linear sound at a rate that the room does not reach."""
    if t.mixes[m].rate == 8000:
        n = _next_rate(t, m, 8000, 16000, n)
        _send_at(t, m, 16000, n)
    _send_at(t, m, 48000, _next_rate(t, m, 16000, 48000, n))


@kernel
def _send_lower(t: Tables, m: Int, n: Int) -> None:
    if t.mixes[m].rate == 48000:
        n = _next_rate(t, m, 48000, 16000, n)
        _send_at(t, m, 16000, n)
    if t.mixes[m].wants & WANTS_8K:
        _send_at(t, m, 8000, _next_rate(t, m, 16000, 8000, n))


@kernel
def _next_rate(t: Tables, m: Int, before: Int, after: Int, n: Int) -> Int:
    mix, work = t.mixes[m], t.scratch[0]
    return convert(work.window, mix.out_history, mix.out_wide_history, work.everything, n, before, after)


@kernel
def _send_at(t: Tables, m: Int, rate: Int, n: Int) -> None:
    """The scratch `everything`, limited, to all listeners at this rate, and at the mix's own to its tap."""
    mix, work = t.mixes[m], t.scratch[0]
    index, look = _rate_index(rate), rate // LIMITER_BLOCKS
    copy(work.everything, work.signal[look:], n)
    tail = mix.out_tails[index * LOOKAHEAD :]
    mix.limiter_gains[index] = limit_on(work.signal, n, look, mix.limiter_gains[index], tail, work.limited)
    to_16_bits(work.limited, n, work.frame)
    if mix.tap >= 0 and rate == mix.rate:
        leave_chunk(t, mix.tap, mix.due, rate, n)
    group = mix.groups
    while group >= 0:
        if t.encoders[group].rate == rate:
            send_shared(t, group, mix.first, n)
        group = t.encoders[group].next


@kernel
def _tick(t: Tables, m: Int) -> None:
    """Everything one mix does in one interval."""
    mix, work = t.mixes[m], t.scratch[0]
    n = mix.rate * mix.interval // 1000
    mix.voices = _add_up(t, m, n)
    _room_sounds(t, m, n, mix.voices)
    total(work.voices, work.sounds, work.everything, n)
    group = mix.groups
    while group >= 0:
        t.encoders[group].wanted = 0
        group = t.encoders[group].next
    leg = mix.first
    while leg >= 0:
        record = t.legs[leg]
        if record.state == CONNECTED and not record.may_send:
            stay_silent(t, leg, mix.interval * 8)
        elif record.state == CONNECTED:
            if _is_private(t, m, leg):
                _send_own(t, m, leg, n)
            else:
                _join_the_crowd(t, leg)
                t.encoders[record.group].wanted = 1
        leg = t.next_leg[leg]
    if not mix.lobby:
        _send_shared(t, m, n)
    mix.ticks += 1


@kernel
def _do_due(t: Tables, m: Int, now: Int) -> None:
    """Tick a mix as often as its clock says; after a long stop the clock is set forward instead."""
    mix = t.mixes[m]
    period = mix.interval * 1_000_000
    if now - mix.due > _MOST_CATCH_UP:
        missed = (now - mix.due) // period
        t.counters[counting.SKIPPED_TICKS] += missed
        mix.due += missed * period
    while mix.due <= now:
        if mix.first >= 0 or mix.queue_head >= 0:
            _tick(t, m)
        mix.due += period


@kernel
def _what_is_due(t: Tables, now: Int) -> tuple[Int, Int]:
    """How many mixes are due, which are put into `t.due_mixes`; and when the first of the others will be, or -1."""
    count, following = np.int64(0), np.int64(-1)
    for m in range(t.mixes.shape[0]):
        mix = t.mixes[m]
        if mix.state == FREE or (mix.first < 0 and mix.queue_head < 0):
            continue
        if mix.due <= now:
            t.due_mixes[count] = m
            count += 1
        elif following < 0 or mix.due < following:
            following = np.int64(mix.due)
    return count, following


@kernel
def step_tables(t: Tables, now: Int, real_offset: Int) -> Int:
    """Read all sockets, tick every mix that is due, send.

    Returns when the next mix is due (ns), or -1 if none has legs.
    """
    turns = wheel_turns(t, now)
    for k in range(t.sockets.shape[0]):
        if turns or t.sockets[k].even < 0:  # reports have time: the system says when they came
            receive(t, k, now, real_offset)
    count, following = _what_is_due(t, now)
    begin_turns(t, count)
    t.scratch[0].searches = 0
    for k in range(count):
        if k + 1 < count:
            expect_mix(t, t.due_mixes[k + 1])
        _do_due(t, t.due_mixes[k], now)
        due = np.int64(t.mixes[t.due_mixes[k]].due)
        following = due if following < 0 else min(following, due)
    if turns:
        report_due(t, now, real_offset)
    flush(t)
    return following
