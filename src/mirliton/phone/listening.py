"""Measuring what was heard: tones, levels, gaps, and whether a known recording is in it.

Samples are mono 16-bit arrays. Levels are in dBFS: a sine of full scale has 0.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

FLOOR_DBFS = -120.0


def decibels(amplitude: float) -> float:
    """Peak amplitude of a sine (of 32768) in dBFS."""
    return float(20 * np.log10(max(amplitude / 32768, 10 ** (FLOOR_DBFS / 20))))


def level(samples: Samples) -> float:
    """Mean level in dBFS; a steady sine gives what `tone_level` gives."""
    if len(samples) == 0:
        return FLOOR_DBFS
    return decibels(float(np.sqrt(2 * np.mean(samples.astype(np.float64) ** 2))))


def tone_level(samples: Samples, rate: int, frequency: float) -> float:
    """How strong one frequency is, in dBFS, over the whole of the samples (one bin of a windowed transform)."""
    if len(samples) == 0:
        return FLOOR_DBFS
    window = np.blackman(len(samples))
    turns = np.exp(-2j * np.pi * frequency / rate * np.arange(len(samples)))
    return decibels(float(2 * np.abs(np.sum(samples * window * turns)) / np.sum(window)))


def tone_levels(samples: Samples, rate: int, frequencies: Iterable[float]) -> dict[float, float]:
    """`tone_level` for each of the frequencies."""
    return {frequency: tone_level(samples, rate, frequency) for frequency in frequencies}


def find_tones(samples: Samples, rate: int, *, above: float = -45.0, most: int = 20) -> dict[float, float]:
    """The tones in the samples, Hz -> dBFS, strongest first; nothing weaker than `above` dBFS.

    Take at least half a second: tones closer than 6 / (length in s) Hz are seen as one.
    """
    if len(samples) == 0:
        return {}
    size = max(1 << 15, 1 << (len(samples) - 1).bit_length() + 2)
    window = np.blackman(len(samples))
    spectrum = 2 * np.abs(np.fft.rfft(samples * window, size)) / np.sum(window)
    width = 3 * size // len(samples) + 1
    found: dict[float, float] = {}
    while len(found) < most:
        top = int(np.argmax(spectrum))
        if (strength := decibels(float(spectrum[top]))) < above:
            break
        found[round(top * rate / size, 1)] = round(strength, 1)
        spectrum[max(0, top - width) : top + width + 1] = 0
    return found


def gaps(samples: Samples, rate: int, *, below: float = -55.0, shortest: float = 0.04) -> list[tuple[float, float]]:
    """Where it is silent: (start, end) in s of each stretch under `below` dBFS that lasts `shortest` or longer."""
    step = rate // 100
    whole = len(samples) // step
    frames = samples[: whole * step].reshape(whole, step).astype(np.float64)
    quiet = np.sqrt(2 * np.mean(frames**2, axis=1)) < 32768 * 10 ** (below / 20)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8)))
    stretches = ((int(start) / 100, int(end) / 100) for start, end in zip(edges[::2], edges[1::2], strict=True))
    return [(start, end) for start, end in stretches if end - start >= shortest]


@dataclass(frozen=True, slots=True)
class Match:
    """How alike (0..1, 1 = the same but for loudness), and where in the recording the reference begins (s)."""

    score: float
    at: float


PIECE_SECONDS = 0.4
SLACK_SECONDS = 0.15


def find_sound(recording: Samples, reference: Samples, rate: int) -> Match:
    """Look for a known recording in what was heard, by normalised cross-correlation.

    The place is found with the whole reference. The score is the mean over pieces of 0.4 s that may each have moved by
    0.15 s, weighted by their energy, because a jitter buffer stretches and shortens pauses.
    """
    heard, wanted = recording.astype(np.float64), reference.astype(np.float64)
    if len(heard) < len(wanted) or len(wanted) == 0:
        heard = np.concatenate((heard, np.zeros(max(0, len(wanted) - len(heard)) + 1)))
    whole = _correlation(heard, wanted)
    start = int(np.argmax(whole))
    return Match(_score_pieces(heard, wanted, start, rate), start / rate)


def _score_pieces(heard: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64], start: int, rate: int) -> float:
    length, slack = round(PIECE_SECONDS * rate), round(SLACK_SECONDS * rate)
    scores, weights = [], []
    for offset in range(0, max(1, len(wanted) - length + 1), length):
        piece = wanted[offset : offset + length]
        first = max(0, start + offset - slack)
        around = heard[first : start + offset + len(piece) + slack]
        weight = float(np.sum(piece**2))
        if len(around) < len(piece) or weight == 0:
            scores.append(0.0)
        else:
            scores.append(float(np.max(_correlation(around, piece))))
        weights.append(weight)
    return float(np.average(scores, weights=weights)) if sum(weights) else 0.0


def _correlation(heard: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Normalised correlation at every place where `wanted` fits into `heard`, -1..1."""
    size = 1 << (len(heard) + len(wanted) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size)), size)
    places = len(heard) - len(wanted) + 1
    sums = np.concatenate(([0.0], np.cumsum(heard**2)))
    energy = (sums[len(wanted) :] - sums[: len(sums) - len(wanted)]) * np.sum(wanted**2)
    # Places quieter than -60 dB against the reference would divide noise by nothing.
    floor = 1e-6 * np.sum(wanted**2) ** 2 + 1e-9
    return np.asarray(product[:places] / np.sqrt(np.maximum(energy, floor)))
