"""Samples to packets' payloads: one encoder for all listeners of a mix that hear the same, one for each who does not.

An encoder collects samples until a packet is full, whatever the interval of the mix: 30 ms of sound make packets of
20 ms in turns of one and two. What comes out lies in the scratch `coded`.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media.codecs import g722
from mirliton.media.codecs.g711 import ALAW_ENCODE, ULAW_ENCODE
from mirliton.media.codecs.opus import (
    SET_BITRATE,
    SET_COMPLEXITY,
    SET_FEC,
    SET_LOSS,
    SET_SIGNAL,
    VOICE,
    opus_encode,
    opus_set,
)
from mirliton.media.expected_loss import PERCENT
from mirliton.media.kernels import Int, fast_kernel, kernel
from mirliton.media.limits import FIFO, G722_STATE, OPUS_ENCODER_BYTES
from mirliton.media.opus_states import borrow, state_of
from mirliton.media.records import G722, L16, OPUS, PCMA
from mirliton.media.samples import copy, look_up_code
from mirliton.media.tables import Tables


@kernel
def fill(t: Tables, e: Int, samples: Int) -> bool:
    """Give an encoder the scratch `frame[0:samples]`. True: it is a packet by itself, and was not copied."""
    encoder = t.encoders[e]
    if encoder.used == 0 and samples == encoder.packet:
        return True
    if encoder.used + samples > FIFO:
        encoder.used = 0
    copy(t.scratch[0].frame, t.fifos[e, encoder.used :], samples)
    encoder.used += samples
    return False


@kernel
def take(t: Tables, e: Int) -> Int:
    """Encode the next packet of the fifo; returns its bytes (none for nobody), -1 when there are too few samples."""
    encoder = t.encoders[e]
    if encoder.used < encoder.packet:
        return np.int64(-1)
    count = encode(t, e, t.fifos[e]) if encoder.wanted else np.int64(0)
    encoder.used -= encoder.packet
    fifo = t.fifos[e]
    for i in range(encoder.used):
        fifo[i] = fifo[encoder.packet + i]
    return count


@kernel
def encode(t: Tables, e: Int, pcm: NDArray[np.int16]) -> Int:
    """One packet of an encoder into the scratch `coded`; returns the number of bytes."""
    encoder, out = t.encoders[e], t.scratch[0].coded
    samples = encoder.packet
    t.counters[counting.ENCODES] += 1
    if encoder.codec == OPUS:
        return _opus(t, e, pcm, samples, out)
    if encoder.codec == G722:
        g722.encode(encoder.g722, pcm, samples // 2, out, 0)
        return np.int64(samples // 2)
    if encoder.codec == L16:
        _to_network_order(pcm, out, samples)
        return np.int64(2 * samples)
    table = ALAW_ENCODE if encoder.codec == PCMA else ULAW_ENCODE
    look_up_code(table, pcm, out, samples)
    return np.int64(samples)


@kernel
def go_on_alone(t: Tables, group: Int, own: Int) -> None:
    """A listener leaves the others: its own encoder goes on where the shared one stands, so nothing clicks."""
    shared, encoder = t.encoders[group], t.encoders[own]
    encoder.codec, encoder.rate, encoder.packet, encoder.span = shared.codec, shared.rate, shared.packet, shared.span
    encoder.most_bytes = shared.most_bytes
    encoder.prepared = shared.prepared
    encoder.used = shared.used
    copy(t.fifos[group], t.fifos[own], shared.used)
    if shared.codec == G722:
        copy(shared.g722, encoder.g722, G722_STATE)
    elif shared.codec == OPUS:
        borrow(t, own)
        copy(state_of(t, group), state_of(t, own), OPUS_ENCODER_BYTES // 8)


@kernel
def _opus(t: Tables, e: Int, pcm: NDArray[np.int16], samples: Int, out: NDArray[np.uint8]) -> Int:
    encoder, state = t.encoders[e], state_of(t, e).ctypes.data
    if encoder.prepared != encoder.loss_class and encoder.fec:
        _prepare_for_loss(t, e)
    count = opus_encode(state, pcm.ctypes.data, np.int32(samples), out.ctypes.data, np.int32(encoder.most_bytes))
    return np.int64(max(count, 0))


@kernel
def _prepare_for_loss(t: Tables, e: Int) -> None:
    encoder, state = t.encoders[e], state_of(t, e).ctypes.data
    loss = encoder.loss_class
    opus_set(state, SET_BITRATE, np.int32(encoder.fec_bits if loss > 0 else encoder.bits))
    opus_set(state, SET_SIGNAL, np.int32(VOICE if loss > 0 else encoder.plain_signal))
    opus_set(state, SET_COMPLEXITY, np.int32(encoder.complexity if loss > 0 else encoder.plain_complexity))
    opus_set(state, SET_FEC, np.int32(loss > 0))
    opus_set(state, SET_LOSS, np.int32(PERCENT[loss]))
    encoder.prepared = loss


@fast_kernel
def _to_network_order(pcm: NDArray[np.int16], out: NDArray[np.uint8], samples: Int) -> None:
    for i in range(samples):
        value = np.int32(pcm[i])
        out[2 * i] = (value >> 8) & 255
        out[2 * i + 1] = value & 255
