"""Packets to samples, whatever the codec: how long a packet is, what it says, and what is made of one that is missing.

Sound goes to the end of a leg's `ready` samples, at the leg's rate. Durations are ts units (1/8 ms).
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media.background import note_background
from mirliton.media.buffers import history_of
from mirliton.media.codecs import g722
from mirliton.media.codecs.g711 import decode_alaw, decode_ulaw
from mirliton.media.codecs.opus import opus_decode, opus_packet_get_nb_samples, opus_packet_has_lbrr
from mirliton.media.digits import listen
from mirliton.media.gate import judge_nothing, judge_packet, judge_unspoken
from mirliton.media.kernels import Int, Real, fast_kernel, kernel
from mirliton.media.limits import HISTORY_MS, MAX_PTIME
from mirliton.media.records import G722, L16, OPUS, PCMA
from mirliton.media.samples import clear, copy
from mirliton.media.tables import Tables

_FADE_MS = 60
_OPUS_STEP = 20  # ts units: what libopus makes up it makes in steps of 2.5 ms
_LONGEST = MAX_PTIME * 8


@kernel
def duration(t: Tables, leg: Int, payload: NDArray[np.uint8], size: Int) -> Int:
    """How much time a payload of `size` bytes fills; -1 for one that cannot be decoded."""
    record = t.legs[leg]
    if record.codec == OPUS:
        span = np.int64(opus_packet_get_nb_samples(payload.ctypes.data, np.int32(size), np.int32(8000)))
    elif record.codec == L16:
        span = np.int64(-1) if size % 2 else size // 2 * 8000 // record.rate
    else:
        span = np.int64(size)
    return span if 0 < span <= _LONGEST else np.int64(-1)


@kernel
def decode(t: Tables, leg: Int, payload: NDArray[np.uint8], size: Int) -> None:
    """Append what a packet says."""
    record = t.legs[leg]
    record.ready += decode_into(t, leg, payload, size, t.lines[leg].ready[record.ready :])


@kernel
def decode_into(t: Tables, leg: Int, payload: NDArray[np.uint8], size: Int, out: NDArray[np.int16]) -> Int:
    """What a packet says into `out`; returns the number of samples. What a codec refuses counts as malformed."""
    samples = _decode(t, leg, payload, size, out)
    judge_packet(t, leg, out, samples)
    if t.legs[leg].codec == OPUS:
        note_background(t, leg, payload, size)
    _remember(t, leg, out, samples)
    return samples


@kernel
def expand(codec: Int, payload: NDArray[np.uint8], size: Int, out: NDArray[np.int16]) -> None:
    """What a packet of G.711 says."""
    if codec == PCMA:
        decode_alaw(payload, out, size)
    else:
        decode_ulaw(payload, out, size)


@kernel
def decode_judged(t: Tables, leg: Int, payload: NDArray[np.uint8], size: Int, out: NDArray[np.int16]) -> None:
    """Like `decode_into`, for a packet that the gate has counted."""
    _remember(t, leg, out, _decode(t, leg, payload, size, out))


@kernel
def _decode(t: Tables, leg: Int, payload: NDArray[np.uint8], size: Int, out: NDArray[np.int16]) -> Int:
    record = t.legs[leg]
    t.counters[counting.DECODES] += 1
    samples = np.int64(size)
    if record.codec == OPUS:
        samples = np.int64(_opus(t, leg, payload.ctypes.data, size, out, MAX_PTIME * record.rate // 1000, 0))
    elif record.codec == G722:
        g722.decode(t.lines[leg].g722_decode, payload, 0, size, out)
        samples = np.int64(2 * size)
    elif record.codec == L16:
        samples = np.int64(size // 2)
        _from_network_order(payload, out, samples)
    else:
        expand(record.codec, payload, size, out)
    if record.event_payload_type < 0:
        # what was said, and only that: a pause made here would cut one key press into two
        listen(t, leg, out, samples, record.rate // 8000)
    if record.conceal_run > 0 and record.codec != OPUS:
        _join(t, leg, out, samples)
    record.conceal_run = 0
    return samples


@kernel
def append_silence(t: Tables, leg: Int, span: Int) -> None:
    """In place of what a packet says that is passed over."""
    record = t.legs[leg]
    samples = span * (record.rate // 8000)
    clear(t.lines[leg].ready[record.ready :], samples)
    record.ready += samples


@kernel
def pass_over(t: Tables, leg: Int, score: Int) -> None:
    """A packet is not worth decoding, and would be of this score."""
    record = t.legs[leg]
    record.conceal_run = 0
    record.passed_over += 1
    judge_unspoken(t, leg, score)


@kernel
def recover(t: Tables, leg: Int, payload: NDArray[np.uint8], size: Int, span: Int) -> Int:
    """Append `span`, or a little more, of a lost packet of Opus from the FEC of the one behind it. Returns the span."""
    record = t.legs[leg]
    out = t.lines[leg].ready[record.ready :]
    span = (span + _OPUS_STEP - 1) // _OPUS_STEP * _OPUS_STEP
    samples = _opus(t, leg, payload.ctypes.data, size, out, span * (record.rate // 8000), 1)
    record.recovered += 1
    record.ready += samples
    judge_packet(t, leg, out, samples)
    return np.int64(span)


@kernel
def append_noise_of_opus(t: Tables, leg: Int, samples: Int) -> None:
    """Append what libopus makes of a pause, `samples` or a little more."""
    record = t.legs[leg]
    step = record.rate // 400
    samples = (samples + step - 1) // step * step
    record.ready += _opus(t, leg, 0, 0, t.lines[leg].ready[record.ready :], samples, 0)


@kernel
def has_fec(payload: NDArray[np.uint8], size: Int) -> bool:
    """Does a packet of Opus repeat the one before it (RFC 6716 section 2.1.7)?"""
    return bool(opus_packet_has_lbrr(payload.ctypes.data, np.int32(size)) > 0)


@kernel
def conceal(t: Tables, leg: Int, span: Int) -> Int:
    """Append a guess at `span` or a little more; silence unless the leg is being heard. Returns the span."""
    record = t.legs[leg]
    ratio = record.rate // 8000
    out = t.lines[leg].ready[record.ready :]
    if record.codec == OPUS:
        span = (span + _OPUS_STEP - 1) // _OPUS_STEP * _OPUS_STEP
    if not record.talking:
        clear(out, span * ratio)
    elif record.codec == OPUS:
        _opus(t, leg, 0, 0, out, span * ratio, 0)
    else:
        _repeat(t, leg, out, span * ratio)
    if record.talking:
        _count_guess(t, leg, span)
    record.ready += span * ratio
    judge_nothing(t, leg, span)
    return np.int64(span)


@kernel
def _count_guess(t: Tables, leg: Int, span: Int) -> None:
    record = t.legs[leg]
    before = record.conceal_run // (record.rate // 8000)
    record.conceal_run += span * (record.rate // 8000)
    record.concealed += span
    if before + span > _FADE_MS * 8:
        record.concealed_long += span if before > _FADE_MS * 8 else before + span


@kernel
def _opus(t: Tables, leg: Int, payload: Int, size: Int, out: NDArray[np.int16], room: Int, fec: Int) -> Int:
    state = t.opus_decoders[leg].ctypes.data
    samples = opus_decode(state, payload, np.int32(size), out.ctypes.data, np.int32(room), np.int32(fec))
    if samples >= 0:
        return np.int64(samples)
    t.legs[leg].malformed += 1
    clear(out, room)
    return np.int64(room)


@kernel
def _remember(t: Tables, leg: Int, out: NDArray[np.int16], samples: Int) -> None:
    record = t.legs[leg]
    if record.codec != OPUS and (record.talking or record.energy_level == 0):
        _keep_history(t, leg, out, samples)


@fast_kernel
def _from_network_order(payload: NDArray[np.uint8], out: NDArray[np.int16], samples: Int) -> None:
    for i in range(samples):
        value = (np.int32(payload[2 * i]) << 8) | np.int32(payload[2 * i + 1])
        out[i] = value - 65536 if value >= 32768 else value


@kernel
def _join(t: Tables, leg: Int, out: NDArray[np.int16], samples: Int) -> None:
    """From the guess to what was said, smoothly, in 2.5 ms."""
    record = t.legs[leg]
    overlap = min(samples, record.rate // 400)
    for i in range(overlap):
        weight = np.float32(i + 1) / overlap
        guess = _guess(history_of(t, leg), record.conceal_lag, record.conceal_run + i, record.rate)
        out[i] = np.int64(weight * out[i] + (1 - weight) * guess)


@kernel
def _keep_history(t: Tables, leg: Int, heard: NDArray[np.int16], samples: Int) -> None:
    """Remember the last 30 ms that were said, for guesses."""
    line, past = history_of(t, leg), t.scratch[0].past
    kept = _kept(t.legs[leg].rate)
    if samples >= kept:
        copy(heard[samples - kept :], line, kept)
        return
    copy(line[samples:], past, kept - samples)
    copy(past, line, kept - samples)
    copy(heard, line[kept - samples :], samples)


@kernel
def _kept(rate: Int) -> Int:
    """How many samples of what was said are remembered: the newest is the last of them."""
    return np.int64(rate * HISTORY_MS // 1000)


@kernel
def _guess(history: NDArray[np.int16], lag: Int, at: Int, rate: Int) -> Real:
    """The last period again and again, fading to silence in 60 ms."""
    fade = 1.0 - at * 1000.0 / (_FADE_MS * rate)
    if fade <= 0:
        return 0.0
    return np.float64(fade * history[_kept(rate) - lag + at % lag])


@kernel
def _best_lag(history: NDArray[np.int16], rate: Int) -> Int:
    """The period (2.5 to 15 ms) after which the last 10 ms repeat best."""
    span, best, best_score = rate // 100, rate // 200, -1.0
    step, kept = rate // 8000, _kept(rate)
    for lag in range(rate // 400, rate * 15 // 1000, (step + 1) // 2):
        product, energy = 0.0, 1.0
        for i in range(0, span, 2 * step):
            earlier = np.float64(history[kept - span - lag + i])
            product += earlier * history[kept - span + i]
            energy += earlier * earlier
        score = product / np.sqrt(energy)
        if score > best_score:
            best, best_score = lag, score
    return np.int64(best)


@kernel
def _repeat(t: Tables, leg: Int, out: NDArray[np.int16], samples: Int) -> None:
    record = t.legs[leg]
    if record.conceal_run == 0:
        record.conceal_lag = _best_lag(history_of(t, leg), record.rate)
    for i in range(samples):
        out[i] = np.int64(_guess(history_of(t, leg), record.conceal_lag, record.conceal_run + i, record.rate))
