"""One tick of one mix, and the step that does all that is due: the engine's hot path, compiled as one.

What a tick costs: every unmuted leg is looked at (its score); only legs whose gate is open are added up, resampled
and get a mix of their own; everybody else hears the same frame, encoded once for each codec (design 4.3).

Signals of a mix are kept apart as `voices` and `sounds`, because members who wait for a moderator hear sounds only.
Both begin with the last 2 ms of the tick before, the limiter's look-ahead.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media.encoding import go_on_alone
from mirliton.media.gate import amplify, judge
from mirliton.media.kernels import INTERPRETED, Int, entry, kernel
from mirliton.media.limiter import limit
from mirliton.media.limits import FIR_HISTORY, WIDE_HISTORY
from mirliton.media.places import tables_at
from mirliton.media.playing import play_loop, play_queue
from mirliton.media.playout import ignore, read
from mirliton.media.resampling import convert, triple_rate
from mirliton.media.rtp import receive
from mirliton.media.samples import add, clear, copy, difference, scale, to_16_bits, total
from mirliton.media.sending import flush, send_own, send_shared, stay_silent
from mirliton.media.tables import CONNECTED, FREE, OPUS, WANTS_8K, WANTS_16K, WANTS_48K, Tables
from mirliton.media.tapping import leave_chunk

CLIP_RATE = 16000
"""Clips have no more."""
_ALIKE_MS = 400
"""So long a listener's own encoder of Opus hears the same as the shared one before it changes: the states are alike."""
_MOST_CATCH_UP = 200_000_000  # ns; what is later than that is skipped


@kernel
def _hear(t: Tables, m: Int, leg: Int, now: Int) -> None:
    """Read one frame from a leg; if it is heard in the mix, leave it in `t.lines[leg].own` at the mix's rate."""
    mix, record = t.mixes[m], t.legs[leg]
    record.contributes = 0
    wants_tones = record.event_payload_type < 0
    silent = mix.lobby or record.muted or record.held or record.isolated or not record.may_receive
    record.read_every = mix.interval * 1_000_000
    record.next_read = now + record.read_every
    if silent and not wants_tones and (record.tap < 0 or record.tap_heard_only):
        ignore(t, leg)
        return
    samples = record.rate * mix.interval // 1000
    if not read(t, leg, mix.interval * 8, now):
        if not silent:
            judge(t, leg, 0)
        return
    if record.tap >= 0 and not (silent and record.tap_heard_only):
        leave_chunk(t, record.tap, mix.due, record.rate, samples)
    score = amplify(t, leg, samples)
    if silent:
        return
    if record.conceal_run == 0 or score <= record.energy_level:
        judge(t, leg, score)
    if record.talking or record.energy_level == 0:
        _contribute(t, m, leg, samples)


@kernel
def _contribute(t: Tables, m: Int, leg: Int, samples: Int) -> None:
    record, own = t.legs[leg], t.lines[leg].own
    copy(t.scratch[0].frame, own, samples)
    if record.rate != t.mixes[m].rate:
        line = t.lines[leg]
        window, rate = t.scratch[0].window, t.mixes[m].rate
        convert(window, line.in_history, line.in_wide_history, own, samples, record.rate, rate)
    record.contributes = 1


@kernel
def _add_up(t: Tables, m: Int, n: Int, look: Int, now: Int) -> Int:
    """Sum what is said into the scratch `voices[look:]`; returns how many legs were heard."""
    voices = t.scratch[0].voices[look:]
    clear(voices, n)
    heard, leg = 0, t.mixes[m].first
    while leg >= 0:
        _hear(t, m, leg, now)
        if t.legs[leg].contributes:
            heard += 1
            add(t.lines[leg].own, voices, n)
        leg = t.legs[leg].next
    return heard


@kernel
def _room_sounds(t: Tables, m: Int, n: Int, look: Int, heard: Int) -> None:
    """The queue, the loop and, when there is nothing else at all, comfort noise into the scratch `sounds[look:]`."""
    mix = t.mixes[m]
    out = t.scratch[0].sounds[look:]
    clear(out, n)
    playing = mix.queue_head >= 0 or mix.loop >= 0
    quiet = heard == 0 and not playing
    rate = min(mix.rate, CLIP_RATE)
    if mix.queue_head >= 0:
        mix.queue_head = play_queue(t, mix.queue_head, out, n * rate // mix.rate, rate, mix.due)
        if mix.queue_head < 0:
            mix.queue_tail = -1
    if mix.loop >= 0:
        play_loop(t, mix.loop, out, n * rate // mix.rate, rate, mix.due)
    if mix.rate > rate and (playing or mix.sounded):
        triple_rate(t.scratch[0].window, mix.sound_history, out, n // 3)
    mix.sounded = playing
    if quiet and mix.comfort_noise > 0:
        # semantics 3.4: the value divides full scale, so larger is quieter
        peak = 32768.0 / (mix.comfort_noise * (mix.rate // 8000))
        state = np.int64(t.scratch[0].random)
        for i in range(n):
            state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
            out[i] = np.float32((state / 2147483648.0 - 1.0) * peak)
        t.scratch[0].random = state


@kernel
def _is_private(t: Tables, m: Int, leg: Int) -> bool:
    """Does this leg need a mix of its own in this tick?"""
    r = t.legs[leg]
    if t.mixes[m].lobby or r.group < 0:
        return True
    if r.contributes or r.trails or r.queue_head >= 0 or r.deaf or r.isolated or r.output_gain != 1.0:
        return True
    if r.voices_only or r.unheard >= 0:
        return True
    return bool(r.private) and _stays_apart(t, m, leg)


@kernel
def _stays_apart(t: Tables, m: Int, leg: Int) -> bool:
    """A leg that hears what all hear: not yet from the same encoder, as long as one could tell the change."""
    record = t.legs[leg]
    if abs(record.limiter_gain - t.mixes[m].limiter_gain) > 0.001:
        record.like_all = 0
        return True
    record.like_all += 1
    return bool(record.codec == OPUS and record.like_all * t.mixes[m].interval < _ALIKE_MS)


@kernel
def _leave_the_crowd(t: Tables, m: Int, leg: Int) -> None:
    """A leg that heard the shared mix until now gets its own: its filters and encoder go on where those stood."""
    record, mix, line = t.legs[leg], t.mixes[m], t.lines[leg]
    record.private = 1
    record.limiter_gain = mix.limiter_gain
    record.like_all = 0
    if record.group >= 0:
        copy(mix.out_history, line.out_history, FIR_HISTORY)
        copy(mix.out_wide_history, line.out_wide_history, WIDE_HISTORY)
        go_on_alone(t, record.group, leg)


@kernel
def _own_signal(t: Tables, leg: Int, n: Int, look: Int) -> None:
    """What this leg hears, before the limiter, into the scratch `signal`: voices and sounds without itself."""
    record, work = t.legs[leg], t.scratch[0]
    signal = work.signal
    if record.deaf:
        clear(signal, look + n)
    elif record.isolated:
        copy(work.sounds, signal, look + n)
    else:
        if record.voices_only:
            copy(work.voices, signal, look + n)
        else:
            copy(work.everything, signal, look + n)
        _without(t, leg, n, look)
        relation = record.unheard
        while relation >= 0:
            _without(t, t.relations[relation].speaker, n, look)
            relation = t.relations[relation].next


@kernel
def _without(t: Tables, speaker: Int, n: Int, look: Int) -> None:
    """Take what one leg said out of the scratch `signal`."""
    record, signal, line = t.legs[speaker], t.scratch[0].signal, t.lines[speaker]
    if record.trails:
        difference(signal, line.own_tail, signal, look)
    if record.contributes:
        difference(signal[look:], line.own, signal[look:], n)


@kernel
def _send_own(t: Tables, m: Int, leg: Int, n: Int, look: Int) -> None:
    mix, record = t.mixes[m], t.legs[leg]
    if not record.private:
        _leave_the_crowd(t, m, leg)
    _own_signal(t, leg, n, look)
    record.limiter_gain = limit(t.scratch[0].signal, n, look, record.limiter_gain, t.scratch[0].limited)
    if record.output_gain != 1.0:
        scale(t.scratch[0].limited, n, record.output_gain)
    line = t.lines[leg]
    limited = t.scratch[0].limited
    samples = convert(t.scratch[0].window, line.out_history, line.out_wide_history, limited, n, mix.rate, record.rate)
    if record.queue_head >= 0:
        _add_queue(t, m, leg, samples)
    to_16_bits(limited, samples, t.scratch[0].frame)
    send_own(t, leg, samples)


@kernel
def _add_queue(t: Tables, m: Int, leg: Int, samples: Int) -> None:
    """A leg's own sounds; clips have no more than 16 kHz."""
    record, work, due = t.legs[leg], t.scratch[0], t.mixes[m].due
    if record.rate <= CLIP_RATE:
        record.queue_head = play_queue(t, record.queue_head, work.limited, samples, record.rate, due)
    else:
        clear(work.queued, samples)
        record.queue_head = play_queue(t, record.queue_head, work.queued, samples // 3, CLIP_RATE, due)
        triple_rate(work.window, t.lines[leg].sound_history, work.queued, samples // 3)
        add(work.queued, work.limited, samples)
    if record.queue_head < 0:
        record.queue_tail = -1
        clear(t.lines[leg].sound_history, WIDE_HISTORY)


@kernel
def _send_shared(t: Tables, m: Int, n: Int, look: Int) -> None:
    """The mix for everybody who hears all of it, once for each of the mix's encoders."""
    mix, work = t.mixes[m], t.scratch[0]
    mix.limiter_gain = limit(work.everything, n, look, mix.limiter_gain, work.limited)
    if mix.tap >= 0:
        to_16_bits(work.limited, n, work.frame)
        leave_chunk(t, mix.tap, mix.due, mix.rate, n)
    _send_at(t, m, mix.rate, n)
    if mix.wants & WANTS_48K and mix.rate < 48000:
        copy(work.limited, work.queued, n)
        _send_higher(t, m, n)
        copy(work.queued, work.limited, n)
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
    return convert(work.window, mix.out_history, mix.out_wide_history, work.limited, n, before, after)


@kernel
def _send_at(t: Tables, m: Int, rate: Int, n: Int) -> None:
    """The scratch `limited` to all listeners at this rate."""
    converted, group = False, t.mixes[m].groups
    while group >= 0:
        if t.encoders[group].rate == rate:
            if not converted:
                to_16_bits(t.scratch[0].limited, n, t.scratch[0].frame)
                converted = True
            send_shared(t, group, t.mixes[m].first, n)
        group = t.encoders[group].next


@kernel
def _tick(t: Tables, m: Int, now: Int) -> None:
    """Everything one mix does in one interval."""
    mix = t.mixes[m]
    n, look = mix.rate * mix.interval // 1000, mix.rate // 500
    work = t.scratch[0]
    copy(mix.tail, work.voices, look)
    copy(mix.sound_tail, work.sounds, look)
    heard = _add_up(t, m, n, look, now)
    mix.voices = heard
    _room_sounds(t, m, n, look, heard)
    total(work.voices, work.sounds, work.everything, look + n)
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
                _send_own(t, m, leg, n, look)
            else:
                record.private = 0
                t.encoders[record.group].wanted = 1
        leg = record.next
    if not mix.lobby:
        _send_shared(t, m, n, look)
    _keep_tails(t, m, n, look)
    mix.ticks += 1


@kernel
def _keep_tails(t: Tables, m: Int, n: Int, look: Int) -> None:
    """The last 2 ms of everything stay for the next tick."""
    copy(t.scratch[0].voices[n:], t.mixes[m].tail, look)
    copy(t.scratch[0].sounds[n:], t.mixes[m].sound_tail, look)
    leg = t.mixes[m].first
    while leg >= 0:
        record = t.legs[leg]
        if record.contributes:
            copy(t.lines[leg].own[n - look :], t.lines[leg].own_tail, look)
        record.trails = record.contributes
        leg = record.next


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
            _tick(t, m, now)
        mix.due += period


@kernel
def step_tables(t: Tables, now: Int, real_offset: Int) -> Int:
    """Read all sockets, tick every mix that is due, send.

    Returns when the next mix is due (ns), or -1 if none has legs.
    """
    for k in range(t.sockets.shape[0]):
        receive(t, k, now, real_offset)
    following = np.int64(-1)
    for m in range(t.mixes.shape[0]):
        mix = t.mixes[m]
        if mix.state == FREE or (mix.first < 0 and mix.queue_head < 0):
            continue
        _do_due(t, m, now)
        if following < 0 or mix.due < following:
            following = mix.due
    flush(t)
    return following


@entry
def _step_at(where: NDArray[np.int64], now: Int, real_offset: Int) -> Int:
    return step_tables(tables_at(where.ctypes.data), now, real_offset)


def step(t: Tables, where: NDArray[np.int64], now: int, real_offset: int) -> int:
    """`step_tables`, compiled. `where` is `tables.places_of(t)`.

    The one thing that the interpreter calls, a few hundred times a second, whatever the number of legs.
    """
    return int(step_tables(t, now, real_offset) if INTERPRETED else _step_at(where, now, real_offset))
