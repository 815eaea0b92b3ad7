"""What FEC and concealment are worth when packets of Opus are lost: `python -m tests.media.loss_scores` prints a table.

Speech goes through the engine over a network that loses packets at random. It is compared with the speech itself by
STOI (how intelligible it is, 0 to 1), and by the signal-to-noise ratio of 20 ms at a time with what is heard without
any loss. "Nothing" is the same packets decoded with silence where one is missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from pystoi import stoi
from scipy import signal

from tests.media.bad_line import room
from tests.media.netem import Network, constant
from tests.media.opus_phone import OpusDecoder

RATE = 48000
_VOICES = ("anna-1", "bruno-1", "carl-1", "anna-2", "bruno-2", "carl-2") * 3
_WARM_UP = 4  # s before anything is compared
_LAG = RATE // 5
_CHUNK = RATE // 2
_SEARCH = RATE // 25
_STEP = RATE // 50

Sound = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """Means over the runs."""

    intelligibility: float
    snr: float


def speech() -> Sound:
    """Three voices one after the other: a minute."""
    parts = []
    for name in _VOICES:
        with resources.files("mirliton.demo").joinpath("voices", f"{name}.flac").open("rb") as file:
            samples, own = soundfile.read(file)
        parts.append(soxr.resample(samples, own, RATE))
    whole = np.concatenate(parts)
    return np.asarray(whole * 12_000 / np.abs(whole).max())


def heard(loss: float, seed: int, *, fec: bool) -> tuple[Sound, Sound]:
    """What a listener hears through the engine, and what one without any concealment would, both at 48 kHz."""
    said = speech()
    network = Network(constant(20), loss=loss, seed=seed)

    def say(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(said[np.round(t * RATE).astype(int) % len(said)])

    opus: dict[str, Any] = {"bits_per_second": 24_000, "fec": fec, "loss": 10 if fec else 0}
    with room(network, say, codec="OPUS", opus=opus, listener={"codec": "L16", "rate": RATE, "ptime": 10}) as line:
        line.run(1000 * int(len(said) / RATE))
        return line.listener.heard().astype(np.float64), _without_concealment(network)


def _without_concealment(network: Network) -> Sound:
    decoder, frames = OpusDecoder(), []
    for packet, lost in network.sent:
        frames.append(np.zeros(960, np.int16) if lost else decoder.decode(packet[12:]))
    return np.concatenate(frames).astype(np.float64)


def _lag(sound: Sound, reference: Sound, at: int, around: int, reach: int) -> int:
    """By how many samples `sound` is behind: the likeliest within `reach` of `around`."""
    first = max(0, around - reach)
    part, others = reference[at : at + _CHUNK], sound[at + first : at + around + reach + _CHUNK]
    energies = np.cumsum(np.concatenate([[0.0], others**2]))
    size = np.sqrt(energies[_CHUNK:] - energies[:-_CHUNK] + 1)
    return first + int(np.argmax(signal.correlate(others, part, "valid") / size))


def aligned(sound: Sound, reference: Sound) -> Iterator[tuple[Sound, Sound]]:
    """Half a second at a time, each moved to where it fits: delay may have changed on the way."""
    at = _WARM_UP * RATE
    around = _lag(sound, reference, at, _LAG, _LAG)
    while at + _CHUNK + 2 * _LAG < min(len(sound), len(reference)):
        around = _lag(sound, reference, at, around, _SEARCH) if reference[at : at + _CHUNK].std() > 300 else around
        yield sound[at + around : at + around + _CHUNK], reference[at : at + _CHUNK]
        at += _CHUNK


def intelligibility(sound: Sound) -> float:
    """STOI against the speech itself."""
    pairs = list(aligned(sound, speech()))
    return float(stoi(np.concatenate([b for _, b in pairs]), np.concatenate([a for a, _ in pairs]), RATE))


def segmental_snr(sound: Sound, lossless: Sound) -> float:
    """In dB, of 20 ms at a time where somebody speaks, each between -10 and 35."""
    ratios = []
    for part, reference in aligned(sound, lossless):
        for start in range(0, _CHUNK, _STEP):
            a, b = part[start : start + _STEP], reference[start : start + _STEP]
            if b.std() > 300:
                noise = np.sum((a - b) ** 2) + 1
                ratios.append(float(np.clip(10 * np.log10(np.sum(b**2) / noise), -10, 35)))
    return float(np.mean(ratios))


def scores(loss: float, seeds: range) -> dict[str, Score]:
    """Of FEC, of concealment, and of nothing."""
    results: dict[str, list[tuple[float, float]]] = {"FEC": [], "PLC": [], "nothing": []}
    for fec in (True, False):
        lossless, lossless_decoded = heard(0.0, 1, fec=fec)
        for seed in seeds:
            sound, bare = heard(loss, seed, fec=fec)
            results["FEC" if fec else "PLC"].append((intelligibility(sound), segmental_snr(sound, lossless)))
            if not fec:
                results["nothing"].append((intelligibility(bare), segmental_snr(bare, lossless_decoded)))
    return {name: Score(*np.mean(values, axis=0).tolist()) for name, values in results.items()}


def main() -> None:
    print("| loss | what is done | STOI | segmental SNR |\n|---|---|---|---|")
    for loss in (0.0, 0.05, 0.1, 0.2):
        for name, score in scores(loss, range(1, 2 if loss == 0 else 4)).items():
            print(f"| {loss:.0%} | {name} | {score.intelligibility:.3f} | {score.snr:.1f} dB |")


if __name__ == "__main__":
    main()
