"""The result for people: a table on the terminal, and Markdown for docs/performance.md.

`python -m mirliton.benchmark.report bench.json…` prints the Markdown.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table

from mirliton.benchmark.judging import others_share
from mirliton.benchmark.result import Bridge, Measured, Result, SetUp, UnreadableResult, read

_MEGA = 1_000_000
_KILO = 1000
_FRAMES_A_SECOND = 50

Row = tuple[str, str]


def rows(result: Result) -> Iterator[Row]:
    """What was measured, and the figure."""
    yield "callers, room, talkers", f"{result.task.callers}, {result.task.room}, {result.task.talkers}"
    yield "floor: share of a core", f"{result.floor.processes['floor'].total:.1%}"
    yield "floor: loss", f"{result.floor.traffic.loss:.3%}"
    if result.bridge is not None:
        yield from _bridge_rows(result, result.bridge)
    yield "valid", "yes" if result.valid else "NO: " + "; ".join(result.problems)
    if result.notes:
        yield "notes", "; ".join(result.notes)


def _bridge_rows(result: Result, bridge: Bridge) -> Iterator[Row]:
    measured, traffic = bridge.measured, bridge.measured.traffic
    yield "engine: share of a core", f"{bridge.engine.total:.1%}"
    if result.ratio is not None:
        yield "engine / floor", f"{result.ratio:.2f}"
    for name, share in measured.processes.items():
        if name != "engine":
            yield f"{name} process: share of a core", f"{share.total:.1%}"
    yield "loss", f"{traffic.loss:.3%} of {traffic.expected} packets"
    yield "dropped before the engine read them", str(measured.dropped_by_bridge)
    yield "packet gap p50 / p99 / p99.9 / max", f"{_gaps(measured)} ms"
    yield "callers that hear somebody", f"{traffic.hearing} (should be {bridge.hearing_expected})"
    yield (
        "ticks late: mean / worst second's mean / max",
        (f"{bridge.ticks.mean_ms:.2f} / {bridge.ticks.worst_second_mean_ms:.2f} / {bridge.ticks.max_ms:.1f} ms"),
    )
    yield "ticks skipped", str(bridge.ticks.skipped)
    yield "memory a call", f"{bridge.memory.per_call / _KILO:.0f} kB (idle {bridge.memory.idle / _MEGA:.0f} MB)"
    yield f"set-up at {bridge.set_up.offered:g} calls/s", _set_up(bridge.set_up)
    if bridge.burst is not None:
        yield f"set-up at {bridge.burst.offered:g} calls/s", _set_up(bridge.burst)
    yield "load generator", f"{_late(measured)}, {measured.load.total:.0%} of its core"
    yield "others on the engine's core", f"{others_share(measured, 'bridge'):.1%}"


def profile_rows(result: Result) -> Iterator[Row]:
    """Where the engine's time goes, as far as it can be told from outside.

    The kernel counts the sum exactly, but may split it by looking now and then, in step with the engine's ticks.
    """
    if result.bridge is None:
        return
    engine, floor, frame = result.bridge.engine, result.floor.processes["floor"], result.bridge.per_frame
    yield "kernel time, by samples", f"{engine.system:.1%} of a core (floor: {floor.system:.1%})"
    yield "own time, by samples", f"{engine.user:.1%} of a core (floor: {floor.user:.1%})"
    for name, count in frame.items():
        yield f"{name} in 20 ms", f"{count:.1f}"
    callers = result.task.callers * _FRAMES_A_SECOND
    yield "time for a caller and 20 ms", f"{engine.total / callers * _MEGA:.2f} µs"
    yield "of it beyond the floor", f"{(engine.total - floor.total) / callers * _MEGA:.2f} µs"


def _gaps(measured: Measured) -> str:
    traffic = measured.traffic
    gaps = (traffic.gap_p50_ms, traffic.gap_p99_ms, traffic.gap_p999_ms, traffic.gap_max_ms)
    return " / ".join(f"{gap:.1f}" for gap in gaps)


def _set_up(set_up: SetUp) -> str:
    if set_up.p50_ms is None or set_up.p99_ms is None or set_up.max_ms is None:
        return "no call was answered"
    times = f"{set_up.p50_ms:.0f} / {set_up.p99_ms:.0f} / {set_up.max_ms:.0f} ms"
    return f"{set_up.answered} of {set_up.calls} answered, {set_up.reached:.0f}/s, p50 / p99 / max {times}"


def _late(measured: Measured) -> str:
    traffic = measured.traffic
    return f"{traffic.late_slots} of {traffic.slots} ms late, by {traffic.latest_ms:.0f} ms at most"


def table(title: str, content: Iterator[Row]) -> Table:
    """For the terminal."""
    drawn = Table(title=title, title_justify="left", show_header=False)
    for name, figure in content:
        drawn.add_row(name, figure)
    return drawn


def markdown(results: Sequence[Result]) -> str:
    """One column a result, one row a figure, and the machines and commands below."""
    columns = [dict(rows(result)) for result in results]
    names = list(dict.fromkeys(name for column in columns for name in column))
    lines = ["| |" + " |" * len(results), "|---|" + "---|" * len(results)]
    lines += ["| " + " | ".join([name, *(column.get(name, "") for column in columns)]) + " |" for name in names]
    lines.append("")
    lines += [f"{number}. {provenance(result)}" for number, result in enumerate(results, 1)]
    return "\n".join(lines) + "\n"


def provenance(result: Result) -> str:
    """Command, machine and date in a line."""
    machine = result.machine
    return (
        f"`{machine.command}`, {machine.date[:16].replace('T', ' ')} UTC: {machine.cpu}, {machine.cores} cores "
        f"(engine on {machine.engine_core}, load on {machine.load_core}), {machine.kernel}, Python {machine.python}, "
        f"numba {machine.numba}, mirliton {machine.mirliton}"
    )


def main(paths: Sequence[str]) -> int:
    """Print the Markdown of the files; 2 when there are none or one cannot be read."""
    if not paths:
        print("python -m mirliton.benchmark.report BENCH.json…", file=sys.stderr)
        return 2
    try:
        print(markdown([read(Path(path)) for path in paths]), end="")
    except (UnreadableResult, OSError) as error:
        print(f"mirliton bench: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
