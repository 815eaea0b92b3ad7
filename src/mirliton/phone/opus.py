"""Opus by PyAV, for the phone: libopus through ffmpeg, and nothing of the engine's way to it."""

import av
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

RATE = 48_000


class Opus:
    """Both directions of one call: mono at 48 kHz, packets as long as the sound that they are made of."""

    def __init__(self) -> None:
        self._encoder: av.AudioCodecContext | None = None
        self._decoder = av.AudioCodecContext.create("libopus", "r")
        self._decoder.sample_rate, self._decoder.layout = RATE, "mono"

    def encode(self, samples: Samples) -> bytes:
        """One packet of 10, 20, 40 or 60 ms."""
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = RATE
        if self._encoder is None:
            self._encoder = _make_encoder(1000 * len(samples) // RATE)
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))

    def decode(self, data: bytes) -> Samples:
        """What a packet says. Raises `ValueError`."""
        if not data:
            raise ValueError("no packet of Opus: nothing is in it")  # to ffmpeg this would be the end of everything
        try:
            frames = self._decoder.decode(av.Packet(data))
        except av.FFmpegError as error:
            raise ValueError(f"no packet of Opus: {error}") from error
        return np.concatenate([np.zeros(0, np.int16), *(frame.to_ndarray().reshape(-1) for frame in frames)])


def _make_encoder(ptime: int) -> av.AudioCodecContext:
    encoder = av.AudioCodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", "s16"
    encoder.bit_rate = 64_000
    encoder.options = {"frame_duration": str(ptime), "application": "audio"}
    return encoder
