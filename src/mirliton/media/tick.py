"""One tick of one mix, and the step that does all that is due: the engine's hot path, compiled as one.

What a tick costs: every unmuted leg is looked at (its score); only legs whose gate is open are added up, resampled
and get a mix of their own; everybody else hears the same frame, encoded once for each codec (design 4.3).

Signals of a mix are kept apart as `voices` and `sounds`, because members who wait for a moderator hear sounds only.
Both begin with the last 2 ms of the tick before, the limiter's look-ahead.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media.gate import amplify, judge
from mirliton.media.kernels import INTERPRETED, Int, entry, kernel
from mirliton.media.limiter import limit
from mirliton.media.limits import FIR_HISTORY, G722_STATE
from mirliton.media.places import tables_at
from mirliton.media.playing import play_loop, play_queue
from mirliton.media.playout import ignore, keep_history, read
from mirliton.media.resampling import double_rate, halve_rate
from mirliton.media.rtp import receive
from mirliton.media.samples import add, clear, copy, difference, scale, to_16_bits, total
from mirliton.media.sending import encode, flush, send, stay_silent
from mirliton.media.tables import CONNECTED, FREE, G722, Tables
from mirliton.media.tapping import leave_chunk

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
    if silent and not wants_tones and record.tap < 0:
        ignore(t, leg)
        return
    samples = record.rate * mix.interval // 1000
    if not read(t, leg, mix.interval * 8, now):
        if not silent:
            judge(t, leg, 0)
        return
    if record.tap >= 0:
        leave_chunk(t, record.tap, mix.due, record.rate, samples)
    score = amplify(t, leg, samples)
    if silent:
        return
    if record.conceal_run == 0 or score <= record.energy_level:
        judge(t, leg, score)
    if record.talking or record.energy_level == 0:
        if record.conceal_run == 0:
            keep_history(t, leg, samples)
        _contribute(t, m, leg, samples)


@kernel
def _contribute(t: Tables, m: Int, leg: Int, samples: Int) -> None:
    record, own = t.legs[leg], t.lines[leg].own
    copy(t.scratch[0].frame, own, samples)
    if record.rate < t.mixes[m].rate:
        double_rate(t.scratch[0].window, t.lines[leg].in_history, own, samples)
    elif record.rate > t.mixes[m].rate:
        halve_rate(t.scratch[0].window, t.lines[leg].in_history, own, samples)
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
    quiet = heard == 0 and mix.queue_head < 0 and mix.loop < 0
    if mix.queue_head >= 0:
        mix.queue_head = play_queue(t, mix.queue_head, out, n, mix.rate, mix.due)
        if mix.queue_head < 0:
            mix.queue_tail = -1
    if mix.loop >= 0:
        play_loop(t, mix.loop, out, n, mix.rate, mix.due)
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
    if t.mixes[m].lobby:
        return True
    if r.contributes or r.trails or r.queue_head >= 0 or r.deaf or r.isolated or r.output_gain != 1.0:
        return True
    if r.voices_only or r.unheard >= 0:
        return True
    return bool(r.private) and abs(r.limiter_gain - t.mixes[m].limiter_gain) > 0.001


@kernel
def _leave_the_crowd(t: Tables, m: Int, leg: Int) -> None:
    """A leg that heard the shared mix until now gets its own: its filters and encoder go on where those stood."""
    record = t.legs[leg]
    record.private = 1
    record.limiter_gain = t.mixes[m].limiter_gain
    copy(t.mixes[m].out_history, t.lines[leg].out_history, FIR_HISTORY)
    copy(t.mixes[m].g722, t.lines[leg].g722_encode, G722_STATE)


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
    samples = _to_leg_rate(t, t.lines[leg].out_history, n, mix.rate, record.rate)
    if record.queue_head >= 0:
        record.queue_head = play_queue(t, record.queue_head, t.scratch[0].limited, samples, record.rate, mix.due)
        if record.queue_head < 0:
            record.queue_tail = -1
    to_16_bits(t.scratch[0].limited, samples, t.scratch[0].frame)
    send(t, leg, encode(t, record.codec, t.lines[leg].g722_encode, samples))


@kernel
def _to_leg_rate(t: Tables, history: NDArray[np.float32], n: Int, mix_rate: Int, leg_rate: Int) -> Int:
    """the scratch `limited` from the mix's rate to a leg's; returns the number of samples."""
    if leg_rate == mix_rate:
        return n
    if leg_rate < mix_rate:
        halve_rate(t.scratch[0].window, history, t.scratch[0].limited, n)
        return n // 2
    double_rate(t.scratch[0].window, history, t.scratch[0].limited, n)
    return 2 * n


@kernel
def _send_shared(t: Tables, m: Int, n: Int, look: Int, others: NDArray[np.int64]) -> None:
    """The mix for everybody who hears all of it; `others[codec]` says which encodings are wanted."""
    mix = t.mixes[m]
    mix.limiter_gain = limit(t.scratch[0].everything, n, look, mix.limiter_gain, t.scratch[0].limited)
    for rate in (mix.rate, 24000 - mix.rate):
        if rate == 16000 and not mix.wide_legs:
            continue
        samples = n if rate == mix.rate else _to_leg_rate(t, t.mixes[m].out_history, n, mix.rate, rate)
        to_16_bits(t.scratch[0].limited, samples, t.scratch[0].frame)
        if mix.tap >= 0 and rate == mix.rate:
            leave_chunk(t, mix.tap, mix.due, rate, samples)
        for codec in range(others.shape[0]):
            if others[codec] and (rate == 16000) == (codec == G722):
                count = encode(t, codec, t.mixes[m].g722, samples)
                _send_to_all(t, m, codec, count)


@kernel
def _send_to_all(t: Tables, m: Int, codec: Int, count: Int) -> None:
    leg = t.mixes[m].first
    while leg >= 0:
        record = t.legs[leg]
        if not record.private and record.codec == codec and record.may_send and record.state == CONNECTED:
            send(t, leg, count)
        leg = record.next


@kernel
def _tick(t: Tables, m: Int, now: Int, others: NDArray[np.int64]) -> None:
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
    for codec in range(others.shape[0]):
        others[codec] = 0
    others[G722] = mix.wide_legs
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
                others[record.codec] = 1
        leg = record.next
    if not mix.lobby:
        _send_shared(t, m, n, look, others)
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
def _do_due(t: Tables, m: Int, now: Int, others: NDArray[np.int64]) -> None:
    """Tick a mix as often as its clock says; after a long stop the clock is set forward instead."""
    mix = t.mixes[m]
    period = mix.interval * 1_000_000
    if now - mix.due > _MOST_CATCH_UP:
        missed = (now - mix.due) // period
        t.counters[counting.SKIPPED_TICKS] += missed
        mix.due += missed * period
    while mix.due <= now:
        if mix.first >= 0 or mix.queue_head >= 0:
            _tick(t, m, now, others)
        mix.due += period


@kernel
def step_tables(t: Tables, now: Int, real_offset: Int) -> Int:
    """Read all sockets, tick every mix that is due, send.

    Returns when the next mix is due (ns), or -1 if none has legs.
    """
    for k in range(t.sockets.shape[0]):
        receive(t, k, now, real_offset)
    others = np.zeros(3, np.int64)
    following = np.int64(-1)
    for m in range(t.mixes.shape[0]):
        mix = t.mixes[m]
        if mix.state == FREE or (mix.first < 0 and mix.queue_head < 0):
            continue
        _do_due(t, m, now, others)
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
