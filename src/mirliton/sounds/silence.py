"""`silence_stream://` (semantics 5.3): digital silence, or the faint noise of semantics 3.4. Pure."""

import numpy as np
import numpy.typing as npt

ENDLESS_PIECE_MS = 5000  # long enough that the ear finds no repetition in the noise


def render_silence(milliseconds: int, divisor: int | None, rate: int) -> npt.NDArray[np.int16]:
    """`milliseconds` of mono silence at `rate` Hz; with a divisor, noise whose peak is full scale / divisor.

    -1 ms gives a piece for looping. Always the same noise, so that it can be kept and shared.
    """
    length = (ENDLESS_PIECE_MS if milliseconds < 0 else milliseconds) * rate // 1000
    if divisor is None:
        return np.zeros(length, np.int16)
    peak = int(noise_peak(divisor, rate))
    return np.random.default_rng(1).integers(-peak, peak, length, np.int16, endpoint=True)


def noise_peak(divisor: int, rate: int) -> float:
    """Peak of noise "divided by" `divisor`: larger is quieter, and quieter at higher rates (semantics 3.4)."""
    return min(32767.0, 32768 / (divisor * max(1, rate // 8000)))
