"""What the callers say: a few seconds of sound like speech, encoded once, which the load generator repeats.

Encoding at run time would make the generator dearer than the bridge. Talkers talk without pauses, the dearest case.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from mirliton.media.codecs.g711 import ULAW_DECODE, ULAW_ENCODE

Samples = NDArray[np.int16]
Packets = list[bytes]

FRAME_MS = 20
FRAMES = 250
"""Of a loop: five seconds, so that a delay of up to some seconds is told without doubt."""
TALKERS = 16
"""Different voices; talkers of one room have different ones as long as there are no more."""
_PEAK = 12_000
_LOWEST_HZ, _CORNER_HZ, _HIGHEST_HZ = 150.0, 500.0, 3400.0
_SYLLABLES_HZ = 4.0
_OPUS_BITS = 32_000
_DTX_FRAMES = 20  # libopus itself breaks a silence with a packet every 400 ms


@dataclass(frozen=True, slots=True)
class Coding:
    """A codec as the load uses it. `rate`: of the samples and of the RTP clock, in Hz.

    `encode` takes whole frames of 20 ms and returns a packet for each; `decode` the other way, with a decoder of its
    own in each call; of what is no packet of this codec it makes no samples.
    """

    name: str
    payload_type: int
    rate: int
    encode: Callable[[Samples], Packets]
    decode: Callable[[Sequence[bytes]], list[Samples]]

    @property
    def frame(self) -> int:
        """Samples in 20 ms."""
        return self.rate * FRAME_MS // 1000


def _encode_pcmu(samples: Samples) -> Packets:
    data = ULAW_ENCODE[samples.astype(np.int32) + 32768].tobytes()
    return [data[at : at + 160] for at in range(0, len(data), 160)]


def _decode_pcmu(packets: Sequence[bytes]) -> list[Samples]:
    return [ULAW_DECODE[np.frombuffer(packet, np.uint8)] for packet in packets]


def _encode_opus(samples: Samples) -> Packets:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    encoder.bit_rate = _OPUS_BITS
    encoder.options = {"application": "voip", "frame_duration": str(FRAME_MS), "vbr": "on", "compression_level": "5"}
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = 48_000
    packets = [bytes(packet) for packet in encoder.encode(frame)]
    return packets[: len(samples) // 960]


def _decode_opus(packets: Sequence[bytes]) -> list[Samples]:
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    decoded = []
    for packet in packets:
        try:
            frames = decoder.decode(av.Packet(packet)) if packet else []
        except av.FFmpegError:  # what a bridge sends need not be Opus: nothing is heard of it
            frames = []
        parts = [np.asarray(frame.to_ndarray()).reshape(-1) for frame in frames]
        decoded.append(np.concatenate(parts).astype(np.int16) if parts else np.zeros(0, np.int16))
    return decoded


CODINGS = {
    "pcmu": Coding("PCMU", 0, 8000, _encode_pcmu, _decode_pcmu),
    "opus": Coding("opus", 111, 48_000, _encode_opus, _decode_opus),
}
"""By the names of `--codec`."""


def speech(talker: int, rate: int, frames: int = FRAMES) -> Samples:
    """Noise with the spectrum and the syllables of speech, another for each talker, that can be repeated seamlessly."""
    count = frames * rate * FRAME_MS // 1000
    hertz = np.fft.rfftfreq(count, 1 / rate)
    level = np.where((hertz > _LOWEST_HZ) & (hertz < _HIGHEST_HZ), 1 / np.maximum(1.0, hertz / _CORNER_HZ), 0.0)
    phases = np.random.default_rng(talker).uniform(0, 2 * np.pi, len(hertz))
    noise = np.fft.irfft(level * np.exp(1j * phases), count)
    syllables = 0.6 + 0.4 * np.sin(2 * np.pi * _SYLLABLES_HZ * np.arange(count) / rate + talker)
    sound = noise * syllables
    made: Samples = (sound / np.abs(sound).max() * _PEAK).astype(np.int16)
    return made


def loop_of(coding: Coding, talker: int | None, *, dtx: bool = False) -> Packets:
    """The packets of a talker's loop, or of silence (None). With `dtx` most packets of a silence are empty: not sent.

    It is encoded twice over, and the second time kept, so that it goes on from its own end.
    """
    count = FRAMES * coding.frame
    once = np.zeros(count, np.int16) if talker is None else speech(talker, coding.rate)
    packets = coding.encode(np.concatenate([once, once]))[FRAMES:]
    if dtx and talker is None:
        return [packet if k % _DTX_FRAMES == 0 else b"" for k, packet in enumerate(packets)]
    return packets


def said(coding: Coding, talker: int) -> Samples:
    """What a talker's loop sounds like after one decoder: `FRAMES` frames."""
    packets = loop_of(coding, talker)
    return np.concatenate(coding.decode(packets + packets)[FRAMES:])


def write_voices(path: Path, coding: Coding, *, dtx: bool = False) -> None:
    """The file that `rtpload` reads, see its head."""
    loops = [loop_of(coding, None, dtx=dtx), *(loop_of(coding, talker) for talker in range(TALKERS))]
    with path.open("wb") as file:
        file.write(struct.pack("<3I", coding.payload_type, coding.frame, len(loops)))
        for loop in loops:
            file.write(struct.pack("<I", len(loop)))
            for packet in loop:
                file.write(struct.pack("<I", len(packet)) + packet)


def talker_of(call: int) -> int:
    """Which talker's loop a call says, if it talks: as `rtpload` deals them out."""
    return call % TALKERS
