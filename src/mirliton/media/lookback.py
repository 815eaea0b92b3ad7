"""The gate's sound: what a room hears of a leg from the moment its gate opens, and the 60 ms before it.

The gate opens when a word has become loud (semantics 3.2); its beginning was softer and is past by then. So what a leg
said last is kept, and when the gate opens the leg is heard from where its word begins: up to 60 ms behind, as long as
the word lasts. The delay is given back in the next pause, or when the gate shuts. A word that begins loud is not
delayed. With energy level 0 there is no gate, and with it no delay.

What a leg said lies in `said_of` the leg: whole frames, of which the newest begins at `said_at`.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.buffers import said_of
from mirliton.media.kernels import Int, Real, fast_kernel, kernel
from mirliton.media.limits import LOOK_BACK_MS
from mirliton.media.playout import said_before
from mirliton.media.samples import clear, copy, mean_size
from mirliton.media.tables import Tables

_BLOCKS = 200  # a second; where a word begins is looked for in steps of 5 ms, and fades last as long
_SOFT = 0.25  # of the energy level: softer is background
_ABOVE_FLOOR = 2.0  # times the background's own size


@kernel
def forget_said(t: Tables, leg: Int) -> None:
    """Nothing of what was said until now is to be heard any more."""
    record = t.legs[leg]
    record.said_frame = record.behind = record.unsaid = 0


@kernel
def miss_frame(t: Tables, leg: Int, samples: Int, interval: Int) -> None:
    """Nothing came from the leg in this tick: the scratch frame is silence."""
    record = t.legs[leg]
    if record.playing and record.said_frame == samples:
        _keep(t, leg, samples, interval)  # a packet that is late now will still be heard
    else:
        forget_said(t, leg)
    if not record.talking and record.energy_level != 0:
        record.heard = 0


@kernel
def pass_gate(t: Tables, leg: Int, samples: Int, interval: Int) -> bool:
    """Turn the scratch frame, what a leg says now, into what the room hears of it. False: nothing."""
    record = t.legs[leg]
    if record.energy_level != 0 or record.behind > 0:
        _keep(t, leg, samples, interval)
    else:
        record.said_frame = 0
    if not record.judged:
        fades = _fall_silent(t, leg, samples, interval, 0)
        forget_said(t, leg)  # what is said while muted stays unsaid
        return fades
    if not record.talking and record.energy_level != 0:
        return _fall_silent(t, leg, samples, interval, record.unsaid if record.unsaid > 0 else record.behind)
    record.unsaid = 0
    if not record.heard and record.energy_level != 0:
        _begin(t, leg, samples, interval)
    elif record.behind > 0:
        _go_on(t, leg, samples, interval)
    record.heard = 1
    return True


@kernel
def _ring(samples: Int, interval: Int) -> Int:
    """How many samples are kept: this frame and at least 60 ms before it."""
    return samples * (1 + (LOOK_BACK_MS + interval - 1) // interval)


@kernel
def _keep(t: Tables, leg: Int, samples: Int, interval: Int) -> None:
    _next_frame(t, leg, samples, interval)
    record = t.legs[leg]
    record.unwritten &= ~(1 << record.said_at // samples)
    copy(t.scratch[0].frame, said_of(t, leg)[record.said_at :], samples)


@kernel
def skip_frame(t: Tables, leg: Int, samples: Int, interval: Int) -> None:
    """A packet of a leg that nobody hears was not decoded. Should its gate open soon, it will be."""
    _next_frame(t, leg, samples, interval)
    record = t.legs[leg]
    frame = record.said_at // samples
    record.unwritten |= 1 << frame
    record.behind = record.unsaid = 0
    record.said_in[frame] = (record.head - 1) & 0xFFFF


@kernel
def _next_frame(t: Tables, leg: Int, samples: Int, interval: Int) -> None:
    """The oldest frame that is kept becomes the newest."""
    record = t.legs[leg]
    if record.said_frame != samples:
        record.said_frame, record.said_at, record.said_frames = samples, 0, 0
        record.behind = record.unsaid = 0
        record.unwritten = -1
    record.said_frames += 1
    at = record.said_at + samples
    record.said_at = at if at < _ring(samples, interval) else 0


@kernel
def _write_up(t: Tables, leg: Int, samples: Int, ring: Int) -> None:
    """Decode what is not there yet, as far as it is remembered; what is no more, or was not said, is silence."""
    record, said = t.legs[leg], said_of(t, leg)
    frames = ring // samples
    for frame in range(frames):
        if not record.unwritten & (1 << frame):
            continue
        age = (record.said_at // samples - frame) % frames
        known = age < record.said_frames
        if not known or not said_before(t, leg, samples, np.int64(record.said_in[frame]), said[frame * samples :]):
            clear(said[frame * samples :], samples)
    record.unwritten = 0


@kernel
def _recall(t: Tables, leg: Int, samples: Int, interval: Int, back: Int, out: NDArray[np.int16]) -> None:
    """`out[0 : back + samples]` = what was said from `back` samples before the newest frame on, to its end."""
    record, said = t.legs[leg], said_of(t, leg)
    ring, count = _ring(samples, interval), back + samples
    if record.unwritten != 0:
        _write_up(t, leg, samples, ring)
    start = record.said_at - back
    if start < 0:
        start += ring
    first = min(count, ring - start)
    copy(said[start:], out, first)
    copy(said, out[first:], count - first)


@kernel
def _background(t: Tables, leg: Int) -> Int:
    """What is not larger than this is no word yet: the mean size of samples."""
    record = t.legs[leg]
    level = np.float64(record.energy_level)
    return np.int64(min(level, max(_SOFT * level, _ABOVE_FLOOR * record.floor)))


@kernel
def _first_word(run: NDArray[np.int16], count: Int, block: Int, background: Int) -> Int:
    """Where something is said in `run[0:count]`, to a block; `count` if nothing is."""
    for start in range(0, count, block):
        if mean_size(run[start:], block) > background:
            return np.int64(start)
    return np.int64(count)


@kernel
def _begin(t: Tables, leg: Int, samples: Int, interval: Int) -> None:
    """The gate has just opened: where does the word begin?"""
    record, work = t.legs[leg], t.scratch[0]
    block, back = record.rate // _BLOCKS, record.rate * LOOK_BACK_MS // 1000
    _recall(t, leg, samples, interval, back, work.recalled)
    word = _first_word(work.recalled, back + samples, block, _background(t, leg))
    record.behind = max(0, back - word)
    if word != back:
        copy(work.recalled[back - record.behind :], work.frame, samples)
        _fade_in(work.frame, block)


@kernel
def _go_on(t: Tables, leg: Int, samples: Int, interval: Int) -> None:
    """Behind, until nothing of what was kept is worth hearing."""
    record, work = t.legs[leg], t.scratch[0]
    block, behind = record.rate // _BLOCKS, np.int64(record.behind)
    _recall(t, leg, samples, interval, behind, work.recalled)
    copy(work.recalled, work.frame, samples)
    ungated = record.energy_level == 0
    if record.gate_close == 0 and not ungated:
        return
    count = behind + samples
    if ungated or _first_word(work.recalled, count, block, _background(t, leg)) == count:
        _cross_over(work.recalled[behind:], work.frame, block, samples)
        record.behind = 0


@kernel
def _fall_silent(t: Tables, leg: Int, samples: Int, interval: Int, left: Int) -> bool:
    """The gate is shut: `left` samples are still to be heard of a leg that was heard until now, then it fades out."""
    record, work = t.legs[leg], t.scratch[0]
    if not record.heard:
        record.behind = record.unsaid = 0
        return False
    if record.behind > 0:
        _recall(t, leg, samples, interval, record.behind, work.recalled)
        copy(work.recalled, work.frame, samples)
    if left > samples:
        record.unsaid = left - samples
        return True
    block = record.rate // _BLOCKS
    start = min(left, samples - block)
    _fade_out(work.frame[start:], block)
    clear(work.frame[start + block :], samples - start - block)
    record.heard = 0
    forget_said(t, leg)  # nothing is said twice
    return True


@fast_kernel
def _fade_in(out: NDArray[np.int16], block: Int) -> None:
    for i in range(block):
        out[i] = np.int16(_weight(i, block) * out[i])


@fast_kernel
def _fade_out(out: NDArray[np.int16], block: Int) -> None:
    for i in range(block):
        out[i] = np.int16((np.float32(1) - _weight(i, block)) * out[i])


@fast_kernel
def _cross_over(after: NDArray[np.int16], out: NDArray[np.int16], block: Int, samples: Int) -> None:
    for i in range(block):
        weight = _weight(i, block)
        out[i] = np.int16(weight * after[i] + (np.float32(1) - weight) * out[i])
    copy(after[block:], out[block:], samples - block)


@kernel
def _weight(i: Int, block: Int) -> Real:
    return np.float32(i + 1) / np.float32(block + 1)
