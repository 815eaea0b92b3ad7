"""Who is audible: the energy gate of semantics 3.2."""

import math

import numpy as np

from mirliton.media.kernels import Int, kernel
from mirliton.media.samples import mean_size
from mirliton.media.sources import push_event
from mirliton.media.tables import TALKING, Tables

_LOUD = 400  # this much above the level opens at once
_OPEN_AFTER = 5
_CLOSE_AFTER = 40
_MOST_SMOOTHED = 25000.0
_LEVEL_MARGIN = 3  # dB


def quiet_level(energy_level: int, gain: float) -> int:
    """The audio level (RFC 6464, dB below overload) from which on a packet surely does not pass the gate.

    The mean size of samples is never above their root mean square, which is what senders measure; 3 dB are left for
    those who measure otherwise. 127 is said of nothing but silence.
    """
    if energy_level <= 0 or gain <= 0:
        return 127
    return min(127, math.ceil(-20 * math.log10(energy_level / gain / 32768)) + _LEVEL_MARGIN)


@kernel
def amplify(t: Tables, leg: Int, samples: Int) -> Int:
    """Apply the input gain to the frame, and return its score: the mean absolute sample value."""
    gain, frame = t.legs[leg].input_gain, t.scratch[0].frame
    if gain != 1.0:
        for i in range(samples):
            frame[i] = np.int16(max(-32768.0, min(32767.0, frame[i] * gain)))
    return mean_size(frame, samples)


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
    """One frame of this score was heard from the leg."""
    record = t.legs[leg]
    record.score = score
    record.smoothed = min(_MOST_SMOOTHED, 0.2 * score + 0.8 * record.smoothed)
    above = score - record.energy_level
    if above > 0:
        record.gate_close = max(0, record.gate_close - 1)
        if record.talking:
            return
        record.gate_open += 1
        if above >= _LOUD or record.gate_open >= _OPEN_AFTER:
            _set_talking(t, leg, 1)
        return
    record.gate_open = max(0, record.gate_open - 1)
    if record.talking:
        record.gate_close += 1
        if record.gate_close >= _CLOSE_AFTER:
            _set_talking(t, leg, 0)
