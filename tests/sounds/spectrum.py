"""Measuring sounds in tests: how strong each frequency is."""

import numpy as np
import numpy.typing as npt


def amplitude(samples: npt.NDArray[np.int16], rate: int, frequency: float) -> float:
    """Peak amplitude (of 32767) of one sine in the samples, by correlation with it under a window without leaks."""
    window = np.blackman(len(samples))
    turns = np.exp(-2j * np.pi * frequency * np.arange(len(samples)) / rate)
    return float(2 * np.abs(np.sum(samples * window * turns)) / np.sum(window))


def strongest(samples: npt.NDArray[np.int16], rate: int, count: int) -> list[float]:
    """The `count` strongest frequencies in Hz, lowest first."""
    padded = 1 << 17
    spectrum = np.abs(np.fft.rfft(samples * np.blackman(len(samples)), padded))
    width = 6 * padded // len(samples)
    found = []
    for _ in range(count):
        top = int(np.argmax(spectrum))
        found.append(top * rate / padded)
        spectrum[max(0, top - width) : top + width] = 0
    return sorted(found)
