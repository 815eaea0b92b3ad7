"""What a run says of one system against another: both were measured with the same callers on the same cores.

A figure of one that was overloaded bounds the ratio ("at least", "at most"); of two that were it says nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from mirliton.benchmark.judging import overload
from mirliton.benchmark.result import FLOOR, MIRLITON, Capacity, Measurement, Ratio
from mirliton.benchmark.scenario import LISTENERS

AGAINST_FLOOR = "engine's processor time against the floor"
A_CALLER = "callers for the same processor time"
CAPACITY = "callers on a core"
LISTENER = "processor time of a listener, Opus against G.711"


def ratios(measurements: Sequence[Measurement], capacities: Sequence[Capacity]) -> list[Ratio]:
    """All that can be told."""
    found = [*_of_costs(measurements), *_of_listeners(measurements), *_of_capacities(capacities)]
    return [ratio for ratio in found if ratio.value > 0]


def _of_costs(measurements: Sequence[Measurement]) -> Iterator[Ratio]:
    for ours in measurements:
        if ours.system != MIRLITON:
            continue
        for other in measurements:
            if other.scenario != ours.scenario or other.system == MIRLITON:
                continue
            if other.system == FLOOR:
                yield from _in_rounds(AGAINST_FLOOR, FLOOR, ours, other, _engine)
            else:
                yield from _in_rounds(A_CALLER, other.system, other, ours, lambda made: made.a_caller)


def _engine(made: Measurement) -> float:
    """Share of a core of the process that carries audio."""
    return next(iter(made.measured.processes.values())).total


def _in_rounds(
    of: str, against: str, above: Measurement, below: Measurement, figure: Callable[[Measurement], float]
) -> Iterator[Ratio]:
    """The median of the rounds' ratios, each between neighbours in time; nothing where there is no such round."""
    pairs = [(one, other) for one in above.each for other in below.each if one.round == other.round]
    mark = _mark(above, below)
    if mark is None or not pairs or not all(figure(other) for _, other in pairs):
        return
    values = [figure(one) / figure(other) for one, other in pairs]
    least, most = (min(values), max(values)) if above.rounds and below.rounds else (None, None)
    valid = above.valid and below.valid
    yield Ratio(of, against, above.scenario.name, median(values), mark, least, most, valid)


def _mark(above: Measurement, below: Measurement) -> str | None:
    """One that is overloaded would need more than the core that it has. None: where both are, nothing is told."""
    high, low = (any(overload(made.measured.traffic) for made in found.each) for found in (above, below))
    if high and low:
        return None
    return "at least" if high else "at most" if low else ""


def _of_listeners(measurements: Sequence[Measurement]) -> Iterator[Ratio]:
    rooms = {
        made.scenario.codec: made
        for made in measurements
        if made.system == MIRLITON and made.scenario.shape == LISTENERS
    }
    g711, opus = rooms.get("pcmu"), rooms.get("opus")
    if g711 is None or opus is None or not g711.a_caller:
        return
    # Two crowds are no neighbours in time, so their rounds are not compared one by one.
    if (mark := _mark(opus, g711)) is not None:
        value = opus.a_caller / g711.a_caller
        yield Ratio(LISTENER, MIRLITON, opus.scenario.name, value, mark, valid=opus.valid and g711.valid)


def _of_capacities(capacities: Sequence[Capacity]) -> Iterator[Ratio]:
    ours = {(found.codec, found.room): found for found in capacities if found.system == MIRLITON}
    for other in capacities:
        mine = ours.get((other.codec, other.room))
        if mine is None or other.system in (MIRLITON, FLOOR):
            continue
        if other.callers and other.limited_by == "bridge":  # else nobody knows how many more it could carry
            mark = "" if mine.limited_by == "bridge" else "at least"
            name = f"{other.codec}, rooms of {other.room}"
            yield Ratio(CAPACITY, other.system, name, mine.callers / other.callers, mark)
