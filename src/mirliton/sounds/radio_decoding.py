"""Sound that comes in through a pipe, piece by piece, for as long as it comes: blocking, for a thread."""

import os
import threading

import numpy as np
import soundfile

from mirliton.sounds.decoder_notes import keep_decoders_quiet
from mirliton.sounds.decoding import Converter, Samples, Wave
from mirliton.sounds.radio_pacing import Block

BLOCK_SECONDS = 0.25
_RATES = (8000, 16000)
_MOST_CHANNELS = 8
_SLOWEST, _FASTEST = 8000, 192_000


class StreamBroken(Exception):
    """The decoder cannot go on with what comes in."""


class _Piped(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """One that takes what it reads for the only time."""

    def seekable(self) -> bool:
        """Never: `libsndfile` says that an MP3 always is, and `soundfile` would go back and forth after each read."""
        return False


class PipeDecoder:
    """Reads the pipe `descriptor`, which is closed with it; blocks for as long as nothing comes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._file: _Piped | None = None
        self._reading = threading.Lock()
        self._converters: dict[int, Converter] = {}
        self._left = {rate: np.zeros(0, np.int16) for rate in _RATES}

    def read(self) -> Block | None:
        """About a quarter of a second of sound; None at the end of the pipe. Raises `StreamBroken`."""
        with self._reading:
            while len(wave := self._mono()):
                block = self._even({rate: self._converted(rate, wave) for rate in _RATES})
                if len(block[8000]):  # the converters keep the first samples to themselves
                    return block
            return None

    def close(self) -> None:
        """Once, at the end; waits for a reader, who goes on when the pipe is closed at the other end."""
        with self._reading:
            if self._file is not None:
                self._file.close()
            os.close(self._descriptor)

    def _open(self) -> _Piped:
        keep_decoders_quiet()
        self._file = file = _Piped(self._descriptor, closefd=False)
        if not _SLOWEST <= file.samplerate <= _FASTEST:
            raise StreamBroken(f"{file.samplerate} Hz is no sample rate of a radio station")
        if file.channels > _MOST_CHANNELS:
            raise StreamBroken(f"{file.channels} channels are more than a radio station has")
        self._converters = {rate: Converter(file.samplerate, rate) for rate in _RATES}
        return file

    def _mono(self) -> Wave:
        try:
            file = self._file or self._open()
            heard = file.read(int(file.samplerate * BLOCK_SECONDS), dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, OSError) as error:
            raise StreamBroken(str(error)) from error
        return np.nan_to_num(heard.mean(axis=1, dtype=np.float32)) if len(heard) else np.zeros(0, np.float32)

    def _converted(self, rate: int, wave: Wave) -> Samples:
        converter = self._converters[rate]
        converter.feed(wave)
        return np.concatenate([self._left[rate], converter.taken()])

    def _even(self, waves: Block) -> Block:
        """Exactly twice as many samples at 16000 Hz; the converters may be ahead of each other by some."""
        count = min(len(waves[8000]), len(waves[16000]) // 2)
        cuts = {rate: count * rate // 8000 for rate in _RATES}
        self._left = {rate: waves[rate][cut:] for rate, cut in cuts.items()}
        return {rate: waves[rate][:cut] for rate, cut in cuts.items()}
