"""G.722 kernels equal the reference library to the bit."""

import G722
import numpy as np
import pytest
from numpy.typing import NDArray

from mirliton.media.codecs import g722


def _signals() -> dict[str, NDArray[np.int16]]:
    rng = np.random.default_rng(7)
    t = np.arange(16000) / 16000
    return {
        "noise": rng.integers(-32768, 32768, 16000).astype(np.int16),
        "tone": (12000 * np.sin(2 * np.pi * 1000 * t)).astype(np.int16),
        "high tone": (9000 * np.sin(2 * np.pi * 6100 * t)).astype(np.int16),
        "square at full scale": np.where(np.sin(2 * np.pi * 310 * t) > 0, 32767, -32768).astype(np.int16),
        "silence": np.zeros(16000, np.int16),
    }


def _encode(pcm: NDArray[np.int16], block: int) -> NDArray[np.uint8]:
    state, out = g722.initial_state(), np.zeros(len(pcm) // 2, np.uint8)
    for at in range(0, len(out), block):
        g722.encode(state, pcm[2 * at :], min(block, len(out) - at), out, at)
    return out


def _decode(code: NDArray[np.uint8], block: int) -> NDArray[np.int16]:
    state, out = g722.initial_state(), np.zeros(2 * len(code), np.int16)
    for at in range(0, len(code), block):
        g722.decode(state, code, at, min(block, len(code) - at), out[2 * at :])
    return out


@pytest.mark.parametrize("name", list(_signals()))
def test_encodes_like_the_reference(name: str) -> None:
    pcm = _signals()[name]
    assert bytes(_encode(pcm, 160)) == G722.G722(16000, 64000).encode(pcm)


@pytest.mark.parametrize("name", list(_signals()))
def test_decodes_like_the_reference(name: str) -> None:
    code = np.frombuffer(G722.G722(16000, 64000).encode(_signals()[name]), np.uint8)
    assert np.array_equal(_decode(code, 160), np.frombuffer(G722.G722(16000, 64000).decode(bytes(code)), np.int16))


def test_any_bytes_decode_like_the_reference() -> None:
    code = np.random.default_rng(1).integers(0, 256, 8000).astype(np.uint8)
    assert np.array_equal(_decode(code, 160), np.frombuffer(G722.G722(16000, 64000).decode(bytes(code)), np.int16))


def test_where_packets_are_cut_changes_nothing() -> None:
    pcm = _signals()["noise"]
    assert np.array_equal(_encode(pcm, 80), _encode(pcm, 480))
