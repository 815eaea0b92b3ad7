"""A picture of what each caller heard: spectrograms, with the speakers' turns marked."""

from pathlib import Path

import numpy as np

from mirliton.demo.scene import Scene
from mirliton.demo.voices import RATE

COLOURS = ("#e69f00", "#56b4e9", "#cc79a7")


class NoPictures(Exception):
    """The optional package for pictures is not installed."""


def draw(scene: Scene, path: Path) -> None:
    """Write a PNG. Raises `NoPictures` with what to install."""
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise NoPictures("no picture: pip install 'mirliton[pictures]'") from error
    colours = dict(zip(scene.heard, COLOURS, strict=False))
    figure, axes = pyplot.subplots(len(scene.heard), sharex=False, figsize=(14, 8), layout="constrained")
    for axis, (listener, recording) in zip(axes, scene.heard.items(), strict=True):
        # The faintest noise keeps the logarithm of digital silence finite.
        audible = recording + np.random.default_rng(1).normal(0, 0.1, len(recording))
        axis.specgram(audible, NFFT=256, Fs=RATE, noverlap=128, cmap="magma", vmin=-40, vmax=45)
        for turn in scene.turns:
            began, ended = turn.began[listener], turn.ended[listener]
            axis.axvspan(began, ended, ymin=0.93, color=colours[turn.speaker])
            label = turn.speaker + " (muted)" * turn.muted + " (oneself)" * (turn.speaker == listener)
            axis.text((began + ended) / 2, RATE * 0.482, label, ha="center", va="center", fontsize=8)
        axis.set(title=f"What {listener} heard", ylabel="Hz", ylim=(0, RATE / 2), xlim=(0, len(recording) / RATE))
    axes[-1].set_xlabel("seconds since this caller's call was answered")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
