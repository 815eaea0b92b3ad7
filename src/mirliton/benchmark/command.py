"""`mirliton bench`: what the media engine costs under real calls, on this machine, now."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from mirliton.benchmark.building import ToolMissing
from mirliton.benchmark.children import ProgramFailed
from mirliton.benchmark.judging import notes, problems
from mirliton.benchmark.machine import choose_cores, describe, staying_on
from mirliton.benchmark.ports import NoPorts
from mirliton.benchmark.progress import Screen
from mirliton.benchmark.report import profile_rows, provenance, rows, table
from mirliton.benchmark.result import FORMAT, Result, Task, write
from mirliton.benchmark.run import Run, find_tools
from mirliton.benchmark.server import SOCKETS, serve
from mirliton.demo.rest import RestRefused

_TERMINATED = 128 + signal.SIGTERM
_INTERRUPTED = 128 + signal.SIGINT


def _writable(out: Path) -> Path:
    """A run of minutes must not end with a file that cannot be written."""
    if not os.access(out.resolve().parent, os.W_OK):
        raise typer.BadParameter(f"{out.resolve().parent} is not a folder that can be written to")
    return out


def bench(
    callers: Annotated[int, typer.Option(help="Calls at a time.", min=1, max=10_000)] = 300,
    room: Annotated[int, typer.Option(help="Callers in each room.", min=1)] = 10,
    talkers: Annotated[int, typer.Option(help="How many of each room talk all the time.", min=0)] = 3,
    seconds: Annotated[float, typer.Option(help="How long to measure.", min=1, max=600)] = 60.0,
    rate: Annotated[float, typer.Option(help="Calls to place in a second.", min=1)] = 50.0,
    burst: Annotated[
        float, typer.Option(help="Calls in a second for the measurement of set-up times; 0: none.", min=0)
    ] = 150.0,
    out: Annotated[
        Path, typer.Option(help="File for the result, as JSON.", callback=_writable, dir_okay=False, writable=True)
    ] = Path("bench.json"),
    keep: Annotated[Path | None, typer.Option(help="Folder to leave all logs in.")] = None,
    floor_only: Annotated[
        bool, typer.Option("--floor-only", help="Measure only what the kernel's packet path costs.")
    ] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Show where the engine's time goes.")] = False,
) -> None:
    """Measure the engine under real calls, against what the kernel's packet path alone costs. Takes some minutes.

    The exit code is 0 for a valid run, 1 when the result must not be quoted or something failed, and it says why.
    """
    task = Task(callers, room, talkers, seconds, rate, burst)
    screen = Screen()
    try:
        with _ending_in_order():
            result = _run(task, screen, keep, floor_only=floor_only)
    except (ToolMissing, ProgramFailed, NoPorts, RestRefused, OSError) as error:
        hint = "" if keep else " (--keep DIR leaves the logs)"
        screen.say(f"mirliton bench failed: {error}{hint}", style="bold red")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        screen.say("stopped: there is no result")
        raise typer.Exit(_INTERRUPTED) from None
    write(result, out)
    _show(result, screen, out, profile=profile)
    raise typer.Exit(0 if result.valid else 1)


def _run(task: Task, screen: Screen, keep: Path | None, *, floor_only: bool) -> Result:
    engine_core, load_core = choose_cores()
    with ExitStack() as stack:
        folder = _folder(keep, stack)
        stack.enter_context(staying_on(load_core))
        with screen.stage("compiling the measuring tools"):
            tools = find_tools(with_calls=not floor_only)
        run = Run(task, tools, (engine_core, load_core), folder, screen)
        machine = describe(engine_core, load_core, sys.argv)
        floor = run.floor(SOCKETS)
        bridge = None if floor_only else run.bridge(serve)
    return Result(FORMAT, machine, task, floor, bridge, problems(floor, bridge, task), notes(machine, floor, bridge))


def _folder(keep: Path | None, stack: ExitStack) -> Path:
    """A folder of this run's own: below `keep`, or one that goes at the end."""
    if keep is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mirliton-bench-")))
    keep.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="run-", dir=keep.resolve()))


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """SIGTERM ends the run as an exception does, so that everything that was started is stopped."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show(result: Result, screen: Screen, out: Path, *, profile: bool) -> None:
    screen.console.print(table("mirliton bench", rows(result)))
    if profile and result.bridge is not None:
        screen.console.print(table("Where the engine's time goes", profile_rows(result)))
    screen.say(provenance(result))
    screen.say(f"the result is in {out}")
    for problem in result.problems:
        screen.say(f"not valid: {problem}", style="bold red")
