"""Background that need not be decoded: packets of Opus that are no speech, nor louder than others known to be quiet.

A sender's word that a packet is no speech says nothing of how loud it is. So a leg first has some packets decoded,
which must be far below its gate. What is no louder by its own gains, and no longer, is passed over from then on, but
for one a second: the decoder stays near its stream, and sound above 8 kHz, of which gains tell nothing, is found.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.codecs.opus_packets import background
from mirliton.media.kernels import Int, kernel
from mirliton.media.tables import Tables

FAR_BELOW = 4  # times below the gate: 12 dB
_KNOWN_AFTER = 5  # packets
_MOST_PASSED_OVER = 49


@kernel
def note_background(t: Tables, leg: Int, payload: NDArray[np.uint8], size: Int) -> None:
    """A packet was decoded and judged: learn from it how quiet this leg's background is."""
    record = t.legs[leg]
    record.passed_over = 0
    if record.talking or record.energy_level <= 0:
        record.quiet_run = 0
        return
    gain = background(payload, size)
    if gain < 0:
        return
    if record.score * FAR_BELOW > record.energy_level:
        record.quiet_run = 0
    elif record.quiet_run == 0 or record.quiet_kind != payload[0]:
        record.quiet_run, record.quiet_kind, record.quiet_gain, record.quiet_bytes = 1, payload[0], gain, size
    else:
        record.quiet_run += 1
        record.quiet_gain = max(record.quiet_gain, gain)
        record.quiet_bytes = max(record.quiet_bytes, size)


@kernel
def is_known_background(t: Tables, leg: Int, payload: NDArray[np.uint8], size: Int) -> bool:
    """May this packet be passed over?"""
    record = t.legs[leg]
    if record.quiet_run < _KNOWN_AFTER or record.passed_over >= _MOST_PASSED_OVER:
        return False
    if record.heard or (record.tap >= 0 and not record.tap_heard_only):
        return False
    if payload[0] != record.quiet_kind or size > record.quiet_bytes:
        return False
    return bool(0 <= background(payload, size) <= record.quiet_gain)
