"""The kernel's floor: what receiving and sending the packets costs a program that does nothing else."""

from pathlib import Path

from mirliton.benchmark.children import running, wait_for_line
from mirliton.benchmark.load import STRIDE, voices
from mirliton.benchmark.measuring import Subject, measure
from mirliton.benchmark.ports import free_range
from mirliton.benchmark.progress import Screen
from mirliton.benchmark.result import Measured, Task

_READY_SECONDS = 10.0
_MOST_SECONDS = 20.0
WARM_UP_SECONDS = 3.0


def measure_floor(
    program: Path, load: Path, task: Task, sockets: int, cores: tuple[int, int], folder: Path, screen: Screen
) -> Measured:
    """As many streams as the task has callers, on as many sockets as the engine has. `cores`: the floor's, the load's.

    Raises `ProgramFailed` and `NoPorts`.
    """
    folder.mkdir()
    own, loads = cores
    ports = free_range(sockets)
    errors = folder / "floor.log"
    callers = free_range(task.callers, STRIDE, above=ports.stop)
    peers = [ports[caller % sockets] for caller in range(task.callers)]
    with running([program, str(ports.start), str(sockets)], own, errors) as floor:
        wait_for_line(floor, "ready", _READY_SECONDS, errors)
        with voices(load, task, callers, loads, folder, peers=peers) as streams:
            screen.wait("the floor: warming up", WARM_UP_SECONDS)
            subject = Subject({"floor": floor.pid}, own, ports)
            seconds = min(task.seconds, _MOST_SECONDS)
            return measure(subject, streams, seconds, screen, "the floor: measuring")
