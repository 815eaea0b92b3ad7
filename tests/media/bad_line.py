"""A talker on a bad network and a listener on a good one, in a room; and how to measure what the listener hears."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirliton.media.delay import fastest, target
from mirliton.media.records import LEG
from tests.media.bench import MS, EngineBench, FakeCaller, Samples, silence, tone
from tests.media.netem import BadLine, Network, run

Signal = Callable[[NDArray[np.float64]], NDArray[np.float64]]


class Room:
    """Leg 0 talks through the network, leg 1 listens. Times in ms."""

    def __init__(
        self,
        bench: EngineBench,
        network: Network,
        signal: Signal,
        ppm: float,
        phase_ms: float,
        listener: dict[str, Any] | None,
        **caller: Any,
    ) -> None:
        self.bench, self.network = bench, network
        bench.add(FakeCaller(signal, **caller))
        bench.add(FakeCaller(silence, **(listener or {**caller, "ptime": 20})))
        self.listener = bench.callers[1]
        self.line = BadLine(bench, 0, network, ppm, phase_ms)
        self.first_sent = bench.now / MS + phase_ms
        self.first_heard = 0.0
        self.waits: list[float] = []
        self._leg = bench.tables.legs.view(LEG, np.ndarray)[0]  # what `record` shows, and faster: hours are measured

    def run(self, ms: int, step: int = 5) -> None:
        """Let time pass, and note every 20 ms how long packets wait."""
        for _ in range(ms // 20):
            for _ in range(20 // step):
                run(self.bench, [self.line], step, step)
                if not self.first_heard and self.listener.packets:
                    self.first_heard = self.bench.now / MS
            if self._leg["playing"]:
                self.waits.append(self.wait)

    @property
    def caller(self) -> FakeCaller:
        return self.line.caller

    @property
    def record(self) -> Any:
        return self.bench.tables.legs[0]

    @property
    def wait(self) -> float:
        """How long after the fastest packet's arrival its sound goes out."""
        position, ready, rate, next_read = (int(self._leg[name]) for name in ("position", "ready", "rate", "next_read"))
        played = position - ready // (rate // 8000)
        return (next_read // 125_000 - played - int(fastest(self.bench.tables, 0))) / 8

    @property
    def target(self) -> float:
        return float(target(self.bench.tables, 0)) / 8

    def count(self, name: str) -> float:
        """A field of the leg that counts ts units, in ms."""
        return float(self.record[name]) / 8

    def heard_since(self, packets: int) -> Samples:
        """What the listener heard after so many packets (20 ms each)."""
        return self.listener.heard()[self.listener.rate * packets // 50 :]


@contextmanager
def room(
    network: Network,
    signal: Signal | None = None,
    *,
    ppm: float = 0.0,
    phase_ms: float = 0.0,
    interval: int = 20,
    energy: int = 20,
    listener: dict[str, Any] | None = None,
    **caller: Any,
) -> Iterator[Room]:
    """A room on a bench of its own."""
    bench = EngineBench()
    try:
        made = Room(bench, network, signal or tone(1000), ppm, phase_ms, listener, **caller)
        bench.join_all(bench.open_mix(rate=48000, interval=interval, energy=energy))
        yield made
    finally:
        bench.close()


def impurity(heard: Samples, hertz: float, rate: int) -> float:
    """Everything but the tone, against the tone: the worst half second, as a ratio of amplitudes."""
    worst, window = 0.0, rate // 2
    wave = np.exp(-2j * np.pi * hertz * np.arange(window) / rate)
    for start in range(0, len(heard) - window + 1, window):
        part = heard[start : start + window].astype(np.float64)
        strength = 2 * np.mean(part * wave)
        rest = part - np.real(strength * np.conj(wave))
        worst = max(worst, float(np.sqrt(np.mean(rest**2)) / (abs(strength) / np.sqrt(2) + 1)))
    return worst


def quietest(heard: Samples, rate: int) -> float:
    """The least effective value of 5 ms."""
    window = rate // 200
    frames = heard[: len(heard) // window * window].reshape(-1, window).astype(np.float64)
    return float(np.sqrt((frames**2).mean(axis=1)).min())


def silent_ms(heard: Samples, rate: int, below: float = 200.0) -> float:
    """How long in all it was (almost) silent, in steps of 5 ms."""
    window = rate // 200
    frames = heard[: len(heard) // window * window].reshape(-1, window).astype(np.float64)
    return 5.0 * int((np.sqrt((frames**2).mean(axis=1)) < below).sum())
