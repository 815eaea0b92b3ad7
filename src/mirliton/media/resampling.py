"""8 kHz <-> 16 kHz for talkers and for listeners of another rate: a half-band filter of 47 taps.

Streams are cut into ticks; the last 48 samples of input are the state between them.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.kernels import Int, fast_kernel, kernel
from mirliton.media.limits import FIR_HISTORY

_HALF = 24


def _half_band() -> NDArray[np.float32]:
    """The taps between samples: a Kaiser-windowed sinc, cut-off at 4 kHz, stop band below -70 dB."""
    taps = np.sinc(np.arange(_HALF) - (_HALF - 1) / 2) * np.kaiser(_HALF, 6.5)
    return np.asarray(taps / taps.sum(), np.float32)


TAPS = _half_band()


@kernel
def _window(window: NDArray[np.float32], history: NDArray[np.float32], signal: NDArray[np.float32], n: Int) -> None:
    """history + signal in one run of samples; the history is moved on."""
    for i in range(FIR_HISTORY):
        window[i] = history[i]
    for i in range(n):
        window[FIR_HISTORY + i] = signal[i]
    for i in range(FIR_HISTORY):
        history[i] = window[n + i]


@fast_kernel
def double_rate(window: NDArray[np.float32], history: NDArray[np.float32], signal: NDArray[np.float32], n: Int) -> None:
    """`signal[0:n]` at 8 kHz becomes `signal[0:2n]` at 16 kHz, in place; delay 1.5 ms."""
    _window(window, history, signal, n)
    skip = FIR_HISTORY - _HALF
    for i in range(n):
        between = np.float32(0)
        for k in range(_HALF):
            between += TAPS[k] * window[skip + i + 1 + k]
        signal[2 * i] = window[skip + i + _HALF // 2]
        signal[2 * i + 1] = between


@fast_kernel
def halve_rate(window: NDArray[np.float32], history: NDArray[np.float32], signal: NDArray[np.float32], n: Int) -> None:
    """`signal[0:n]` at 16 kHz becomes `signal[0:n/2]` at 8 kHz, in place; delay 1.5 ms."""
    _window(window, history, signal, n)
    for i in range(n // 2):
        total = window[2 * i + _HALF]
        for k in range(_HALF):
            total += TAPS[k] * window[2 * i + 1 + 2 * k]
        signal[i] = np.float32(0.5) * total
