"""The memory of libopus' encoders (31 KB each): lent to an encoder for as long as it has something to encode.

Most listeners hear what others hear and need none of their own. Who gives memory back last lends it next, so what is
not needed at the same time is not there.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.kernels import Int, kernel
from mirliton.media.tables import Tables


@kernel
def borrow(t: Tables, e: Int) -> None:
    """Memory for an encoder that has none; what is in it is somebody else's past."""
    encoder, free = t.encoders[e], t.opus_free
    if encoder.state == 0:
        last = free[free.shape[0] - 1] - 1
        encoder.state = free[last] + 1
        free[free.shape[0] - 1] = last


@kernel
def give_back(t: Tables, e: Int) -> None:
    """An encoder has nothing to encode until it borrows again."""
    encoder, free = t.encoders[e], t.opus_free
    if encoder.state > 0:
        count = free[free.shape[0] - 1]
        free[count] = encoder.state - 1
        free[free.shape[0] - 1] = count + 1
        encoder.state = 0


@kernel
def state_of(t: Tables, e: Int) -> NDArray[np.int64]:
    """libopus' memory of an encoder that has borrowed some."""
    state: NDArray[np.int64] = t.opus_encoders[t.encoders[e].state - 1]
    return state
