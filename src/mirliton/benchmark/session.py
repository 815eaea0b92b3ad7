"""The whole run: every crowd with every system, one after the other, then the limits of each."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, product

import msgspec

from mirliton.benchmark import janus
from mirliton.benchmark.building import ToolMissing
from mirliton.benchmark.capacity import CARRIED, FAILED, LOAD_LATE, OVERLOADED, Limits, find_capacity
from mirliton.benchmark.children import ProgramFailed
from mirliton.benchmark.floor import floor
from mirliton.benchmark.foreign import Foreign, starting
from mirliton.benchmark.judging import load_problems, overload
from mirliton.benchmark.peer import Bench, StartPeer
from mirliton.benchmark.ports import NoPorts
from mirliton.benchmark.result import FLOOR, MIRLITON, Capacity, Failure, Measurement, Scenario, Trial
from mirliton.benchmark.rounds import Samples, combined
from mirliton.benchmark.run import Pace, run
from mirliton.benchmark.server import serve
from mirliton.demo.rest import RestRefused

SYSTEMS = (FLOOR, MIRLITON, janus.NAME)
FAILURES = (ToolMissing, ProgramFailed, NoPorts, RestRefused, OSError)
"""What one measurement may end with without ending the run."""
_ROOM = 10
_FIRST_SHARE = 0.75
_GUESSES = {(MIRLITON, "pcmu"): 1200, (MIRLITON, "opus"): 150, (janus.NAME, "pcmu"): 350, (janus.NAME, "opus"): 40}
"""Where a search begins that has no measurement to begin with."""
_SIP_BRIDGES = ("asterisk", "freeswitch")
_TRIAL_RATE = 100.0
TRIAL_WARM_UP = 2.0
"""Seconds between the last call of a trial and its measurement."""


@dataclass(frozen=True, slots=True)
class Search:
    """How the limits are looked for. `seconds`: of one trial; `bound`: of all trials of one system and codec."""

    seconds: float
    bound: float
    most: int
    talkers: int
    room: int = _ROOM


def systems(
    wanted: Sequence[str], others: Sequence[Foreign], seconds: float
) -> tuple[dict[str, StartPeer], dict[str, str]]:
    """How each is started, and which are absent and why. `seconds`: how long a crowd stays once all are there."""
    known: dict[str, StartPeer] = {FLOOR: floor, MIRLITON: serve, janus.NAME: janus.janus}
    found = {name: known[name] for name in SYSTEMS if name in wanted}
    absent: dict[str, str] = {}
    if janus.NAME in found and shutil.which(janus.PROGRAM) is None:
        del found[janus.NAME]
        absent[janus.NAME] = f"not installed: sudo apt-get install {janus.PACKAGE}"
    found |= {other.name: starting(other, seconds) for other in others}
    for name in _SIP_BRIDGES:
        if name not in found:
            absent[name] = f"not part of Debian 12: start one of your own and add --against {name}=HOST:PORT/PID"
    return found, absent


@dataclass(slots=True)
class Session:
    """What is measured, and what was found so far."""

    bench: Bench
    systems: Mapping[str, StartPeer]
    measurements: list[Measurement]
    capacities: list[Capacity]
    failures: list[Failure]
    rounds: int = 1
    burst_done: set[str] = field(default_factory=set)

    def measure(self, scenarios: Sequence[Scenario], pace: Pace) -> None:
        """Every crowd with every system, in turns where there are several rounds.

        Set-up times of a burst only once for each system. The floor of one round serves every room of as many callers;
        in several rounds it is measured beside each, as neighbours in time are what is compared.
        """
        total, counted = len(scenarios) * len(self.systems) * self.rounds, count(1)
        for scenario in scenarios:
            found: dict[str, list[tuple[Measurement, Samples]]] = {system: [] for system in self.systems}
            for number, system in product(range(1, self.rounds + 1), self.systems):
                which = f"round {number}, " if self.rounds > 1 else ""
                self.bench.screen.say(f"{next(counted)} of {total}: {which}{system}, {scenario.name}", style="bold")
                known = self._floor_of(scenario) if system == FLOOR and self.rounds == 1 else None
                if known is not None:
                    self.measurements.append(known)
                elif (made := self._try(system, scenario, pace, number)) is not None:
                    found[system].append(made)
            self.measurements += [combined(*zip(*made, strict=True)) for made in found.values() if made]

    def _try(self, system: str, scenario: Scenario, pace: Pace, number: int) -> tuple[Measurement, Samples] | None:
        """One round; None where it failed, which is kept."""
        burst = 0.0 if system in self.burst_done else pace.burst
        own = Pace(pace.seconds, pace.warm_up, pace.rate, burst)
        try:
            made, samples = run(self.bench, system, self.systems[system], scenario, own)
        except FAILURES as error:
            why = f"round {number}: {error}" if self.rounds > 1 else str(error)
            self.bench.screen.say(f"{system}, {scenario.name}: {why}", style="bold red")
            self.failures.append(Failure(system, scenario, why))
            return None
        self.burst_done.add(system)
        return msgspec.structs.replace(made, round=number), samples

    def _floor_of(self, scenario: Scenario) -> Measurement | None:
        """That of as many callers with this codec, if it was measured: an echo does not know rooms."""
        for made in self.measurements:
            same = (made.scenario.codec, made.scenario.callers) == (scenario.codec, scenario.callers)
            if made.system == FLOOR and same:
                note = f"measured once, with {made.scenario.shape}"
                return msgspec.structs.replace(made, scenario=scenario, notes=[*made.notes, note])
        return None

    def search(self, codecs: Sequence[str], search: Search, rate: float) -> None:
        """The limit of every system but the floor, in every codec."""
        for codec in codecs:
            for system, start in self.systems.items():
                if system == FLOOR:
                    continue
                first = self._first(system, codec, search)
                limits = Limits(search.room, search.most, search.bound)
                pace = Pace(search.seconds, TRIAL_WARM_UP, max(rate, _TRIAL_RATE))
                self.bench.screen.say(f"looking for the limit: {system}, {codec}", style="bold")

                def attempt(callers: int, system: str = system, codec: str = codec, start: StartPeer = start,
                            pace: Pace = pace) -> Trial:  # fmt: skip
                    return self._attempt(
                        system, start, Scenario("capacity", codec, callers, search.room, search.talkers), pace
                    )

                self.capacities.append(find_capacity(system, codec, search.room, first, limits, attempt))

    def _first(self, system: str, codec: str, search: Search) -> int:
        """Three quarters of what the cost of a caller promises, if that was measured."""
        costs = [
            made.a_caller
            for made in self.measurements
            if (made.system, made.scenario.codec, made.scenario.room) == (system, codec, search.room) and made.a_caller
        ]
        promised = _FIRST_SHARE / costs[0] if costs else _GUESSES.get((system, codec), 100)
        return int(min(max(promised, search.room), search.most))

    def _attempt(self, system: str, start: StartPeer, scenario: Scenario, pace: Pace) -> Trial:
        try:
            made, _ = run(self.bench, system, start, scenario, pace)
        except janus.Refused as error:  # it takes no more
            return Trial(scenario.callers, OVERLOADED, str(error), 0.0)
        except FAILURES as error:
            self.bench.screen.say(f"{system}, {scenario.name}: {error}", style="bold red")
            return Trial(scenario.callers, FAILED, str(error), 0.0)
        found = judge(made)
        self.bench.screen.say(f"{system}, {scenario.callers} x {scenario.codec}: {found.verdict} {found.why}")
        return found


def judge(made: Measurement) -> Trial:
    """Whether a crowd was carried. One that did not come in whole was not."""
    share, callers = made.measured.total, made.scenario.callers
    if late := load_problems(made.measured):
        return Trial(callers, LOAD_LATE, late[0], share)
    if beyond := overload(made.measured.traffic):
        return Trial(callers, OVERLOADED, beyond, share)
    if made.problems:
        return Trial(callers, OVERLOADED, made.problems[0], share)
    return Trial(callers, CARRIED, "", share)
