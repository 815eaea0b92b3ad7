"""Between 8, 16 and 48 kHz, for talkers and listeners of another rate than the room's.

8 <-> 16 kHz is a half-band filter of 47 taps, 16 <-> 48 kHz one of 95 taps in three phases, cut off below 8 kHz.
Streams are cut into ticks; the last samples of input are the state between them.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.kernels import Int, fast_kernel, kernel
from mirliton.media.limits import FIR_HISTORY, WIDE_HISTORY

_HALF = 24
_PHASE = 32  # taps of each of the three phases
_THIRD = 3 * _PHASE


def _half_band() -> NDArray[np.float32]:
    """The taps between samples: a Kaiser-windowed sinc, cut-off at 4 kHz, stop band below -70 dB."""
    taps = np.sinc(np.arange(_HALF) - (_HALF - 1) / 2) * np.kaiser(_HALF, 6.5)
    return np.asarray(taps / taps.sum(), np.float32)


def _third_band() -> NDArray[np.float32]:
    """One tap after the other at 48 kHz: a Kaiser-windowed sinc, -6 dB at 7.6 kHz, stop band below -70 dB; sum 1."""
    at = np.arange(_THIRD) - (_THIRD - 1) / 2
    taps = np.sinc(at * 2 * 7600 / 48000) * np.kaiser(_THIRD, 6.5)
    return np.asarray(taps / taps.sum(), np.float32)


TAPS = _half_band()
WIDE_TAPS = _third_band()
PHASES = np.ascontiguousarray(WIDE_TAPS[::-1].reshape(_PHASE, 3).T[::-1] * 3).reshape(_THIRD)
"""The taps for each of three output samples, oldest input first, one phase after the other."""

Wave = NDArray[np.float32]


@kernel
def _window(window: Wave, history: Wave, signal: Wave, n: Int, kept: Int) -> None:
    """history + signal in one run of samples; the history is moved on."""
    for i in range(kept):
        window[i] = history[i]
    for i in range(n):
        window[kept + i] = signal[i]
    for i in range(kept):
        history[i] = window[n + i]


@fast_kernel
def double_rate(window: Wave, history: Wave, signal: Wave, n: Int) -> None:
    """`signal[0:n]` at 8 kHz becomes `signal[0:2n]` at 16 kHz, in place; delay 1.5 ms."""
    _window(window, history, signal, n, FIR_HISTORY)
    skip = FIR_HISTORY - _HALF
    for i in range(n):
        between = np.float32(0)
        for k in range(_HALF):
            between += TAPS[k] * window[skip + i + 1 + k]
        signal[2 * i] = window[skip + i + _HALF // 2]
        signal[2 * i + 1] = between


@fast_kernel
def halve_rate(window: Wave, history: Wave, signal: Wave, n: Int) -> None:
    """`signal[0:n]` at 16 kHz becomes `signal[0:n/2]` at 8 kHz, in place; delay 1.5 ms."""
    _window(window, history, signal, n, FIR_HISTORY)
    for i in range(n // 2):
        total = window[2 * i + _HALF]
        for k in range(_HALF):
            total += TAPS[k] * window[2 * i + 1 + 2 * k]
        signal[i] = np.float32(0.5) * total


@fast_kernel
def triple_rate(window: Wave, history: Wave, signal: Wave, n: Int) -> None:
    """`signal[0:n]` at 16 kHz becomes `signal[0:3n]` at 48 kHz, in place; delay 1 ms."""
    _window(window, history, signal, n, WIDE_HISTORY)
    first = WIDE_HISTORY - _PHASE + 1
    for i in range(n):
        for phase in range(3):
            total = np.float32(0)
            for k in range(_PHASE):
                total += PHASES[phase * _PHASE + k] * window[first + i + k]
            signal[3 * i + phase] = total


@fast_kernel
def third_rate(window: Wave, history: Wave, signal: Wave, n: Int) -> None:
    """`signal[0:n]` at 48 kHz becomes `signal[0:n/3]` at 16 kHz, in place; delay 1 ms."""
    _window(window, history, signal, n, WIDE_HISTORY)
    for i in range(n // 3):
        total = np.float32(0)
        for k in range(_THIRD):
            total += WIDE_TAPS[k] * window[WIDE_HISTORY + 3 * i - _THIRD + 3 + k]
        signal[i] = total


@kernel
def convert(window: Wave, history: Wave, wide_history: Wave, signal: Wave, n: Int, before: Int, after: Int) -> Int:
    """`signal[0:n]` from one of the three rates to another, in place; returns the number of samples."""
    if before < after:
        if before == 8000:
            double_rate(window, history, signal, n)
            n *= 2
        if after == 48000:
            triple_rate(window, wide_history, signal, n)
            n *= 3
    elif before > after:
        if before == 48000:
            third_rate(window, wide_history, signal, n)
            n //= 3
        if after == 8000:
            halve_rate(window, history, signal, n)
            n //= 2
    return np.int64(n)
