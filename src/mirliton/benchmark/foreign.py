"""A bridge that somebody else started (Asterisk, FreeSWITCH, …), called by SIP as ours is: `--against`."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mirliton.benchmark.peer import Bench, Crowd, Peer, Seated, StartPeer
from mirliton.benchmark.proc import PROC, udp_ports_of
from mirliton.benchmark.result import Scenario
from mirliton.benchmark.sip_seating import seat_by_sip

_HOLD_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Foreign:
    """Where it takes calls to the numbers R0, R1, … (a room each), HOST:PORT, and its process."""

    name: str
    sip: str
    pid: int


def parse_foreign(text: str) -> Foreign:
    """`NAME=HOST:PORT/PID`. Raises `ValueError` that says what is wrong."""
    name, equals, rest = text.partition("=")
    sip, slash, pid = rest.rpartition("/")
    if not (name and equals and slash and ":" in sip and pid.isdigit()):
        raise ValueError(f"{text!r} is not NAME=HOST:PORT/PID")
    if not (PROC / pid).exists():
        raise ValueError(f"{text!r}: there is no process {pid}")
    return Foreign(name, sip, int(pid))


def starting(foreign: Foreign, seconds: float) -> StartPeer:
    """It runs already: all of its threads are put on the bridge's core, and back afterwards.

    `seconds`: how long its callers stay once all are there, as it is not ended to get rid of them.
    """

    @contextmanager
    def start(bench: Bench, _scenario: Scenario, _folder: Path) -> Iterator[Peer]:
        with ExitStack() as leaving, _kept_on(foreign.pid, bench.cores[0]):

            def seat(crowd: Crowd, own: Path) -> AbstractContextManager[Seated]:
                staying = Crowd(crowd.scenario, crowd.callers, crowd.rate, crowd.probed, seconds + _HOLD_SECONDS)
                return seat_by_sip(bench, foreign.sip, lambda: udp_ports_of(foreign.pid), None, staying, own, leaving)

            yield Peer(foreign.name, {foreign.name: foreign.pid}, seat)

    return start


@contextmanager
def _kept_on(pid: int, core: int) -> Iterator[None]:
    before: dict[int, set[int]] = {}
    for task in _tasks(pid):
        with suppress(ProcessLookupError):  # it ended while we looked
            before[task] = os.sched_getaffinity(task)
            os.sched_setaffinity(task, {core})
    try:
        yield
    finally:
        usual = before.get(pid, os.sched_getaffinity(0))
        with suppress(FileNotFoundError):
            for task in _tasks(pid):
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(task, before.get(task, usual))


def _tasks(pid: int) -> list[int]:
    return [int(task.name) for task in (PROC / str(pid) / "task").iterdir()]
