"""G.711 calculated against its tables: every code, and as many at a time as packets have."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mirliton.media.codecs import g711
from mirliton.media.kernels import entry

LAWS: list[tuple[NDArray[np.int16], Callable[..., Any], Callable[..., Any]]] = [
    (g711.ULAW_DECODE, entry(g711.decode_ulaw), entry(g711.size_of_ulaw)),
    (g711.ALAW_DECODE, entry(g711.decode_alaw), entry(g711.size_of_alaw)),
]


@pytest.mark.parametrize(("table", "decode", "size"), LAWS, ids=["PCMU", "PCMA"])
def test_every_code_is_decoded_as_the_table_says(
    table: NDArray[np.int16], decode: Callable[..., Any], size: Callable[..., Any]
) -> None:
    codes, out = np.arange(256, dtype=np.uint8), np.zeros(257, np.int16)
    decode(codes, out, 256)
    assert np.array_equal(out[:256], table)
    assert out[256] == 0
    generator = np.random.default_rng(1)
    for count in (1, 7, 80, 160, 960):
        some = generator.integers(0, 256, count).astype(np.uint8)
        assert size(some, count) == int(np.abs(table[some].astype(np.int64)).sum()) // count


def test_what_is_encoded_and_decoded_stays_as_it_is() -> None:
    for encode, decode in ((g711.ULAW_ENCODE, g711.ULAW_DECODE), (g711.ALAW_ENCODE, g711.ALAW_DECODE)):
        assert np.array_equal(decode[encode[decode.astype(np.int32) + 32768]], decode)
