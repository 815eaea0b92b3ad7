"""What libopus' ways to encode cost and sound like: `python -m tests.media.opus_scores` prints a table.

Twenty seconds of speech, alone, with a second voice, in noise, and as it comes from another encoder. STOI (how
intelligible, 0 to 1); the distance of spectra in bands of hearing, root mean square; PESQ (ITU-T P.862.2, up to 4.64)
if the package pesq is installed.
"""

import importlib
import importlib.util
import time

import numpy as np
import soxr
from numpy.typing import NDArray
from pystoi import stoi

from mirliton.media.codecs import opus
from tests.media.loss_scores import RATE, Sound, speech
from tests.media.opus_phone import OpusDecoder, OpusEncoder

_WIDE = 16_000
_FRAME = 960
_DELAY = 312  # samples; libopus looks so far ahead
_SECONDS = 20
_HERTZ = np.array([100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400,
                   5300, 6400, 7700, 9500, 12000])  # fmt: skip
_WAYS = [("SILK", opus.VOICE, 32_000, 5), ("SILK", opus.VOICE, 32_000, 10), ("CELT", opus.MUSIC, 32_000, 5),
         ("CELT", opus.MUSIC, 40_000, 5), ("CELT", opus.MUSIC, 40_000, 10)]  # fmt: skip


def sounds() -> dict[str, Sound]:
    """What is encoded."""
    whole = speech()
    one = whole[: _SECONDS * RATE]
    second = np.roll(whole, -31 * RATE)[: _SECONDS * RATE]
    return {
        "one voice": one,
        "two voices": one + second / 2,
        "in noise": one + np.random.default_rng(1).normal(0, 250, len(one)),
        "encoded before": passed(one, opus.VOICE, 32_000, 10)[0],
    }


def passed(sound: Sound, signal: int, bits: int, complexity: int) -> tuple[Sound, float]:
    """A sound after encoder and decoder, and microseconds to encode a packet."""
    encoder, decoder = OpusEncoder(bits, complexity=complexity, signal=signal), OpusDecoder()
    frames = np.clip(np.append(sound, np.zeros(_FRAME)), -32768, 32767).astype(np.int16).reshape(-1, _FRAME)
    before = time.perf_counter()
    packets = [encoder.encode(frame) for frame in frames]
    spent = time.perf_counter() - before
    out = np.concatenate([decoder.decode(packet) for packet in packets]).astype(np.float64)
    return out[_DELAY : _DELAY + len(sound)], spent / len(packets) * 1e6


def _bands(sound: Sound) -> NDArray[np.float64]:
    """Power by 20 ms and band."""
    starts = np.arange(0, len(sound) - _FRAME, _FRAME // 2)
    parts = sound[starts[:, None] + np.arange(_FRAME)] * np.hanning(_FRAME)
    power = np.abs(np.fft.rfft(parts, axis=1)) ** 2
    return np.asarray(np.add.reduceat(power, np.unique(_HERTZ // 50), axis=1)[:, :-1])


def distance(sound: Sound, reference: Sound) -> float:
    """Of spectra, in dB, where and when there is something to be heard."""
    a, b = _bands(sound), _bands(reference)
    audible = (b > b.max(axis=1, keepdims=True) * 1e-5) & (b.sum(axis=1, keepdims=True) > b.sum(axis=1).mean() * 1e-3)
    return float(np.sqrt(np.mean((10 * np.log10((a + 1e3) / (b + 1e3)))[audible] ** 2)))


def _pesq(sound: Sound, reference: Sound) -> str:
    if importlib.util.find_spec("pesq") is None:
        return "not installed"
    score = importlib.import_module("pesq").pesq(_WIDE, reference / 32768, sound / 32768, "wb")
    return f"{score:.2f}"


def main() -> None:
    print("| sound | coder, bit/s, complexity | \u00b5s | STOI | distance | PESQ |\n|---|---|---|---|---|---|")
    for name, sound in sounds().items():
        for coder, signal, bits, complexity in _WAYS:
            out, cost = passed(sound, signal, bits, complexity)
            a, b = (soxr.resample(each, RATE, _WIDE) for each in (out, sound))
            print(
                f"| {name} | {coder} {bits} {complexity} | {cost:.0f} | {stoi(b, a, _WIDE):.3f} "
                f"| {distance(out, sound):.2f} dB | {_pesq(a, b)} |"
            )


if __name__ == "__main__":
    main()
