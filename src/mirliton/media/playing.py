"""Sounds: clips from shared memory, played one after the other from a queue, or round and round in a loop."""

import numpy as np
from numpy.typing import NDArray

from mirliton.media.kernels import Int, fast_kernel, kernel
from mirliton.media.records import PLAY_DONE
from mirliton.media.sources import push_event
from mirliton.media.tables import Tables

_SAMPLE = 125_000  # ns at 8 kHz


@fast_kernel
def _add(t: Tables, play: Int, out: NDArray[np.float32], at: Int, room: Int, ratio: Int) -> Int:
    """Add up to `room` samples of one sound to `out[at:]`; returns how many there were before its end."""
    record = t.plays[play]
    place = (record.phase + record.at) % record.length if record.live else np.int64(record.at)
    start = (record.offset_8k if ratio == 1 else record.offset_16k) + place * ratio
    count = min(room, (record.length - max(place, record.at)) * ratio)
    for i in range(count):
        out[at + i] += record.gain * t.clips[start + i]
    record.at += count // ratio
    return np.int64(count)


@kernel
def _again(t: Tables, play: Int) -> bool:
    """At its end: go round once more?"""
    record = t.plays[play]
    if record.length == 0 or record.loops == 1:
        return False
    if record.loops > 1:
        record.loops -= 1
    record.at = 0
    return True


@kernel
def _follow_clock(t: Tables, play: Int, clock: Int) -> None:
    """A live sound is heard where the clock (samples at 8 kHz) stands, whenever its playing began."""
    if t.plays[play].live:
        t.plays[play].phase = clock - t.plays[play].at


@kernel
def play_queue(t: Tables, head: Int, out: NDArray[np.float32], n: Int, rate: Int, due: Int) -> Int:
    """Add a queue's sounds to `out[0:n]`, without a gap between them. Returns the new head (-1: empty).

    `due`: when the first sample is to be heard (ns).
    """
    done, ratio = np.int64(0), rate // 8000
    while head >= 0 and done < n:
        _follow_clock(t, head, due // _SAMPLE + done // ratio)
        done += _add(t, head, out, done, n - done, ratio)
        if t.plays[head].at >= t.plays[head].length and not _again(t, head):
            following = t.plays[head].next
            push_event(t, PLAY_DONE, t.plays[head].leg, head, 1)
            head = following
    return head


@kernel
def play_loop(t: Tables, play: Int, out: NDArray[np.float32], n: Int, rate: Int, due: Int) -> None:
    """Add an endless sound to `out[0:n]`, the first sample of which is to be heard at `due` (ns)."""
    done = np.int64(0)
    while done < n and t.plays[play].length > 0:
        _follow_clock(t, play, due // _SAMPLE + done // (rate // 8000))
        done += _add(t, play, out, done, n - done, rate // 8000)
        if t.plays[play].at >= t.plays[play].length:
            t.plays[play].at = 0
