"""What a run says of one system against another: both were measured with the same callers on the same cores."""

from collections.abc import Iterator, Sequence

from mirliton.benchmark.judging import overload
from mirliton.benchmark.result import FLOOR, MIRLITON, Capacity, Measurement, Ratio
from mirliton.benchmark.scenario import LISTENERS

AGAINST_FLOOR = "processor time against the floor"
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
            if other.system == FLOOR and other.measured.total:
                engine = next(iter(ours.measured.processes.values())).total
                yield Ratio(AGAINST_FLOOR, FLOOR, ours.scenario.name, engine / other.measured.total)
            elif ours.measured.total:
                # One that is overloaded would need more than the core that it has: it is at least this much dearer.
                mark = "at least" if overload(other.measured.traffic) else ""
                yield Ratio(A_CALLER, other.system, ours.scenario.name, other.a_caller / ours.a_caller, mark)


def _of_listeners(measurements: Sequence[Measurement]) -> Iterator[Ratio]:
    rooms = {
        made.scenario.codec: made
        for made in measurements
        if made.system == MIRLITON and made.scenario.shape == LISTENERS
    }
    g711, opus = rooms.get("pcmu"), rooms.get("opus")
    if g711 is not None and opus is not None and g711.a_caller:
        yield Ratio(LISTENER, MIRLITON, opus.scenario.name, opus.a_caller / g711.a_caller)


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
