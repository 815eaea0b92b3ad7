"""The whole run: every crowd with every system, one after the other, then the limits of each."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from mirliton.benchmark import janus
from mirliton.benchmark.building import ToolMissing
from mirliton.benchmark.capacity import CARRIED, LOAD_LATE, OVERLOADED, Limits, find_capacity
from mirliton.benchmark.children import ProgramFailed
from mirliton.benchmark.floor import floor
from mirliton.benchmark.foreign import Foreign, starting
from mirliton.benchmark.judging import load_problems, overload
from mirliton.benchmark.peer import Bench, StartPeer
from mirliton.benchmark.ports import NoPorts
from mirliton.benchmark.result import FLOOR, MIRLITON, Capacity, Failure, Measurement, Scenario, Trial
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
_TRIAL_WARM_UP = 2.0
_TRIAL_RATE = 100.0


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
    """How each is started, and which are absent and why."""
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

    def measure(self, scenarios: Sequence[Scenario], pace: Pace) -> None:
        """Every crowd with every system; set-up times of a burst only once for each system."""
        total = len(scenarios) * len(self.systems)
        for scenario in scenarios:
            for system, start in self.systems.items():
                done = len(self.measurements) + len(self.failures)
                self.bench.screen.say(f"{done + 1} of {total}: {system}, {scenario.name}", style="bold")
                if system == FLOOR and (known := self._floor_of(scenario)) is not None:
                    self.measurements.append(known)
                    continue
                before = any(made.system == system for made in self.measurements)
                own = Pace(pace.seconds, pace.warm_up, pace.rate, 0.0 if before else pace.burst)
                try:
                    self.measurements.append(run(self.bench, system, start, scenario, own))
                except FAILURES as error:
                    self.bench.screen.say(f"{system}, {scenario.name}: {error}", style="bold red")
                    self.failures.append(Failure(system, scenario, str(error)))

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
                pace = Pace(search.seconds, _TRIAL_WARM_UP, max(rate, _TRIAL_RATE))
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
            made = run(self.bench, system, start, scenario, pace)
        except FAILURES as error:
            return Trial(scenario.callers, OVERLOADED, str(error), 0.0)
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
