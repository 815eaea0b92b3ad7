"""Several rounds of one system with one crowd, as one measurement.

On a machine that is shared, one round after the other is luck. Processor time and memory are those of the median
round, packets are counted together, percentiles are of all samples together, and what went wrong or was late is that of
the worst round.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TypeVar

from mirliton.benchmark.result import Account, Delay, Measured, Measurement, Memory, SetUp, Share, Ticks, Traffic
from mirliton.benchmark.sipp import percentile

_GAPS_IN_MS = 10
_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True)
class Samples:
    """What percentiles are of. `gaps`: how many lasted so many tenths of a millisecond; the others in ms."""

    gaps: Mapping[int, int]
    delays: Sequence[float]
    responses: Sequence[float]


def combined(made: Sequence[Measurement], samples: Sequence[Samples]) -> Measurement:
    """All rounds of one system with one crowd, which are kept in it. One round alone stays as it is."""
    if len(made) == 1:
        return made[0]
    first, set_ups = made[0], [found.set_up for found in made if found.set_up is not None]
    accounts = [found.account for found in made if found.account is not None]
    return Measurement(
        system=first.system,
        scenario=first.scenario,
        measured=_measured([found.measured for found in made], samples),
        set_up=_set_up(set_ups, [time for kept in samples for time in kept.responses]) if set_ups else None,
        burst=next((found.burst for found in made if found.burst is not None), None),
        memory=_memory([found.memory for found in made]),
        account=_account(accounts) if accounts else None,
        problems=_of_rounds(made, lambda found: found.problems),
        notes=_of_rounds(made, lambda found: found.notes),
        rounds=list(made),
    )


def middle(items: Sequence[_Kind], figure: Callable[[_Kind], float]) -> list[_Kind]:
    """That with the median figure; of an even number the two whose mean is the median."""
    ordered = sorted(items, key=figure)
    return ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]


def _of_rounds(made: Sequence[Measurement], texts: Callable[[Measurement], list[str]]) -> list[str]:
    """What was said of each, with its number."""
    return [f"round {found.round}: {text}" for found in made for text in texts(found)]


def _measured(each: Sequence[Measured], samples: Sequence[Samples]) -> Measured:
    """Shares are those of the median round, so that the parts sum up to the whole."""
    median_ones = middle(each, lambda made: made.total)
    names = median_ones[0].processes
    return Measured(
        processes={name: _mean_share(made.processes[name] for made in median_ones) for name in names},
        load=_mean_share(made.load for made in median_ones),
        core_busy=_mean_share(made.core_busy for made in median_ones),
        core_stolen=fmean(made.core_stolen for made in median_ones),
        traffic=_traffic([made.traffic for made in each], [kept.gaps for kept in samples]),
        hearing=min(made.hearing for made in each),
        delay=_delay([made.delay for made in each], [time for kept in samples for time in kept.delays]),
        dropped_by_load=sum(made.dropped_by_load for made in each),
        dropped_by_bridge=sum(made.dropped_by_bridge for made in each),
        load_core_stolen=fmean(made.load_core_stolen for made in median_ones),
        by_second=[second for made in each for second in made.by_second],
    )


def _mean_share(shares: Iterable[Share]) -> Share:
    found = list(shares)
    return Share(fmean(share.user for share in found), fmean(share.system for share in found))


def _traffic(each: Sequence[Traffic], gaps: Sequence[Mapping[int, int]]) -> Traffic:
    together = Counter[int]()
    for found in gaps:
        together.update(found)
    return Traffic(
        calls=each[0].calls,
        seconds=sum(found.seconds for found in each),
        sent=sum(found.sent for found in each),
        received=sum(found.received for found in each),
        expected=sum(found.expected for found in each),
        due=sum(found.due for found in each),
        fewest=min(found.fewest for found in each),
        silent=max(found.silent for found in each),
        gap_p50_ms=_gap_below(together, 0.5),
        gap_p99_ms=_gap_below(together, 0.99),
        gap_p999_ms=_gap_below(together, 0.999),
        gap_max_ms=max(found.gap_max_ms for found in each),
        slots=sum(found.slots for found in each),
        late_slots=sum(found.late_slots for found in each),
        latest_ms=max(found.latest_ms for found in each),
        unkept=sum(found.unkept for found in each),
    )


def _gap_below(gaps: Mapping[int, int], fraction: float) -> float:
    """As `rtpload` tells it of one round, in ms."""
    seen, total = 0, sum(gaps.values())
    for tenths in sorted(gaps):
        seen += gaps[tenths]
        if seen >= fraction * total:
            return tenths / _GAPS_IN_MS
    return 0.0


def _delay(each: Sequence[Delay], added: Sequence[float]) -> Delay:
    ordered = sorted(added)
    deaf = max(found.deaf for found in each)
    return Delay(len(ordered), deaf, percentile(ordered, 0.5), percentile(ordered, 0.99))


def _set_up(each: Sequence[SetUp], responses: Sequence[float]) -> SetUp:
    ordered = sorted(responses)
    return SetUp(
        calls=sum(found.calls for found in each),
        answered=sum(found.answered for found in each),
        offered=each[0].offered,
        reached=median(found.reached for found in each),
        p50_ms=percentile(ordered, 0.5),
        p99_ms=percentile(ordered, 0.99),
        max_ms=ordered[-1] if ordered else None,
    )


def _memory(each: Sequence[Memory]) -> Memory:
    found = middle(each, lambda memory: memory.per_call())
    idle = {name: round(fmean(memory.idle[name] for memory in found)) for name in found[0].idle}
    loaded = {name: round(fmean(memory.loaded[name] for memory in found)) for name in found[0].loaded}
    return Memory(idle, loaded, found[0].calls)


def _account(each: Sequence[Account]) -> Account:
    return Account(
        members_at_start=min(found.members_at_start for found in each),
        members_at_end=min(found.members_at_end for found in each),
        restarts=sum(found.restarts for found in each),
        ticks=_ticks([found.ticks for found in each]),
        per_frame={name: median(found.per_frame[name] for found in each) for name in each[0].per_frame},
    )


def _ticks(each: Sequence[Ticks]) -> Ticks:
    told = [ticks.p999_ms for ticks in each if ticks.p999_ms is not None]
    return Ticks(
        mean_ms=max(ticks.mean_ms for ticks in each),
        worst_second_mean_ms=max(ticks.worst_second_mean_ms for ticks in each),
        max_ms=max(ticks.max_ms for ticks in each),
        p999_ms=max(told) if told else None,
        skipped=sum(ticks.skipped for ticks in each),
    )
