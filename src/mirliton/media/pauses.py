"""What is heard of a caller who sends nothing because there is nothing to be said: the noise it asks for.

Two kinds of packets say that a pause begins: comfort noise (RFC 3389, payload type 13), and Opus without sound (DTX,
RFC 7587 section 3.1.3). A leg's `pause` is 0 while there is none, the level plus one of comfort noise, or `OF_OPUS`.
Pauses are neither losses nor lateness, and nobody who is silent opens a gate by them (semantics 3.2).
"""

import numpy as np

from mirliton.media.decoding import append_noise_of_opus
from mirliton.media.kernels import Int, kernel
from mirliton.media.tables import Tables

OF_OPUS = -1
_LOUDEST = 30  # dB below full scale: louder is no background
_LEVELS = (32768 * np.sqrt(3.0) * 10 ** (-np.arange(128) / 20)).astype(np.float32)
"""Peaks of uniform noise by its level: -dBov, its power against that of full scale (RFC 3389 section 3.1)."""


@kernel
def fill_pause(t: Tables, leg: Int, samples: Int) -> None:
    """Append noise until `samples` are ready (Opus makes 2.5 ms at a time, so there may be more)."""
    record = t.legs[leg]
    missing = samples - record.ready
    if missing <= 0:
        return
    if record.pause == OF_OPUS:
        append_noise_of_opus(t, leg, missing)
        return
    out = t.lines[leg].ready[record.ready :]
    peak = _LEVELS[max(_LOUDEST, record.pause - 1)]
    state = np.int64(t.scratch[0].random)
    for i in range(missing):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = np.int64((state / 2147483648.0 - 1.0) * peak)
    t.scratch[0].random = state
    record.ready += missing
