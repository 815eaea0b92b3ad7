"""Speech made as loud as the shipped prompts, and without silence at its ends. Pure, but for `even_out`."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Signal = npt.NDArray[np.float32]

SPEECH_DBFS = -20.0
LEAD_SECONDS = 0.03
KNEE = 0.75  # of full scale


class Silent(Exception):
    """There is nothing in it that could be made louder."""


def even_out(source: Path, target: Path) -> None:
    """Read a sound file, trim and level it, write it as FLAC. Raises `Silent` and `soundfile.LibsndfileError`."""
    signal, rate = soundfile.read(source, dtype="float32")
    soundfile.write(target, level(trim(signal, rate), rate), rate, subtype="PCM_16", format="FLAC")


def frame_rms(signal: Signal, rate: int) -> Signal:
    """RMS of each 20 ms."""
    frame = rate // 50
    whole = len(signal) // frame * frame
    return np.asarray(np.sqrt(np.mean(signal[:whole].reshape(-1, frame) ** 2, axis=1) + 1e-12))


def trim(signal: Signal, rate: int) -> Signal:
    """Cut what is 40 dB under the loudest 20 ms off both ends, with a few ms left as a fade. Raises `Silent`."""
    rms = frame_rms(signal, rate)
    if not len(rms) or rms.max() < 1e-4:
        raise Silent
    loud = np.flatnonzero(rms > rms.max() / 100)
    frame, lead = rate // 50, round(LEAD_SECONDS * rate)
    first, last = max(0, loud[0] * frame - lead), min(len(signal), (loud[-1] + 1) * frame + 2 * lead)
    cut = signal[first:last].copy()
    fade = np.linspace(0, 1, min(lead, len(cut)) // 2, dtype=np.float32)
    cut[: len(fade)] *= fade
    cut[len(cut) - len(fade) :] *= fade[::-1]
    return cut


def level(signal: Signal, rate: int) -> Signal:
    """Bring the RMS of the frames that hold speech to `SPEECH_DBFS`; the few peaks above `KNEE` are rounded off."""
    rms = frame_rms(signal, rate)
    speech = np.sqrt(np.mean(rms[rms > rms.max() / 10] ** 2))
    louder = signal * 10 ** (SPEECH_DBFS / 20) / speech
    over = np.maximum(np.abs(louder) - KNEE, 0)
    return np.asarray(np.clip(louder, -KNEE, KNEE) + np.sign(louder) * (1 - KNEE) * np.tanh(over / (1 - KNEE)))
