"""Facts about the machine that a figure is worth nothing without, and which of its cores the run uses."""

import os
import platform
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from mirliton.benchmark.result import Machine

_SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


def choose_cores() -> tuple[int, int]:
    """The engine's core and the load's, which is no thread of the same one if it can be helped.

    The same one twice where this process may use only one.
    """
    engine, *others = sorted(os.sched_getaffinity(0))
    apart = [core for core in others if not are_threads_of_one(engine, core)]
    return engine, (apart or others or [engine])[0]


def are_threads_of_one(core: int, other: int) -> bool:
    """Whether two different numbers stand for the same piece of silicon, so that each slows the other down."""
    listed = Path(_SIBLINGS.format(core))
    return core != other and listed.exists() and other in parse_cores_list(listed.read_text())


def parse_cores_list(text: str) -> set[int]:
    """The kernel's way to write a set: `0,4-6`."""
    spans = [part.partition("-") for part in text.strip().split(",") if part]
    return {core for first, _, last in spans for core in range(int(first), int(last or first) + 1)}


@contextmanager
def staying_on(core: int) -> Iterator[None]:
    """Keep the benchmark itself off the engine's core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def describe(engine_core: int, load_core: int, arguments: Sequence[str]) -> Machine:
    """Of this machine now. `arguments`: the command line."""
    return Machine(
        cpu=cpu_model(Path("/proc/cpuinfo").read_text()),
        cores=os.cpu_count() or 1,
        engine_core=engine_core,
        load_core=load_core,
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        numba=version("numba"),
        mirliton=version("mirliton"),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        command=shlex.join([Path(arguments[0]).name, *arguments[1:]]),
    )


def cpu_model(cpuinfo: str) -> str:
    """From `/proc/cpuinfo`; other architectures than x86 do not name it there."""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()
