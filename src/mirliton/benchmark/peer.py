"""What the measurement needs of a bridge: the seam for others to be measured by the same load."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mirliton.benchmark.result import Task


@dataclass(frozen=True, slots=True)
class Figures:
    """A bridge's own numbers at one moment: `members` now, the rest counted since its start.

    Lateness of ticks is that of the latest second, in seconds.
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


@dataclass(frozen=True, slots=True)
class Peer:
    """A running bridge with a number for every room.

    `processes`: process ids by what they do; "engine" is the one that carries audio. `rtp_ports`: its UDP ports.
    """

    name: str
    codec: str
    sip: str
    processes: Mapping[str, int]
    rtp_ports: range
    figures: Callable[[], Figures]

    def numbers(self, callers: int, room: int) -> Sequence[str]:
        """What each caller dials to be in a room with the `room` - 1 nearest others."""
        return [f"R{caller // room}" for caller in range(callers)]


class StartPeer(Protocol):
    """Starts a bridge pinned to its cores, ready for the calls of a task; stops it at the end of the context."""

    def __call__(
        self, task: Task, engine_core: int, load_core: int, folder: Path
    ) -> AbstractContextManager[Peer]: ...  # pragma: no cover
