"""The phone's codecs: G.711 by tables, L16, Opus by PyAV, and G.722 when the optional package `G722` is there.

Deliberately not the engine's own: a phone that shared its tables, or its way to libopus, would hear nothing wrong when
they are wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

_BIAS = 0x84  # of mu-law, so that every segment starts at a power of two
_CLIP = 32635


class CodecMissing(Exception):
    """The codec is unknown, or its package is not installed."""


@dataclass(frozen=True, slots=True)
class Codec:
    """The codec of one call. `rate` is that of the samples in Hz, `clock` that of RTP timestamps.

    `decode` raises `ValueError` for a payload that makes no sense.
    """

    name: str
    payload_type: int
    rate: int
    encode: Callable[[Samples], bytes]
    decode: Callable[[bytes], Samples]
    clock: int = 8000  # G722 too, for historical reasons (RFC 3551 section 4.5.2)


PAYLOAD_TYPES = {"PCMU": 0, "PCMA": 8, "G722": 9, "OPUS": 107, "L16/48000": 112, "L16/16000": 113, "L16/8000": 114}
"""The codecs there are; those from 96 on are only what we propose."""


def open_codec(name: str, payload_type: int | None = None) -> Codec:
    """A fresh codec by its name, one of `PAYLOAD_TYPES`. Raises `CodecMissing` with what to do.

    `payload_type`: what was agreed on instead of our proposal.
    """
    number = PAYLOAD_TYPES.get(name.upper(), 0) if payload_type is None else payload_type
    match name.upper():
        case "PCMU":
            return _g711("PCMU", number, _MU_ENCODE, _MU_DECODE)
        case "PCMA":
            return _g711("PCMA", number, _A_ENCODE, _A_DECODE)
        case "G722":
            return _g722(number)
        case "OPUS":
            return _opus(number)
        case linear if linear in PAYLOAD_TYPES:
            rate = int(linear.removeprefix("L16/"))
            return Codec(linear, number, rate, _to_network_order, _from_network_order, rate)
    raise CodecMissing(f"codec {name!r} is not known: use {', '.join(PAYLOAD_TYPES)}")


def _opus(payload_type: int) -> Codec:
    from mirliton.phone.opus import RATE, Opus  # loads all of ffmpeg, which only who speaks Opus should wait for

    opus = Opus()
    return Codec("OPUS", payload_type, RATE, opus.encode, opus.decode, RATE)


def _to_network_order(samples: Samples) -> bytes:
    return samples.astype(">i2").tobytes()


def _from_network_order(data: bytes) -> Samples:
    return np.frombuffer(data, ">i2").astype(np.int16)


def _g722(payload_type: int) -> Codec:
    try:
        from G722 import G722
    except ImportError as error:
        raise CodecMissing("G722 needs one more package: pip install G722") from error
    encoder, decoder = G722(16000, 64000), G722(16000, 64000)  # each holds the state of one direction
    return Codec(
        "G722",
        payload_type,
        16000,
        lambda samples: bytes(encoder.encode(samples)),
        lambda data: np.asarray(decoder.decode(data), np.int16),
    )


def _g711(name: str, payload_type: int, encoding: npt.NDArray[np.uint8], decoding: Samples) -> Codec:
    return Codec(
        name,
        payload_type,
        8000,
        lambda samples: encoding[samples.view(np.uint16)].tobytes(),
        lambda data: decoding[np.frombuffer(data, np.uint8)],
    )


def _all_samples() -> npt.NDArray[np.int32]:
    """Every 16-bit value in the order of its unsigned pattern, which is the index of the encode tables."""
    return np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)


def _mu_encode_table() -> npt.NDArray[np.uint8]:
    """G.711 section 3.2: sign, three bits of segment, four bits of step, all inverted."""
    values = _all_samples()
    magnitude = np.minimum(np.abs(values), _CLIP) + _BIAS
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    step = (magnitude >> (segment + 3)) & 0x0F
    code = ~(np.where(values < 0, 0x80, 0) | (segment << 4) | step) & 0xFF
    return np.asarray(code, np.uint8)


def _mu_decode_table() -> Samples:
    codes = ~np.arange(256) & 0xFF
    segment, step = (codes >> 4) & 7, codes & 0x0F
    magnitude = (((step << 3) + _BIAS) << segment) - _BIAS
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)


def _a_encode_table() -> npt.NDArray[np.uint8]:
    """G.711 section 3.1: 13 bits; the lowest two segments share a step size; even bits inverted."""
    values = _all_samples()
    magnitude = np.where(values < 0, -values - 1, values) >> 3
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    step = np.where(segment == 0, magnitude >> 1, magnitude >> np.maximum(segment, 1)) & 0x0F
    code = (np.where(values < 0, 0, 0x80) | (segment << 4) | step) ^ 0x55
    return np.asarray(code, np.uint8)


def _a_decode_table() -> Samples:
    codes = np.arange(256) ^ 0x55
    segment, step = (codes >> 4) & 7, codes & 0x0F
    base = (step << 4) + 8
    magnitude = np.where(segment == 0, base, (base + 0x100) << np.maximum(segment - 1, 0))
    return np.where(codes & 0x80, magnitude, -magnitude).astype(np.int16)


_MU_ENCODE, _MU_DECODE = _mu_encode_table(), _mu_decode_table()
_A_ENCODE, _A_DECODE = _a_encode_table(), _a_decode_table()
