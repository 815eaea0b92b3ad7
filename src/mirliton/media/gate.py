"""Who is audible: the energy gate of semantics 3.2. It counts a leg's own packets, whatever the mix's interval.

Packets count when they are decoded, so those that the jitter buffer holds for the next tick count a little early and
never late. Of a leg that nobody hears the score is calculated where they arrive, and counted when it is their turn.
Time for which no packet came counts as packets that do not pass; so does comfort noise.
"""

import math

import numpy as np
from numpy.typing import NDArray

from mirliton.media.codecs.g711 import size_of_alaw, size_of_ulaw
from mirliton.media.kernels import Int, Real, fast_kernel, kernel
from mirliton.media.records import PCMA, PCMU, TALKING
from mirliton.media.samples import mean_size
from mirliton.media.sources import push_event
from mirliton.media.tables import Tables

_LOUD = 400  # this much above the level opens at once
_OPEN_AFTER = 5
_CLOSE_AFTER = 40
_MOST_SMOOTHED = 25000.0
_LEVEL_MARGIN = 3  # dB
_USUAL_PACKET = 160  # ts units
_FLOOR_FALLS, _FLOOR_RISES = 0.5, 0.03  # a packet; 20 ms packets: falls in 40 ms, rises in 0.7 s


def quiet_level(energy_level: int, gain: float) -> int:
    """The audio level (RFC 6464, dB below overload) from which on a packet surely does not pass the gate.

    The mean size of samples is never above their root mean square, which is what senders measure; 3 dB are left for
    those who measure otherwise. 127 is said of nothing but silence.
    """
    if energy_level <= 0 or gain <= 0:
        return 127
    return min(127, math.ceil(-20 * math.log10(energy_level / gain / 32768)) + _LEVEL_MARGIN)


@kernel
def amplify(t: Tables, leg: Int, samples: Int) -> None:
    """Apply the input gain to the frame, clipped to 16 bits (semantics 3.3)."""
    gain = t.legs[leg].input_gain
    if gain != 1.0:
        _amplify(t.scratch[0].frame, samples, np.float32(gain))


@kernel
def _louder(sample: Int, gain: Real) -> Real:
    return max(np.float32(-32768), min(np.float32(32767), np.float32(sample) * gain))


@fast_kernel
def _amplify(pcm: NDArray[np.int16], samples: Int, gain: Real) -> None:
    for i in range(samples):
        pcm[i] = np.int16(_louder(pcm[i], gain))


@fast_kernel
def _amplified_size(pcm: NDArray[np.int16], samples: Int, gain: Real) -> Int:
    """The integer mean of the absolute values that `_amplify` would leave."""
    sum_ = np.int64(0)
    for i in range(samples):
        sum_ += abs(np.int32(_louder(pcm[i], gain)))
    return sum_ // samples


@kernel
def judge_packet(t: Tables, leg: Int, pcm: NDArray[np.int16], samples: Int) -> None:
    """A packet of the leg says `pcm[0:samples]`, at the leg's rate and before the input gain."""
    record = t.legs[leg]
    if not record.judged or samples <= 0:
        return
    record.packet_span = samples // (record.rate // 8000)
    record.missed = 0
    if record.input_gain == 1.0:
        judge(t, leg, mean_size(pcm, samples))
    else:
        judge(t, leg, _amplified_size(pcm, samples, np.float32(record.input_gain)))


@kernel
def keep_silent(t: Tables, leg: Int) -> None:
    """Note whether anything but the loudness of this leg's packets is of interest now."""
    record = t.legs[leg]
    unheard = not record.talking and not record.heard and record.energy_level > 0
    unused = record.tap < 0 and record.event_payload_type >= 0 and record.input_gain == 1.0
    record.silent = np.int64(record.judged and unheard and unused)


@kernel
def score_of(t: Tables, leg: Int, payload: NDArray[np.uint8], size: Int, span: Int) -> Int:
    """What a packet that just came counts for the gate, if that is all that will be asked of it; else -1."""
    record = t.legs[leg]
    if not record.silent or span != _USUAL_PACKET:
        return np.int64(-1)
    if record.codec == PCMU:
        return size_of_ulaw(payload, size)
    return size_of_alaw(payload, size) if record.codec == PCMA else np.int64(-1)


@kernel
def judge_unspoken(t: Tables, leg: Int, score: Int) -> None:
    """A packet of the leg that was not decoded is of this score."""
    if t.legs[leg].judged:
        t.legs[leg].missed = 0
        judge(t, leg, score)


@kernel
def judge_nothing(t: Tables, leg: Int, span: Int) -> None:
    """For `span` ts units there is no packet: each packet time of it is one that does not pass."""
    record = t.legs[leg]
    if not record.judged:
        return
    packet = record.packet_span if record.packet_span > 0 else _USUAL_PACKET
    record.missed += span
    while record.missed >= packet:
        record.missed -= packet
        judge(t, leg, 0)


@kernel
def _set_talking(t: Tables, leg: Int, on: Int) -> None:
    record = t.legs[leg]
    record.gate_open = record.gate_close = 0
    if record.talking != on:
        record.talking = on
        push_event(t, TALKING, leg, on, 0)


@kernel
def close_gate(t: Tables, leg: Int) -> None:
    """Muted, held or gone: whoever talked does not any more."""
    _set_talking(t, leg, 0)


@kernel
def judge(t: Tables, leg: Int, score: Int) -> None:
    """One packet of this score: the two counters of semantics 3.2."""
    record = t.legs[leg]
    record.score = score
    record.smoothed = min(_MOST_SMOOTHED, 0.2 * score + 0.8 * record.smoothed)
    above = score - record.energy_level
    if above > 0:
        record.gate_close = max(0, record.gate_close - 1)
        record.gate_open += 1
        if above >= _LOUD or record.gate_open >= _OPEN_AFTER:
            _set_talking(t, leg, 1)
        return
    record.floor += (score - record.floor) * (_FLOOR_FALLS if score < record.floor else _FLOOR_RISES)
    record.gate_open = max(0, record.gate_open - 1)
    if record.talking:
        record.gate_close += 1
        if record.gate_close >= _CLOSE_AFTER:
            _set_talking(t, leg, 0)
