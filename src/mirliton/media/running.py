"""The engine's loop: step, wait for what is due or for a command, and step again.

It is compiled too: a hundred times a second through the interpreter, whose memory nothing keeps in the cache meanwhile,
cost as much as a hundred calls.
"""

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media.kernels import INTERPRETED, Int, entry, kernel
from mirliton.media.native import clock_gettime, ppoll
from mirliton.media.places import tables_at
from mirliton.media.tables import Tables
from mirliton.media.tick import step_tables

_REAL_TIME, _MONOTONIC = 0, 1  # Linux' numbers of its clocks
_SECOND = 1_000_000_000
_POLL_IN = np.int64(1) << 32  # `struct pollfd` as one number: the descriptor, then what is waited for, then what came
_LATE_NS = np.array(counting.LATE_NS, np.int64)


@kernel
def _clock(t: Tables, clock: Int) -> Int:
    """What one of the system's clocks says, ns."""
    spec = t.scratch[0].timespec
    clock_gettime(np.int32(clock), spec.ctypes.data)
    return np.int64(spec[0] * _SECOND + spec[1])


@kernel
def note_lateness(counters: NDArray[np.int64], late: Int) -> None:
    """A tick began so many ns after its time."""
    place = 0
    while place < _LATE_NS.shape[0] and _LATE_NS[place] < late:
        place += 1
    counters[counting.LATE_TICKS + place] += 1
    counters[counting.LATE_SUM] += late
    counters[counting.LATE_MOST] = max(counters[counting.LATE_MOST], late)


@kernel
def _wait(t: Tables, descriptor: Int, until: Int) -> bool:
    """Sleep until then; True, and sooner, when there is something to read (or wrong) at the descriptor."""
    work = t.scratch[0]
    left = max(0, until - _clock(t, _MONOTONIC))
    work.timespec[0], work.timespec[1] = left // _SECOND, left % _SECOND
    work.poll[0] = descriptor | _POLL_IN
    return bool(ppoll(work.poll.ctypes.data, 1, work.timespec.ctypes.data, 0) > 0)


@kernel
def run_tables(t: Tables, descriptor: Int, due: Int, until: Int) -> Int:
    """Step whenever something is due, until there is news, a command waits, or it is `until` (ns).

    `due`: when the first step should be, -1 if nothing runs; returns the same of the next one.
    """
    while True:
        now = _clock(t, _MONOTONIC)
        if 0 <= due <= now:
            note_lateness(t.counters, now - due)
        due = step_tables(t, now, _clock(t, _REAL_TIME) - now)
        if t.counters[counting.EVENTS] > 0 or now >= until:
            return np.int64(due)
        if _wait(t, descriptor, until if due < 0 else min(due, until)):
            return np.int64(due)


@kernel
def _enter(t: Tables, now: Int, real_offset: Int, descriptor: Int, due: Int, until: Int) -> Int:
    """One step, at the time that is given; with a descriptor, a run."""
    if descriptor < 0:
        return step_tables(t, now, real_offset)
    return run_tables(t, descriptor, due, until)


@entry
def _enter_at(where: NDArray[np.int64], now: Int, real_offset: Int, descriptor: Int, due: Int, until: Int) -> Int:
    return _enter(tables_at(where.ctypes.data), now, real_offset, descriptor, due, until)


def step(t: Tables, where: NDArray[np.int64], now: int, real_offset: int) -> int:
    """`step_tables`, compiled. `where` is `places.places_of(t)`."""
    return int(_enter(t, now, real_offset, -1, 0, 0) if INTERPRETED else _enter_at(where, now, real_offset, -1, 0, 0))


def run(t: Tables, where: NDArray[np.int64], descriptor: int, due: int, until: int) -> int:
    """`run_tables`, compiled: the one thing that the interpreter calls, whatever the number of legs."""
    return int(
        _enter(t, 0, 0, descriptor, due, until) if INTERPRETED else _enter_at(where, 0, 0, descriptor, due, until)
    )
