"""How much loss encoders of Opus prepare for: as much as their listeners last told of (RFC 6716 2.1.7, RFC 7587 3.1.1).

Five classes, so that an encoder is not set anew at each report. More is expected at once, less after two calmer
reports. An encoder that several share prepares for the worst of them. Without loss no bits are spent on repetition.
"""

import numpy as np

from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import LOSS_CLASSES
from mirliton.media.tables import Tables

PERCENT = np.array([0, 3, 8, 15, 25], np.int64)
"""What an encoder of each class is told."""
_CALM_REPORTS = 2


@kernel
def loss_class(fraction: Int) -> Int:
    """Of the loss between two reports in 1/256: under 1 %, 5 %, 10 %, 20 %, and more."""
    if fraction < 3:
        return np.int64(0)
    if fraction < 13:
        return np.int64(1)
    if fraction < 26:
        return np.int64(2)
    return np.int64(3) if fraction < 52 else np.int64(4)


@kernel
def hear_of_loss(t: Tables, leg: Int, fraction: Int) -> None:
    """A listener reports that so much (in 1/256) of what it was sent since its last report did not come."""
    record, told = t.legs[leg], loss_class(fraction)
    record.calm_reports = record.calm_reports + 1 if told < record.loss_class else 0
    if told > record.loss_class or record.calm_reports >= _CALM_REPORTS:
        _expect(t, leg, told)


@kernel
def _expect(t: Tables, leg: Int, expected: Int) -> None:
    record = t.legs[leg]
    before, record.loss_class, record.calm_reports = record.loss_class, expected, 0
    t.encoders[leg].loss_class = expected
    if record.group >= 0:
        count_listener(t, record.group, before, -1)
        count_listener(t, record.group, expected, 1)


@kernel
def count_listener(t: Tables, group: Int, expected: Int, change: Int) -> None:
    """One more (1) or fewer (-1) listener of this class at a shared encoder, which follows the worst of them."""
    encoder = t.encoders[group]
    encoder.listeners[expected] += change
    worst = np.int64(0)
    for i in range(LOSS_CLASSES):
        if encoder.listeners[i] > 0:
            worst = np.int64(i)
    encoder.loss_class = worst
