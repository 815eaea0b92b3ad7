"""Sound on its way out of the engine: each tick of a tapped leg or mix leaves one chunk in shared memory."""

import numpy as np

from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import TAP_CHUNKS, TAP_SAMPLES
from mirliton.media.samples import copy
from mirliton.media.tables import Tables


@kernel
def leave_chunk(t: Tables, tap: Int, at: Int, rate: Int, count: Int) -> None:
    """The first `count` samples of the scratch frame, heard at `at` (ns), for whoever reads the tap.

    Never waits: what was not read in time is overwritten, and the reader sees that from `written`.
    """
    record = t.taps[tap]
    written, begin = record.written, record.position
    if begin % TAP_SAMPLES + count > TAP_SAMPLES:  # in one piece, so that a slice reads it
        begin += TAP_SAMPLES - begin % TAP_SAMPLES
    chunk = t.chunks[tap * TAP_CHUNKS + written % TAP_CHUNKS]
    chunk.at, chunk.rate, chunk.count, chunk.begin = at, rate, count, begin
    copy(t.scratch[0].frame, record.ring[begin % TAP_SAMPLES :], count)
    record.position = begin + count
    record.written = written + np.int64(1)
