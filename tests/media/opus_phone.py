"""One end of a call with Opus, by libopus itself and not by the engine's kernels."""

import ctypes

import numpy as np
from numpy.typing import NDArray

from mirliton.media.codecs import opus
from mirliton.media.limits import OPUS_DECODER_BYTES, OPUS_ENCODER_BYTES

Samples = NDArray[np.int16]
_library = opus._library


class OpusEncoder:
    """48 kHz, mono."""

    def __init__(
        self,
        bits_per_second: int = 32000,
        fec: bool = False,
        loss: int = 0,
        dtx: bool = False,
        complexity: int = 5,
        signal: int = opus.VOICE,
    ) -> None:
        self._state = np.zeros(OPUS_ENCODER_BYTES // 8, np.int64)
        opus.begin_encoder(
            self._state, 48000, bits_per_second=bits_per_second, complexity=complexity, signal=signal,
            fec=fec, loss_percent=loss, dtx=dtx,
        )  # fmt: skip

    def encode(self, pcm: Samples) -> bytes:
        """One packet."""
        out, pcm = np.zeros(1500, np.uint8), np.ascontiguousarray(pcm, np.int16)
        count = _library.opus_encode(
            ctypes.c_void_p(self._state.ctypes.data), ctypes.c_void_p(pcm.ctypes.data), len(pcm),
            ctypes.c_void_p(out.ctypes.data), len(out),
        )  # fmt: skip
        assert count > 0
        return out[:count].tobytes()


class OpusDecoder:
    """48 kHz, mono."""

    def __init__(self) -> None:
        self._state = np.zeros(OPUS_DECODER_BYTES // 8, np.int64)
        opus.begin_decoder(self._state, 48000)

    def decode(self, packet: bytes) -> Samples:
        """What a packet says."""
        out = np.zeros(5760, np.int16)
        count = _library.opus_decode(
            ctypes.c_void_p(self._state.ctypes.data), packet, len(packet), ctypes.c_void_p(out.ctypes.data), 5760, 0
        )
        assert count > 0
        return out[:count]
