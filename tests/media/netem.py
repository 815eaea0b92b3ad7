"""A network between callers and engine that is as bad as one wants, and the same each time: loss, bursts of it, delay,
reordering, repetition and clocks that run too fast. Time is given; nothing here sleeps or sends.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tests.media.bench import MS, EngineBench, FakeCaller

Delay = Callable[[np.random.Generator, float], float]
"""(generator, time of sending in ms) -> ms on the way."""


def constant(ms: float) -> Delay:
    return lambda _generator, _at: ms


def uniform(least: float, most: float) -> Delay:
    return lambda generator, _at: float(generator.uniform(least, most))


def long_tailed(typical: float, shape: float = 2.5, most: float = 400) -> Delay:
    """Pareto: mostly near `typical`, now and then far above it."""
    return lambda generator, _at: min(most, typical * (1 + float(generator.pareto(shape))))


def stalls(every: float, lasts: float, else_: float = 5) -> Delay:
    """Nothing passes for `lasts` ms in each `every` ms; then everything comes at once."""
    return lambda _generator, at: max(else_, lasts - at % every)


@dataclass
class Network:
    """One direction of one way. Chances are 0..1; times ms. `in_order`: who is late holds up those behind."""

    delay: Delay = field(default_factory=lambda: constant(20))
    loss: float = 0.0
    burst_begins: float = 0.0  # Gilbert-Elliott: from good to bad, for each packet
    burst_ends: float = 1.0
    burst_loss: float = 1.0
    repeated: float = 0.0
    in_order: bool = True
    seed: int = 1
    drop: set[int] = field(default_factory=set)
    """Numbers of packets (from 0) that are lost anyway."""

    def __post_init__(self) -> None:
        self._generator = np.random.default_rng(self.seed)
        self._bad = False
        self._latest = 0.0
        self._number = itertools.count()
        self._under_way: list[tuple[float, int, bytes]] = []
        self.sent: list[tuple[bytes, bool]] = []
        """Every packet, and whether it was lost."""

    def send(self, packet: bytes, at: float) -> None:
        """A packet starts at `at` ms."""
        generator = self._generator
        self._bad = generator.random() >= self.burst_ends if self._bad else generator.random() < self.burst_begins
        lost = bool(generator.random() < (self.burst_loss if self._bad else self.loss)) or len(self.sent) in self.drop
        self.sent.append((packet, lost))
        if lost:
            return
        for _ in range(1 + (generator.random() < self.repeated)):
            arrival = at + self.delay(generator, at)
            if self.in_order:
                arrival = self._latest = max(self._latest, arrival)
            heapq.heappush(self._under_way, (arrival, next(self._number), packet))

    @property
    def lost(self) -> int:
        """How many packets were lost."""
        return sum(lost for _, lost in self.sent)

    def arrived(self, at: float) -> list[bytes]:
        """What came until `at` ms, in the order of arrival."""
        packets = []
        while self._under_way and self._under_way[0][0] <= at:
            packets.append(heapq.heappop(self._under_way)[2])
        return packets


class BadLine:
    """A caller of a bench whose packets pass through a network, sent by a clock that is `ppm` too fast."""

    def __init__(self, bench: EngineBench, leg: int, network: Network, ppm: float = 0.0, phase_ms: float = 0.0) -> None:
        self.bench, self.leg, self.network, self.ppm = bench, leg, network, ppm
        self.caller: FakeCaller = bench.callers[leg]
        self.caller.sending = False
        self._next = bench.now / MS + phase_ms
        self.caller_speaks = True

    def pass_on(self) -> None:
        """Send what is due, and hand over what has arrived."""
        now = self.bench.now / MS
        while self.caller_speaks and self._next <= now:
            self.network.send(self.caller.next_packet(), self._next)
            self._next += self.caller.ptime / (1 + self.ppm / 1e6)
        for packet in self.network.arrived(now):
            self.bench.send_to(self.leg, packet)

    def fall_silent(self, silent: bool) -> None:
        """Send nothing (a pause without packets), or again; timestamps go on."""
        if self.caller_speaks and silent:
            self.caller_speaks = False
        elif not self.caller_speaks and not silent:
            missed = max(0, round((self.bench.now / MS - self._next) / self.caller.ptime))
            self._next += missed * self.caller.ptime
            self.caller.at += missed * self.caller.rate * self.caller.ptime // 1000
            ticks = missed * self.caller.ptime * self.caller.clock
            self.caller.timestamp = (self.caller.timestamp + ticks) & 0xFFFFFFFF
            self.caller_speaks = True


def run(bench: EngineBench, lines: list[BadLine], ms: int, step: int = 5) -> None:
    """Let time pass on all lines, `step` ms at a time."""
    for _ in range(ms // step):
        for line in lines:
            line.pass_on()
        bench.run(step, step)
