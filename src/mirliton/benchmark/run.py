"""One system with one crowd: a fresh bridge, all its callers, a measurement, and whether it counts."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mirliton.benchmark.judging import notes, problems
from mirliton.benchmark.machine import are_threads_of_one
from mirliton.benchmark.measuring import added_ms, delay_of, hearing_of, measure
from mirliton.benchmark.peer import Bench, Crowd, Figures, Peer, StartPeer
from mirliton.benchmark.proc import resident_bytes
from mirliton.benchmark.result import FLOOR, Account, Measured, Measurement, Memory, Scenario, SetUp, Ticks
from mirliton.benchmark.rounds import Samples
from mirliton.benchmark.scenario import probe_pairs

_FRAMES_A_SECOND = 50
_BURST_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How long and how fast. `burst`: calls in a second for the measurement of set-up times; 0: none."""

    seconds: float
    warm_up: float
    rate: float
    burst: float = 0.0


@dataclass(slots=True)
class Diary:
    """Collects what the bridge says about itself, once a second."""

    peer: Peer
    seen: list[Figures] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def note(self) -> None:
        if self.peer.figures is not None:
            self.seen.append(self.peer.figures())
            self.times.append(time.monotonic())

    def account(self) -> Account | None:
        """Of all that was noted."""
        if not self.seen:
            return None
        before, after = self.seen[0], self.seen[-1]
        seen = self.seen[1:] or self.seen
        latest = max(figures.late_max for figures in seen)
        ticks = Ticks(
            mean_ms=1000 * sum(figures.late_mean for figures in seen) / len(seen),
            worst_second_mean_ms=1000 * max(figures.late_mean for figures in seen),
            max_ms=1000 * latest,
            p999_ms=_within(late_below(before, after, 0.999), 1000 * latest),
            skipped=int(after.skipped_ticks - before.skipped_ticks),
        )
        elapsed = self.times[-1] - self.times[0]
        return Account(before.members, after.members, int(after.restarts), ticks, _per_frame(before, after, elapsed))


def late_below(before: Figures, after: Figures, fraction: float) -> float | None:
    """The bound in ms that this part of the ticks between two moments kept; None where the bridge does not tell.

    Infinite when the histogram ends before.
    """
    counts = {most: count - before.late_counts.get(most, 0.0) for most, count in after.late_counts.items()}
    total = max(counts.values(), default=0.0)
    if total <= 0:
        return None
    return 1000 * min((most for most, count in counts.items() if count >= fraction * total), default=float("inf"))


def _within(bound: float | None, latest: float) -> float | None:
    """The latest tick where the histogram ended before: JSON knows no infinity, and would say that nothing was told."""
    return latest if bound == float("inf") else bound


def _per_frame(before: Figures, after: Figures, seconds: float) -> dict[str, float]:
    """What the bridge counted, for each 20 ms."""
    frames = max(seconds, 1e-3) * _FRAMES_A_SECOND
    return {
        "packets in": (after.packets_in - before.packets_in) / frames,
        "packets out": (after.packets_out - before.packets_out) / frames,
        "decodes": (after.decodes - before.decodes) / frames,
        "encodes": (after.encodes - before.encodes) / frames,
    }


def run(bench: Bench, system: str, start: StartPeer, scenario: Scenario, pace: Pace) -> tuple[Measurement, Samples]:
    """Measure it; also what its percentiles are of. Raises `ProgramFailed`, `NoPorts`, `OSError`, `RestRefused`."""
    folder = _folder(bench.folder, f"{system}-{scenario.codec}-{scenario.shape}-{scenario.callers}")
    with ExitStack() as stack:
        with bench.screen.stage(f"{system}: starting"):
            peer = stack.enter_context(start(bench, scenario, folder))
        idle = _resident(peer)
        burst = _burst(bench, peer, scenario, pace, folder)
        pairs = [(0, 0)] if system == FLOOR else probe_pairs(scenario)
        probed = sorted({call for pair in pairs for call in pair}) or [0]
        crowd = Crowd(scenario, scenario.callers, pace.rate, probed)
        seated = stack.enter_context(peer.seat(crowd, _folder(folder, "calls")))
        bench.screen.wait(f"{system}: warming up", pace.warm_up)
        diary = Diary(peer)
        diary.note()
        measured, heard = measure(bench, peer, crowd, seated, pace.seconds, diary.note)
        memory = Memory(idle, _resident(peer), scenario.callers)
        set_up = None if seated.placed is None else seated.placed.set_up()
        responses = [] if seated.placed is None else seated.placed.response_times()
        there = seated.there
        with bench.screen.stage(f"{system}: stopping"):
            stack.close()
    with bench.screen.stage(f"{system}: listening to what was heard"):
        added = added_ms(heard, pairs, scenario.codec)
        hearing = hearing_of(heard, scenario.codec)
    measured = msgspec.structs.replace(measured, hearing=hearing, delay=delay_of(added))
    made = _judged(bench, system, scenario, measured, there, set_up, burst, memory, diary.account())
    return made, Samples(heard.gaps, [delay for found in added for delay in found], responses)


def _judged(
    bench: Bench,
    system: str,
    scenario: Scenario,
    measured: Measured,
    there: int,
    set_up: SetUp | None,
    burst: SetUp | None,
    memory: Memory,
    account: Account | None,
) -> Measurement:
    made = Measurement(system, scenario, measured, set_up, burst, memory, account, [], [])
    noted = notes(made, bench.cores, threads_of_one=are_threads_of_one(*bench.cores))
    return msgspec.structs.replace(made, problems=problems(made, there), notes=noted)


def _burst(bench: Bench, peer: Peer, scenario: Scenario, pace: Pace, folder: Path) -> SetUp | None:
    """How fast calls are set up when they come much faster, by a server that has no others."""
    if pace.burst <= 0 or peer.figures is None:
        return None
    count = max(1, min(scenario.callers, round(pace.burst * _BURST_SECONDS)))
    with peer.seat(Crowd(scenario, count, pace.burst, [0], hold=0.0), _folder(folder, "burst")) as seated:
        pass
    return None if seated.placed is None else seated.placed.set_up()


def _folder(parent: Path, name: str) -> Path:
    """A new one; a name that is taken gets a number."""
    number, folder = 1, parent / name
    while folder.exists():
        number += 1
        folder = parent / f"{name}-{number}"
    folder.mkdir(parents=True)
    return folder


def _resident(peer: Peer) -> dict[str, int]:
    return {name: resident_bytes(pid) for name, pid in peer.processes.items()}
