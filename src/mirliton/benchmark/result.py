"""What one run found out, as it is written to and read from a JSON file.

Times are milliseconds or seconds as the name says; processor time is a share of one core (1.0 = one core busy).
"""

from pathlib import Path

import msgspec

FORMAT = 2
"""Of the file; a reader refuses any other."""
FLOOR, MIRLITON = "floor", "mirliton"


class Share(msgspec.Struct, frozen=True):
    """Processor time of a process, or busy time of a core, as shares of one core."""

    user: float
    system: float

    @property
    def total(self) -> float:
        """Both."""
        return self.user + self.system


class Scenario(msgspec.Struct, frozen=True):
    """Who is there: `callers` in rooms of `room`, of each of which the first `talkers` talk all the time."""

    shape: str
    codec: str
    callers: int
    room: int
    talkers: int

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.callers} x {self.codec}, {self.shape}"


class Traffic(msgspec.Struct, frozen=True):
    """What the callers' side sent and got back; the fields are those that `rtpload` prints.

    `expected`: packets by sequence number, `due`: by the clock, one every 20 ms for each call. Gaps: between two
    packets of one call, by the kernel's time of arrival. `silent`: calls that got nothing. The load sends in `slots`
    of a millisecond; `late_slots` of them began more than 20 ms late. `unkept`: packets of probes that found no room.
    """

    calls: int
    seconds: float
    sent: int
    received: int
    expected: int
    due: int
    fewest: int
    silent: int
    gap_p50_ms: float
    gap_p99_ms: float
    gap_p999_ms: float
    gap_max_ms: float
    slots: int
    late_slots: int
    latest_ms: float
    unkept: int

    @property
    def loss(self) -> float:
        """The part of the packets that should have come and did not: lost on their way, or never sent."""
        owed = max(self.expected, self.due)
        return max(0.0, 1 - self.received / owed) if owed else 1.0


class Delay(msgspec.Struct, frozen=True):
    """What the bridge added from mouth to ear, told by `packets`; `p50_ms`, `p99_ms`: None of nothing.

    `deaf`: how many of the listeners that were asked do not hear their talker.
    """

    packets: int
    deaf: int
    p50_ms: float | None
    p99_ms: float | None


class Second(msgspec.Struct, frozen=True):
    """A second of a stretch. `seconds`: how long it was; `processes`: shares of a core; `stolen`: of the bridge's."""

    seconds: float
    processes: dict[str, float]
    stolen: float


class Measured(msgspec.Struct, frozen=True):
    """One stretch of time under load, or all rounds together, see `rounds.combined`.

    `core_busy`: the measured core, whoever used it; beyond the processes' own shares it is other people's work.
    `dropped_by_load`: packets that came too fast for the load generator, `dropped_by_bridge`: for the bridge.
    `hearing`: callers that hear somebody at the end. `core_stolen`, `load_core_stolen`: what the machine's host took of
    the bridge's and the load's core.
    """

    processes: dict[str, Share]
    load: Share
    core_busy: Share
    core_stolen: float
    traffic: Traffic
    hearing: int
    delay: Delay
    dropped_by_load: int
    dropped_by_bridge: int
    load_core_stolen: float = 0.0
    by_second: list[Second] = []

    @property
    def total(self) -> float:
        """Of all processes of what is measured, as a share of one core."""
        return sum(share.total for share in self.processes.values())


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
    """Resident bytes by process, before the first call and with all calls."""

    idle: dict[str, int]
    loaded: dict[str, int]
    calls: int

    def per_call(self, process: str | None = None) -> float:
        """What a call adds to a process, or to all of them, in bytes."""
        names = self.loaded if process is None else [process]
        return sum(self.loaded[name] - self.idle[name] for name in names) / max(1, self.calls)


class Ticks(msgspec.Struct, frozen=True):
    """How late the bridge's ticks began, by its own account. `worst_second_mean_ms`: the mean of the worst second.

    `p999_ms`: None where the bridge does not tell it.
    """

    mean_ms: float
    worst_second_mean_ms: float
    max_ms: float
    p999_ms: float | None
    skipped: int


class Account(msgspec.Struct, frozen=True):
    """What the bridge itself says. `per_frame`: its counters for each 20 ms of the measurement."""

    members_at_start: int
    members_at_end: int
    restarts: int
    ticks: Ticks
    per_frame: dict[str, float]


class Measurement(msgspec.Struct, frozen=True):
    """One system with one crowd. `problems`: why it is not valid; `notes`: what a reader should know of it.

    `set_up` and `burst`: of bridges that are called by SIP. `account`: of those that tell. `round`: which this is, from
    1. `rounds`: what this was put together from; empty where there was only one to be measured.
    """

    system: str
    scenario: Scenario
    measured: Measured
    set_up: SetUp | None
    burst: SetUp | None
    memory: Memory
    account: Account | None
    problems: list[str]
    notes: list[str]
    round: int = 1
    rounds: list["Measurement"] = []

    @property
    def each(self) -> list["Measurement"]:
        """Every round by itself."""
        return self.rounds or [self]

    @property
    def valid(self) -> bool:
        """Whether the figures may be quoted."""
        return not self.problems

    @property
    def a_caller(self) -> float:
        """Processor time for one caller, as a share of one core."""
        return self.measured.total / self.scenario.callers


class Trial(msgspec.Struct, frozen=True):
    """One step of the search for a bridge's limit. `verdict`: "carried", "overloaded", "load late", or "failed"."""

    callers: int
    verdict: str
    why: str
    share: float


class Capacity(msgspec.Struct, frozen=True):
    """The most callers that a bridge carried on its core.

    `limited_by`: "bridge", "load", "most", "time", or "failure": a trial could not be made.
    """

    system: str
    codec: str
    room: int
    callers: int
    limited_by: str
    trials: list[Trial]


class Failure(msgspec.Struct, frozen=True):
    """A measurement that could not be made, and why."""

    system: str
    scenario: Scenario
    why: str


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


class Ratio(msgspec.Struct, frozen=True):
    """One figure against another of the same run. `of`: what is compared. `mark`: "", "at least" or "at most".

    `least` and `most`: of the rounds, whose median is the value; None where it is not of several rounds. `valid`: both
    may be quoted.
    """

    of: str
    against: str
    scenario: str
    value: float
    mark: str = ""
    least: float | None = None
    most: float | None = None
    valid: bool = True


class Result(msgspec.Struct, frozen=True):
    """A run. `absent`: systems that are not there, and how to install them. `ratios` follow from the rest.

    `rounds`: how often each system was to be measured with each crowd.
    """

    format: int
    machine: Machine
    seconds: float
    measurements: list[Measurement]
    capacities: list[Capacity]
    failures: list[Failure]
    ratios: list[Ratio]
    absent: dict[str, str]
    rounds: int = 1

    @property
    def valid(self) -> bool:
        """Whether all figures may be quoted."""
        return not self.failures and all(measurement.valid for measurement in self.measurements)


class UnreadableResult(ValueError):
    """The file is not the result of a run; the text says why."""


def write(result: Result, path: Path) -> None:
    """As indented JSON, with `valid` beside the fields, for readers that are not this module."""
    document = msgspec.to_builtins(result) | {"valid": result.valid}
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
