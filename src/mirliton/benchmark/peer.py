"""What the measurement needs of a bridge: the seam for others to be measured by the same load."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from mirliton.benchmark.load import Load
from mirliton.benchmark.progress import Screen
from mirliton.benchmark.result import Scenario
from mirliton.benchmark.sipp import Placed


@dataclass(frozen=True, slots=True)
class Bench:
    """The tools and places of a run. `said`: the file of voices by codec. `cores`: the bridge's and the load's."""

    floor: Path
    rtpload: Path
    sipp: str
    said: Mapping[str, Path]
    cores: tuple[int, int]
    folder: Path
    screen: Screen


@dataclass(frozen=True, slots=True)
class Crowd:
    """The callers to seat: the first `callers` of a scenario, `rate` a second. `probed`: calls to be kept whole.

    `hold`: seconds for which the calls stay at least once all are there; None: until they are stopped.
    """

    scenario: Scenario
    callers: int
    rate: float
    probed: Sequence[int]
    hold: float | None = None


@dataclass(frozen=True, slots=True)
class Seated:
    """Callers in their rooms. `ports`: of the bridge, on which it hears them. `placed`: their SIP calls, if any."""

    load: Load
    ports: Sequence[int]
    there: int
    placed: Placed | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """A bridge's own numbers at one moment: `members` now, the rest counted since its start.

    Lateness of ticks is that of the latest second, in seconds; `late_counts`: how many ticks were late by at most so
    many seconds, cumulative, as Prometheus' histograms are; empty if it does not tell.
    """

    members: int
    packets_in: float
    packets_out: float
    encodes: float
    decodes: float
    skipped_ticks: float
    restarts: float
    late_mean: float
    late_max: float
    late_counts: Mapping[float, float]


@dataclass(frozen=True, slots=True)
class Peer:
    """A running bridge. `processes`: process ids by what they do; the first carries audio.

    `seat` puts a crowd into its rooms, with a folder for the logs. `figures`: None for one that tells nothing.
    `sip`: HOST:PORT where it takes calls, if it does.
    """

    name: str
    processes: Mapping[str, int]
    seat: Callable[[Crowd, Path], AbstractContextManager[Seated]]
    figures: Callable[[], Figures] | None = None
    sip: str = ""


StartPeer = Callable[[Bench, Scenario, Path], AbstractContextManager[Peer]]
"""Starts a bridge for a scenario, pinned to its core, in a folder; stops it at the end of the context."""
