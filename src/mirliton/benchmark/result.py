"""What one run found out, as it is written to and read from a JSON file.

Times are milliseconds or seconds as the name says; processor time is a share of one core (1.0 = one core busy).
"""

from pathlib import Path

import msgspec

FORMAT = 1
"""Of the file; a reader refuses any other."""


class Share(msgspec.Struct, frozen=True):
    """Processor time of a process, or busy time of a core, as shares of one core."""

    user: float
    system: float

    @property
    def total(self) -> float:
        """Both."""
        return self.user + self.system


class Traffic(msgspec.Struct, frozen=True):
    """What the callers' side sent and got back; the fields are those that `rtpload` prints.

    `expected`: packets by sequence number. Gaps: between two packets of one call, by the kernel's time of arrival.
    `silent`: calls that got nothing; `hearing`: calls that heard somebody most of the time. The load sends in `slots`
    of a millisecond; `late_slots` of them began more than 20 ms late.
    """

    calls: int
    seconds: float
    sent: int
    received: int
    expected: int
    fewest: int
    silent: int
    hearing: int
    gap_p50_ms: float
    gap_p99_ms: float
    gap_p999_ms: float
    gap_max_ms: float
    slots: int
    late_slots: int
    latest_ms: float

    @property
    def loss(self) -> float:
        """The part of the bridge's packets that did not arrive."""
        return 1 - self.received / self.expected if self.expected else 1.0


class Measured(msgspec.Struct, frozen=True):
    """One stretch of time under load.

    `core_busy`: the measured core, whoever used it; beyond the processes' own shares it is other people's work.
    `dropped_by_load`: packets that came too fast for the load generator, `dropped_by_bridge`: for the bridge.
    """

    processes: dict[str, Share]
    load: Share
    core_busy: Share
    core_stolen: float
    traffic: Traffic
    dropped_by_load: int
    dropped_by_bridge: int


class SetUp(msgspec.Struct, frozen=True):
    """How fast calls were set up. Times run from the INVITE to the 200 (None: no answer); `reached`: calls a second."""

    calls: int
    answered: int
    offered: float
    reached: float
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class Memory(msgspec.Struct, frozen=True):
    """Resident bytes of all the bridge's processes, before the first call and with all calls."""

    idle: int
    loaded: int
    per_call: float


class Ticks(msgspec.Struct, frozen=True):
    """How late the bridge's ticks began, by its own account. `worst_second_mean_ms`: the mean of the worst second."""

    mean_ms: float
    worst_second_mean_ms: float
    max_ms: float
    skipped: int


class Bridge(msgspec.Struct, frozen=True):
    """What was measured of one bridge. `per_frame`: its counters for each 20 ms of the measurement."""

    peer: str
    codec: str
    measured: Measured
    hearing_expected: int
    members_at_start: int
    members_at_end: int
    restarts: int
    set_up: SetUp
    burst: SetUp | None
    memory: Memory
    ticks: Ticks
    per_frame: dict[str, float]

    @property
    def engine(self) -> Share:
        """The process that carries the audio."""
        return self.measured.processes["engine"]


class Machine(msgspec.Struct, frozen=True):
    """Where and when. `engine_core` and `load_core` are the same where there is only one."""

    cpu: str
    cores: int
    engine_core: int
    load_core: int
    kernel: str
    python: str
    numba: str
    mirliton: str
    date: str
    command: str


class Task(msgspec.Struct, frozen=True):
    """What was asked for."""

    callers: int
    room: int
    talkers: int
    seconds: float
    rate: float
    burst_rate: float


class Result(msgspec.Struct, frozen=True):
    """A run. `problems`: why it is not valid; `notes`: what a reader should know of it. `bridge` None: floor only."""

    format: int
    machine: Machine
    task: Task
    floor: Measured
    bridge: Bridge | None
    problems: list[str]
    notes: list[str]

    @property
    def valid(self) -> bool:
        """Whether the figures may be quoted."""
        return not self.problems

    @property
    def ratio(self) -> float | None:
        """The engine's processor time to the floor's."""
        floor = self.floor.processes["floor"].total
        return self.bridge.engine.total / floor if self.bridge and floor else None


class UnreadableResult(ValueError):
    """The file is not the result of a run; the text says why."""


def write(result: Result, path: Path) -> None:
    """As indented JSON, with `valid` and `ratio` beside the fields, for readers that are not this module."""
    document = msgspec.to_builtins(result) | {"valid": result.valid, "ratio": result.ratio}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")


def read(path: Path) -> Result:
    """Raises `UnreadableResult` and `OSError`."""
    try:
        result = msgspec.json.decode(path.read_bytes(), type=Result)
    except msgspec.DecodeError as error:
        raise UnreadableResult(f"{path}: {error}") from error
    if result.format != FORMAT:
        raise UnreadableResult(f"{path}: is of format {result.format}, this version reads {FORMAT}")
    return result
