"""`mirliton bench`: what the media engine costs under real calls beside others, on this machine, now."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from mirliton.benchmark.building import build, cache_folder, find_program
from mirliton.benchmark.foreign import Foreign, parse_foreign
from mirliton.benchmark.machine import choose_cores, describe, staying_on
from mirliton.benchmark.peer import Bench
from mirliton.benchmark.plot import NoPlot, draw
from mirliton.benchmark.progress import Screen
from mirliton.benchmark.ratios import ratios
from mirliton.benchmark.report import grids, profile, provenance, table
from mirliton.benchmark.result import FLOOR, FORMAT, Result, Scenario, write
from mirliton.benchmark.run import Pace
from mirliton.benchmark.scenario import CODECS, SHAPES, TALKERS, crowds
from mirliton.benchmark.session import FAILURES, SYSTEMS, TRIAL_WARM_UP, Search, Session, systems
from mirliton.benchmark.voices import CODINGS, write_voices

_INTERRUPTED = 128 + signal.SIGINT
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)
_WARM_UP_SECONDS = 10.0
"""So long callers take to give back the delay that a hundred new calls a second beside them caused."""
_TRIAL_SECONDS = 4.0


def _writable(out: Path | None) -> Path | None:
    """A run of minutes must not end with a file that cannot be written."""
    if out is not None and not os.access(out.resolve().parent, os.W_OK):
        raise typer.BadParameter(f"{out.resolve().parent} is not a folder that can be written to")
    return out


def _known(names: Sequence[str]) -> "typer.models.OptionInfo":
    """An option that may be given more than once, each time one of the names."""

    def check(given: list[str] | None) -> list[str]:
        if unknown := [name for name in given or [] if name not in names]:
            raise typer.BadParameter(f"{', '.join(unknown)}: use one of {', '.join(names)}")
        return given or list(names)

    found: typer.models.OptionInfo = typer.Option(
        help=f"One of {', '.join(names)}; more than once for more; all if not given.", callback=check
    )
    return found


def _foreigners(given: list[str] | None) -> list[str]:
    try:
        for text in given or []:
            parse_foreign(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return given or []


def bench(
    scenario: Annotated[list[str] | None, _known(SHAPES)] = None,
    codec: Annotated[list[str] | None, _known(CODECS)] = None,
    system: Annotated[list[str] | None, _known(SYSTEMS)] = None,
    callers: Annotated[int | None, typer.Option(help="Calls at a time, in every scenario.", min=1, max=10_000)] = None,
    room: Annotated[int | None, typer.Option(help="Rooms of this size instead of the scenarios.", min=1)] = None,
    talkers: Annotated[int, typer.Option(help="How many of each room talk all the time.", min=0)] = TALKERS,
    seconds: Annotated[float, typer.Option(help="How long to measure each.", min=1, max=600)] = 5.0,
    rate: Annotated[float, typer.Option(help="Calls to place in a second.", min=1)] = 75.0,
    burst: Annotated[
        float, typer.Option(help="Calls in a second for the measurement of set-up times; 0: none.", min=0)
    ] = 150.0,
    rounds: Annotated[
        int, typer.Option(help="Measure the systems of each crowd in turns so often, and tell the medians.",
                          min=1, max=100)
    ] = 1,
    dtx: Annotated[bool, typer.Option("--dtx", help="Opus listeners send a packet only every 400 ms.")] = False,
    capacity: Annotated[bool, typer.Option("--capacity", help="Find out how many callers each can carry.")] = False,
    most: Annotated[int, typer.Option(help="Largest crowd of the search for capacity.", min=10)] = 4000,
    bound: Annotated[float, typer.Option(help="Seconds of each search for capacity.", min=1)] = 75.0,
    against: Annotated[
        list[str] | None,
        typer.Option(help="A running bridge as NAME=HOST:PORT/PID: calls to R0, R1, … lead to rooms.",
                     callback=_foreigners),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="File for the result, as JSON.", callback=_writable, dir_okay=False, writable=True)
    ] = Path("bench.json"),
    plot: Annotated[
        Path | None, typer.Option(help="File for a picture: .svg or .png.", callback=_writable, dir_okay=False)
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder to leave all logs in.")] = None,
    show_profile: Annotated[bool, typer.Option("--profile", help="Show where the time goes.")] = False,
) -> None:  # fmt: skip
    """Measure the engine under real calls, beside the kernel's packet path alone and other bridges.

    The exit code is 0 for a valid run, 1 when a result must not be quoted or something failed, and it says why.
    """
    screen, codecs = Screen(), codec or list(CODECS)
    wanted = crowds(scenario or SHAPES, codecs, callers=callers, room=room, talkers=talkers)
    pace = Pace(seconds, _WARM_UP_SECONDS, rate, burst)
    search = Search(_TRIAL_SECONDS, bound, most, talkers) if capacity else None
    others = [parse_foreign(text) for text in against or []]
    try:
        with _ending_in_order():
            result = _run(screen, keep, system or list(SYSTEMS), others, wanted, pace, search, rounds, dtx=dtx)
    except FAILURES as error:
        hint = "" if keep else " (--keep DIR leaves the logs)"
        screen.say(f"mirliton bench failed: {error}{hint}", style="bold red")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        screen.say("stopped: there is no result")
        raise typer.Exit(_INTERRUPTED) from None
    write(result, out)
    _show(result, screen, out, with_profile=show_profile)
    _draw(result, screen, plot)
    raise typer.Exit(0 if result.valid else 1)


def _run(
    screen: Screen,
    keep: Path | None,
    names: Sequence[str],
    others: Sequence[Foreign],
    scenarios: Sequence[Scenario],
    pace: Pace,
    search: Search | None,
    rounds: int,
    *,
    dtx: bool,
) -> Result:
    cores = choose_cores()
    codecs = list(dict.fromkeys(scenario.codec for scenario in scenarios))
    staying = max(pace.warm_up + pace.seconds, 0.0 if search is None else TRIAL_WARM_UP + search.seconds)
    found, absent = systems(names, others, staying)
    with ExitStack() as stack:
        folder = _folder(keep, stack)
        stack.enter_context(staying_on(cores[1]))
        bench = _bench(screen, folder, cores, codecs, with_calls=set(found) != {FLOOR}, dtx=dtx)
        session = Session(bench, found, [], [], [], rounds)
        session.measure(scenarios, pace)
        if search is not None:
            session.search(codecs, search, pace.rate)
    made, limits = session.measurements, session.capacities
    machine = describe(*cores, sys.argv)
    told = ratios(made, limits)
    return Result(FORMAT, machine, pace.seconds, made, limits, session.failures, told, absent, rounds)


def _bench(
    screen: Screen, folder: Path, cores: tuple[int, int], codecs: Sequence[str], *, with_calls: bool, dtx: bool
) -> Bench:
    with screen.stage("compiling the measuring tools"):
        sipp = find_program("sipp", "sip-tester") if with_calls else ""
        floor, rtpload = (build(name, cache_folder()) for name in ("floor", "rtpload"))
    said = {codec: folder / f"{codec}.voices" for codec in codecs}
    with screen.stage("encoding what the callers say", len(said)) as bar:
        for done, (codec, path) in enumerate(said.items(), 1):
            write_voices(path, CODINGS[codec], dtx=dtx)
            bar.at(done)
    return Bench(floor, rtpload, sipp, said, cores, folder, screen)


def _folder(keep: Path | None, stack: ExitStack) -> Path:
    """A folder of this run's own: below `keep`, or one that goes at the end."""
    if keep is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mirliton-bench-")))
    keep.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="run-", dir=keep.resolve()))


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """SIGTERM and a closed terminal end the run as an exception does: everything that was started is stopped."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    heeded = [number for number in _ENDINGS if signal.getsignal(number) != signal.SIG_IGN]  # nohup ignores one
    before = {number: signal.signal(number, end) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(result: Result, screen: Screen, out: Path, *, with_profile: bool) -> None:
    for grid in grids(result):
        screen.console.print(table(grid))
    for made in result.measurements if with_profile else []:
        title = f"Where the time goes: {made.system}, {made.scenario.name}"
        screen.console.print(table((title, ["", ""], [list(row) for row in profile(made)])))
    screen.say(provenance(result))
    screen.say(f"the result is in {out}")
    for made in result.measurements:
        for problem in made.problems:
            screen.say(f"not valid: {made.system}, {made.scenario.name}: {problem}", style="bold red")


def _draw(result: Result, screen: Screen, plot: Path | None) -> None:
    if plot is None:
        return
    try:
        draw(result, plot)
    except NoPlot as missing:
        screen.say(str(missing), style="bold red")
    else:
        screen.say(f"the picture is in {plot}")
