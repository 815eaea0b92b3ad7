"""G.722 at 64 kbit/s (ITU-T G.722) as kernels: 16 kHz samples <-> one byte for each two samples.

Why our own: the engine may not call Python for each packet, and the wheels of G.722 libraries export no C symbols that
a kernel could call. The library (`G722` on the package index) is the oracle in the tests: equal to the bit.

State is an int32 vector: two bands of 28 (s, sp, sz, nb, det, r[3], a[3], p[3], d[7], b[7]) and the 24 taps of the
QMF. `initial_state` makes one. Names of blocks are those of the recommendation.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import G722_STATE

_S, _SP, _SZ, _NB, _DET, _R, _A, _P, _D, _B = 0, 1, 2, 3, 4, 5, 8, 11, 14, 21
_BAND = 28
_QMF = 2 * _BAND


def _table(*values: Int) -> NDArray[np.int32]:
    return np.array(values, np.int32)


_WL = _table(-60, -30, 58, 172, 334, 538, 1198, 3042)
_RL42 = _table(0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0)
_ILB = np.round(2048 * 2 ** (np.arange(32) / 32)).astype(np.int32)
_WH = _table(0, -214, 798)
_RH2 = _table(2, 1, 2, 1)
_QM2 = _table(-7408, -1616, 7408, 1616)
_QM4 = _table(
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0
)  # fmt: skip
_QM6_MAGNITUDES = [
    24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728,
]  # fmt: skip
_QM6 = _table(-136, -136, -136, -136, *[-m for m in _QM6_MAGNITUDES], *_QM6_MAGNITUDES, 432, 136, -432, -136)
_Q6 = _table(
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
    1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
)  # fmt: skip
_ILN = _table(0, 63, 62, *range(31, 3, -1))
_ILP = _table(0, *range(61, 31, -1))
_QMF_TAPS = _table(3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11)


def initial_state() -> NDArray[np.int32]:
    """The state before the first sample, for either direction."""
    state = np.zeros(G722_STATE, np.int32)
    reset(state)
    return state


@kernel
def reset(state: NDArray[np.int32]) -> None:
    """Back to the state before the first sample."""
    for i in range(state.shape[0]):
        state[i] = 0
    state[_DET] = 32
    state[_BAND + _DET] = 8


@kernel
def _saturate(value: Int) -> Int:
    return max(-32768, min(32767, value))


@kernel
def _adapt_poles(state: NDArray[np.int32], o: Int) -> tuple[Int, Int]:
    """UPPOL1 and UPPOL2."""
    p0, p1, p2 = state[o + _P] >> 15, state[o + _P + 1] >> 15, state[o + _P + 2] >> 15
    wd1 = _saturate(np.int64(state[o + _A + 1]) << 2)
    wd2 = min(32767, -wd1 if p0 == p1 else wd1)
    wd3 = (128 if p0 == p2 else -128) + (wd2 >> 7) + ((np.int64(state[o + _A + 2]) * 32512) >> 15)
    a2 = max(-12288, min(12288, wd3))
    a1 = _saturate((192 if p0 == p1 else -192) + ((np.int64(state[o + _A + 1]) * 32640) >> 15))
    limit = _saturate(15360 - a2)
    return max(-limit, min(limit, a1)), a2


@kernel
def _adapt_zeros(state: NDArray[np.int32], o: Int, d: Int) -> None:
    """UPZERO, in place; uses d[1..6] before they are shifted."""
    step = 0 if d == 0 else 128
    sign = d >> 15
    for i in range(1, 7):
        wd2 = step if (state[o + _D + i] >> 15) == sign else -step
        state[o + _B + i] = _saturate(wd2 + ((np.int64(state[o + _B + i]) * 32640) >> 15))


@kernel
def _predict(state: NDArray[np.int32], o: Int, d: Int) -> None:
    """Block 4: reconstruct, adapt both predictors, and predict the next sample."""
    state[o + _D] = d
    state[o + _R] = _saturate(np.int64(state[o + _S]) + d)
    state[o + _P] = _saturate(np.int64(state[o + _SZ]) + d)
    a1, a2 = _adapt_poles(state, o)
    _adapt_zeros(state, o, d)
    for i in range(6, 0, -1):
        state[o + _D + i] = state[o + _D + i - 1]
    for i in range(2, 0, -1):
        state[o + _R + i] = state[o + _R + i - 1]
        state[o + _P + i] = state[o + _P + i - 1]
    state[o + _A + 1], state[o + _A + 2] = a1, a2
    pole1 = (np.int64(a1) * _saturate(2 * np.int64(state[o + _R + 1]))) >> 15
    pole2 = (np.int64(a2) * _saturate(2 * np.int64(state[o + _R + 2]))) >> 15
    state[o + _SP] = _saturate(pole1 + pole2)
    zeros = np.int64(0)
    for i in range(6, 0, -1):
        zeros += (np.int64(state[o + _B + i]) * _saturate(2 * np.int64(state[o + _D + i]))) >> 15
    state[o + _SZ] = _saturate(zeros)
    state[o + _S] = _saturate(np.int64(state[o + _SP]) + np.int64(state[o + _SZ]))


@kernel
def _scale(state: NDArray[np.int32], o: Int, step: Int, most: Int, shift: Int) -> None:
    """LOGSCL and SCALEL (or the high band's): the next quantiser step size."""
    nb = ((np.int64(state[o + _NB]) * 127) >> 7) + step
    nb = max(0, min(most, nb))
    state[o + _NB] = nb
    down = shift - (nb >> 11)
    base = np.int64(_ILB[(nb >> 6) & 31])
    state[o + _DET] = (base << -down if down < 0 else base >> down) << 2


@kernel
def _low_band_step(state: NDArray[np.int32], index: Int) -> None:
    d = (np.int64(state[_DET]) * _QM4[index]) >> 15
    _scale(state, 0, _WL[_RL42[index]], 18432, 8)
    _predict(state, 0, d)


@kernel
def _high_band_step(state: NDArray[np.int32], index: Int) -> None:
    d = (np.int64(state[_BAND + _DET]) * _QM2[index]) >> 15
    _scale(state, _BAND, _WH[_RH2[index]], 22528, 10)
    _predict(state, _BAND, d)


@kernel
def decode(state: NDArray[np.int32], code: NDArray[np.uint8], at: Int, count: Int, out: NDArray[np.int16]) -> None:
    """Decode `count` bytes from `code[at]` into `out[0 : 2 * count]`."""
    for k in range(count):
        byte = np.int64(code[at + k])
        low_index, high_index = byte & 63, byte >> 6
        low = np.int64(state[_S]) + ((np.int64(state[_DET]) * _QM6[low_index]) >> 15)
        low = max(-16384, min(16383, low))
        high = np.int64(state[_BAND + _S]) + ((np.int64(state[_BAND + _DET]) * _QM2[high_index]) >> 15)
        high = max(-16384, min(16383, high))
        _low_band_step(state, low_index >> 2)
        _high_band_step(state, high_index)
        for i in range(22):
            state[_QMF + i] = state[_QMF + i + 2]
        state[_QMF + 22], state[_QMF + 23] = low + high, low - high
        even, odd = np.int64(0), np.int64(0)
        for i in range(12):
            even += np.int64(state[_QMF + 2 * i]) * _QMF_TAPS[i]
            odd += np.int64(state[_QMF + 2 * i + 1]) * _QMF_TAPS[11 - i]
        out[2 * k] = _saturate(odd >> 11)
        out[2 * k + 1] = _saturate(even >> 11)


@kernel
def encode(state: NDArray[np.int32], pcm: NDArray[np.int16], count: Int, out: NDArray[np.uint8], at: Int) -> None:
    """Encode `pcm[0 : 2 * count]` into `count` bytes from `out[at]`."""
    for k in range(count):
        for i in range(22):
            state[_QMF + i] = state[_QMF + i + 2]
        state[_QMF + 22], state[_QMF + 23] = pcm[2 * k], pcm[2 * k + 1]
        even, odd = np.int64(0), np.int64(0)
        for i in range(12):
            odd += np.int64(state[_QMF + 2 * i]) * _QMF_TAPS[i]
            even += np.int64(state[_QMF + 2 * i + 1]) * _QMF_TAPS[11 - i]
        low_index = _quantise_low(state, (even + odd) >> 14)
        high_index = _quantise_high(state, (even - odd) >> 14)
        _low_band_step(state, low_index >> 2)
        _high_band_step(state, high_index)
        out[at + k] = (high_index << 6) | low_index


@kernel
def _quantise_low(state: NDArray[np.int32], sample: Int) -> Int:
    """SUBTRA and QUANTL."""
    error = _saturate(sample - np.int64(state[_S]))
    size = error if error >= 0 else -(error + 1)
    i = 1
    while i < 30 and size >= ((np.int64(_Q6[i]) * np.int64(state[_DET])) >> 12):
        i += 1
    return np.int64(_ILN[i]) if error < 0 else np.int64(_ILP[i])


@kernel
def _quantise_high(state: NDArray[np.int32], sample: Int) -> Int:
    """SUBTRA and QUANTH."""
    error = _saturate(sample - np.int64(state[_BAND + _S]))
    size = error if error >= 0 else -(error + 1)
    far = size >= ((564 * np.int64(state[_BAND + _DET])) >> 12)
    if error < 0:
        return np.int64(0) if far else np.int64(1)
    return np.int64(2) if far else np.int64(3)
