"""How many callers a bridge carries on one core: the largest crowd with hardly any loss and no long gaps."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from mirliton.benchmark.result import Capacity, Trial

CARRIED, OVERLOADED, LOAD_LATE, FAILED = "carried", "overloaded", "load late", "failed"
_GROWTH = 1.4
_PRECISION = 0.08


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a search. `step`: crowds are multiples of it; `most`: the largest that is tried; `seconds`: for all trials."""

    step: int
    most: int
    seconds: float


def find_capacity(
    system: str,
    codec: str,
    room: int,
    first: int,
    limits: Limits,
    attempt: Callable[[int], Trial],
    clock: Callable[[], float] = time.monotonic,
) -> Capacity:
    """Grow from `first` until a crowd is too large, then halve the distance, until that is small or time is up.

    A trial in which the load generator was late says nothing about the bridge: it bounds the search, and what was
    carried below it is marked as limited by the load. So does one that could not be made, for whatever reason.
    """
    began, trials = clock(), list[Trial]()
    carried, too_many, callers = 0, limits.most + limits.step, _whole(first, limits)
    while carried < callers < too_many:
        if trials and clock() - began > limits.seconds:
            return Capacity(system, codec, room, carried, "time", trials)
        trials.append(attempt(callers))
        if trials[-1].verdict == CARRIED:
            carried = callers
        else:
            too_many = callers
        callers = _next(carried, too_many, limits)
    return Capacity(system, codec, room, carried, _limit(trials, too_many), trials)


def _next(carried: int, too_many: int, limits: Limits) -> int:
    if too_many > limits.most:  # nothing was too much yet
        grown = max(carried + limits.step, _whole(carried * _GROWTH, limits))
        return min(grown, limits.most // limits.step * limits.step)
    if too_many - carried <= max(limits.step, _PRECISION * too_many):
        return carried
    return _whole((carried + too_many) / 2, limits)


def _whole(callers: float, limits: Limits) -> int:
    return max(limits.step, int(callers) // limits.step * limits.step)


def _limit(trials: list[Trial], too_many: int) -> str:
    verdicts = [trial.verdict for trial in trials if trial.callers == too_many]
    if not verdicts:
        return "most"
    return "load" if LOAD_LATE in verdicts else "failure" if FAILED in verdicts else "bridge"
