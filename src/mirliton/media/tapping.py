"""Sound on its way out of the engine: each tick of a tapped leg or mix leaves one chunk in shared memory."""

import numpy as np

from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import TAP_CHUNKS
from mirliton.media.samples import copy
from mirliton.media.tables import Tables


@kernel
def leave_chunk(t: Tables, tap: Int, at: Int, rate: Int, count: Int) -> None:
    """The first `count` samples of the scratch frame, heard at `at` (ns), for whoever reads the tap.

    Never waits: what was not read in time is overwritten, and the reader sees that from `written`.
    """
    written = t.taps[tap].written
    chunk = t.chunks[tap * TAP_CHUNKS + written % TAP_CHUNKS]
    chunk.at, chunk.rate, chunk.count = at, rate, count
    copy(t.scratch[0].frame, t.chunks[tap * TAP_CHUNKS + written % TAP_CHUNKS].samples, count)
    t.taps[tap].written = written + np.int64(1)
