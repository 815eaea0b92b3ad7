"""Sound made shorter or longer by one period of the voice, so that its pitch stays (time-scale modification by
synchronous overlap and add): what is taken out or put in is bounded by a cross-fade between two stretches of sound
that are alike.

Samples are changed in place. Durations here are samples.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.kernels import Int, Real, fast_kernel, kernel
from mirliton.media.samples import mean_size

_LONGEST_MS = 15  # a voice of 67 Hz
_SHORTEST = 400  # a second's share: 2.5 ms
_COMPARE = 100  # a second's share: 10 ms
_LONGER_IS_BETTER = 0.999  # of two periods that fit equally well the longer one: fewer cuts
LOOK_MS = 30
"""Two of the longest periods: as much must be known of what comes."""


@kernel
def shorten(x: NDArray[np.int16], count: Int, rate: Int, most: Int, alike: Real, quiet: Int) -> Int:
    """Take one period, `most` samples at most, out of `x[0:count]`; returns how many were taken, 0 if none fits.

    `alike`: how similar (up to 1) what is joined must be. Sound of a mean size up to `quiet` is joined anywhere.
    """
    lag = _choose(x, count, rate, most, alike, quiet)
    for i in range(lag):
        x[i] = np.int64(x[i] + (i + 0.5) / lag * (np.int64(x[i + lag]) - x[i]))
    if lag > 0:
        for i in range(lag, count - lag):
            x[i] = x[i + lag]
    return lag


@kernel
def lengthen(x: NDArray[np.int16], count: Int, rate: Int, wanted: Int, alike: Real, quiet: Int) -> Int:
    """Put one period into `x[0:count]`, which has room for 15 ms more; returns how many samples were added, or 0.

    A period of the voice may be more than is `wanted`.
    """
    lag = _choose(x, count, rate, wanted, alike, quiet)
    if lag == 0:
        lag = _choose(x, count, rate, rate, alike, -1)
    if lag > 0:
        for i in range(count - 1, lag - 1, -1):
            x[i + lag] = x[i]
    for i in range(lag):
        x[lag + i] = np.int64(x[lag + i] + (i + 0.5) / lag * (np.int64(x[i]) - x[lag + i]))
    return lag


@kernel
def _choose(x: NDArray[np.int16], count: Int, rate: Int, most: Int, alike: Real, quiet: Int) -> Int:
    """The period at the beginning of the sound; 0: it has none."""
    longest = min(most, rate * _LONGEST_MS // 1000, count // 2)
    if longest < 1:
        return np.int64(0)
    if mean_size(x, 2 * longest) <= quiet:
        return np.int64(longest)
    if longest < rate // _SHORTEST:
        return np.int64(0)
    window = min(rate // _COMPARE, count - longest)
    step = rate // 8000
    lag = _likeliest(x, rate // _SHORTEST, longest, step, window)
    if step > 1:
        lag = _likeliest(x, max(rate // _SHORTEST, lag - step), min(longest, lag + step), 1, window)
    return lag if _likeness(x, x[lag:], window, 1) >= alike else np.int64(0)


@kernel
def _likeliest(x: NDArray[np.int16], first: Int, last: Int, step: Int, window: Int) -> Int:
    best, best_likeness = np.int64(first), np.float64(0)
    for lag in range(first, last + 1, step):
        likeness = np.float64(_likeness(x, x[lag:], window, step))
        if likeness > best_likeness * _LONGER_IS_BETTER:
            best, best_likeness = np.int64(lag), max(likeness, best_likeness)
    return best


@fast_kernel
def _likeness(first: NDArray[np.int16], second: NDArray[np.int16], window: Int, step: Int) -> Real:
    """The normalised correlation of two stretches, from every `step`-th sample."""
    if step == 1:
        return _likeness_of_all(first, second, window)
    product, one, other = np.float32(0), np.float32(1), np.float32(1)
    for i in range(0, window, step):
        a, b = np.float32(first[i]), np.float32(second[i])
        product += a * b
        one += a * a
        other += b * b
    return np.float64(product / np.sqrt(one * other))


@fast_kernel
def _likeness_of_all(first: NDArray[np.int16], second: NDArray[np.int16], window: Int) -> Real:
    """The same of every sample: the compiler makes more of a loop without a step."""
    product, one, other = np.float32(0), np.float32(1), np.float32(1)
    for i in range(window):
        a, b = np.float32(first[i]), np.float32(second[i])
        product += a * b
        one += a * a
        other += b * b
    return np.float64(product / np.sqrt(one * other))
