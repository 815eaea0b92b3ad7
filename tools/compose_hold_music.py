"""Composes the hold music: an original, slow piece for plucked strings over soft chords, that loops without a seam.

    .venv/bin/python tools/compose_hold_music.py

Fundamentals stay between 130 and 1100 Hz and the overtones below 3400 Hz, because most listeners hear it over a
telephone. Notes that ring past the end are added to the beginning, so the loop point cannot be heard.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from rich.progress import track

Signal = npt.NDArray[np.float64]

TARGET = Path(__file__).resolve().parent.parent / "src" / "mirliton" / "sounds" / "prompts" / "hold_music.flac"
RATE = 16_000
BEAT = round(RATE * 60 / 84)  # samples; 84 beats a minute
BEATS_PER_CHORD = 4
RMS_DBFS = -26.0

# Sixteen bars as MIDI notes, bass first: D major, with a turn to B minor and a plagal close.
CHORDS = [
    (50, 62, 66, 69, 73), (47, 62, 66, 69, 74), (55, 62, 67, 71, 74), (57, 64, 67, 69, 73),
    (50, 62, 66, 69, 76), (54, 61, 66, 69, 73), (55, 62, 66, 71, 74), (57, 62, 64, 69, 73),
    (47, 62, 66, 71, 74), (54, 61, 64, 69, 73), (55, 59, 62, 67, 74), (50, 62, 66, 69, 74),
    (52, 62, 67, 71, 76), (57, 61, 67, 69, 76), (55, 62, 67, 71, 74), (50, 57, 62, 66, 69),
]  # fmt: skip
PATTERN = [1, 3, 2, 4, 3, 2, 4, 3]  # which chord note each half beat plucks
MELODY = {0: 78, 6: 76, 8: 74, 16: 78, 22: 81, 24: 79, 32: 78, 38: 76, 40: 73, 48: 74, 56: 69}  # beat -> note


def hertz(note: int) -> float:
    """Equal temperament, A4 = 440 Hz = note 69."""
    return float(440 * 2 ** ((note - 69) / 12))


def voice(note: int, seconds: float, attack: float, decay: float, brightness: float) -> Signal:
    """A sum of partials, each weaker and shorter than the one below, that ends at zero."""
    t = np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros_like(t)
    for partial in range(1, 7):
        if (frequency := hertz(note) * partial) > 3400:
            break
        sound += (
            brightness ** (partial - 1) / partial * np.sin(2 * np.pi * frequency * t) * np.exp(-t * partial / decay)
        )
    fade = np.minimum(1, t / attack) * np.minimum(1, (seconds - t) / 0.05)
    return np.asarray(sound * fade)


def pad(notes: tuple[int, ...], seconds: float) -> Signal:
    """A chord that swells and sinks; two voices a hair apart for each note give it a slow beat."""
    t = np.arange(round(seconds * RATE)) / RATE
    swell = np.sin(np.pi * t / seconds) ** 1.5
    waves = (np.sin(2 * np.pi * hertz(n) * (1 + d) * t) for n in notes for d in (-0.0011, 0.0011))
    return np.asarray(sum(waves, np.zeros_like(t)) * swell)


def add(piece: Signal, start: int, sound: Signal, gain: float) -> None:
    """Add `sound` at `start`; what does not fit goes on at the beginning of the piece."""
    positions = (start + np.arange(len(sound))) % len(piece)
    np.add.at(piece, positions, sound * gain)


def compose() -> Signal:
    """The whole piece at `RMS_DBFS`."""
    bar = BEATS_PER_CHORD * BEAT
    piece = np.zeros(bar * len(CHORDS))
    for index, chord in enumerate(track(CHORDS, description="composing hold music")):
        add(piece, index * bar - BEAT // 2, pad(chord[1:4], bar / RATE * 1.3), 0.05)
        add(piece, index * bar, voice(chord[0], 3.2, 0.02, 1.4, 0.8), 0.30)
        for step, which in enumerate(PATTERN):
            accent = 0.24 if step % 4 == 0 else 0.17
            add(piece, index * bar + step * BEAT // 2, voice(chord[which], 2.0, 0.004, 0.7, 0.6), accent)
    for beat, note in MELODY.items():
        add(piece, beat * BEAT, voice(note, 3.5, 0.03, 1.6, 0.35), 0.30)
    return np.asarray(piece * 10 ** (RMS_DBFS / 20) / np.sqrt(np.mean(piece**2)))


def main() -> None:
    """Write the FLAC file."""
    piece = compose()
    peak = float(np.abs(piece).max())
    if peak >= 1:
        raise SystemExit(f"the piece would clip: peak {peak:.2f}")
    soundfile.write(TARGET, piece, RATE, subtype="PCM_16")
    print(f"{TARGET.name}: {len(piece) / RATE:.1f} s, peak {20 * np.log10(peak):.1f} dBFS")


if __name__ == "__main__":
    main()
