"""The result for people: tables on the terminal, and Markdown for docs/performance.md.

`python -m mirliton.benchmark.report bench.json…` prints the Markdown.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from rich.table import Table

from mirliton.benchmark.judging import others_share
from mirliton.benchmark.result import (
    FLOOR,
    Account,
    Capacity,
    Measurement,
    Ratio,
    Result,
    SetUp,
    UnreadableResult,
    read,
)
from mirliton.benchmark.scenario import hearing_expected

_MEGA = 1_000_000
_KIBI = 1024
_FRAMES_A_SECOND = 50

Row = tuple[str, str]
Grid = tuple[str, list[str], list[list[str]]]
"""Title, heads of the columns, rows."""


def grids(result: Result) -> Iterator[Grid]:
    """Everything that was found: for each crowd the systems side by side, then capacities and ratios."""
    scenarios = list(dict.fromkeys(made.scenario for made in result.measurements))
    for scenario in scenarios:
        made = [found for found in result.measurements if found.scenario == scenario]
        talk = f"{scenario.talkers} of each room talk"
        yield f"{scenario.name} ({talk})", ["", *(found.system for found in made)], _beside(made)
    if result.capacities:
        heads = ["", "room", "system", "callers on a core", "limited by", "tried"]
        yield "Capacity", heads, [_capacity(found) for found in result.capacities]
    if result.ratios:
        heads = ["", "against", "crowd", "ratio"]
        yield "Ratios of this run", heads, [_ratio(found) for found in result.ratios]
    missing = [[name, how] for name, how in result.absent.items()]
    missing += [[f"{found.system}, {found.scenario.name}", found.why] for found in result.failures]
    if missing:
        yield "Not measured", ["", "why"], missing


def _beside(made: Sequence[Measurement]) -> list[list[str]]:
    columns = [dict(rows(found)) for found in made]
    names = list(dict.fromkeys(name for column in columns for name in column))
    return [[name, *(column.get(name, "") for column in columns)] for name in names]


def rows(made: Measurement) -> Iterator[Row]:
    """What was measured of one system, and the figure."""
    measured, traffic = made.measured, made.measured.traffic
    if made.rounds:
        yield "rounds", f"{len(made.rounds)}: median shares, all packets, the worst lateness"
    yield "share of a core", f"{measured.total:.1%}{_spread(made)}"
    if len(measured.processes) > 1:
        yield "of it", ", ".join(f"{name} {share.total:.1%}" for name, share in measured.processes.items())
    yield "a caller", f"{made.a_caller:.4%} of a core"
    yield "loss", f"{traffic.loss:.3%} of {max(traffic.expected, traffic.due)}"
    yield "not read in time by the bridge", str(measured.dropped_by_bridge)
    gaps = (traffic.gap_p50_ms, traffic.gap_p99_ms, traffic.gap_p999_ms, traffic.gap_max_ms)
    yield "packet gap p50 / p99 / p99.9 / max", " / ".join(f"{gap:.1f}" for gap in gaps) + " ms"
    yield "added mouth to ear p50 / p99", _delay(made)
    if made.system != FLOOR:
        yield "callers that hear somebody", f"{measured.hearing} of {hearing_expected(made.scenario)}"
        yield "memory a leg", _memory(made)
    if made.account is not None:
        yield from _account_rows(made.account)
    for set_up in (made.set_up, made.burst):
        if set_up is not None:
            yield f"set-up at {set_up.offered:g} calls/s", _set_up(set_up)
    yield (
        "load generator",
        (
            f"{traffic.late_slots} of {traffic.slots} ms late, by {traffic.latest_ms:.0f} ms at most, "
            f"{measured.load.total:.0%} of its core"
        ),
    )
    yield "others on the core", f"{others_share(made):.1%}"
    yield "valid", "yes" if made.valid else "NO: " + "; ".join(made.problems)
    if made.notes:
        yield "notes", "; ".join(made.notes)


def _spread(made: Measurement) -> str:
    """Least and most of the rounds."""
    shares = [found.measured.total for found in made.rounds]
    return f" ({min(shares):.1%} to {max(shares):.1%})" if shares else ""


def _delay(made: Measurement) -> str:
    delay = made.measured.delay
    if delay.p50_ms is None or delay.p99_ms is None:
        return "not told"
    return f"{delay.p50_ms:.1f} / {delay.p99_ms:.1f} ms ({delay.packets} packets)"


def _memory(made: Measurement) -> str:
    names = list(made.memory.loaded)
    parts = [f"{made.memory.per_call(name) / _KIBI:.0f} KiB" for name in names]
    if len(names) == 1:
        return parts[0]
    return ", ".join(f"{name} {part}" for name, part in zip(names, parts, strict=True))


def _account_rows(account: Account) -> Iterator[Row]:
    ticks = account.ticks
    late = "" if ticks.p999_ms is None else f"{ticks.p999_ms:.1f} / "
    yield f"ticks late: mean / {'p99.9 / ' if late else ''}max", f"{ticks.mean_ms:.2f} / {late}{ticks.max_ms:.1f} ms"
    yield "ticks skipped", str(ticks.skipped)


def _set_up(set_up: SetUp) -> str:
    if set_up.p50_ms is None or set_up.p99_ms is None or set_up.max_ms is None:
        return "no call was answered"
    times = f"{set_up.p50_ms:.0f} / {set_up.p99_ms:.0f} / {set_up.max_ms:.0f} ms"
    return f"{set_up.answered} of {set_up.calls} answered, {set_up.reached:.0f}/s, p50 / p99 / max {times}"


def _capacity(found: Capacity) -> list[str]:
    mark = "" if found.limited_by == "bridge" else "at least " if found.callers else "not found: "
    tried = ", ".join(f"{trial.callers}: {trial.why or trial.verdict}" for trial in found.trials)
    return [found.codec, str(found.room), found.system, f"{mark}{found.callers}", found.limited_by, tried]


def _ratio(found: Ratio) -> list[str]:
    spread = "" if found.least is None or found.most is None else f" ({found.least:.2f} to {found.most:.2f})"
    spoilt = "" if found.valid else ", NOT VALID"
    return [found.of, found.against, found.scenario, f"{found.mark} {found.value:.2f}".strip() + spread + spoilt]


def profile(made: Measurement) -> Iterator[Row]:
    """Where the time goes, as far as it can be told from outside.

    The kernel counts the sum exactly, but may split it by looking now and then, in step with the engine's ticks.
    """
    share, frames = next(iter(made.measured.processes.values())), made.scenario.callers * _FRAMES_A_SECOND
    yield "kernel time, by samples", f"{share.system:.1%} of a core"
    yield "own time, by samples", f"{share.user:.1%} of a core"
    yield "time for a caller and 20 ms", f"{share.total / frames * _MEGA:.2f} µs"
    if seconds := [sum(second.processes.values()) for second in made.measured.by_second]:
        least, most = min(seconds), max(seconds)
        yield "second by second, least / median / most", f"{least:.0%} / {median(seconds):.0%} / {most:.0%} of a core"
    if made.account is not None:
        for name, count in made.account.per_frame.items():
            yield f"{name} in 20 ms", f"{count:.1f}"


def table(grid: Grid) -> Table:
    """For the terminal."""
    title, heads, body = grid
    drawn = Table(*heads, title=title, title_justify="left")
    for row in body:
        drawn.add_row(*row)
    return drawn


def markdown(result: Result) -> str:
    """The same tables, and the machine and command below."""
    parts = []
    for title, heads, body in grids(result):
        lines = [f"### {title}", "", _line(heads), "|---" * len(heads) + "|", *map(_line, body)]
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, provenance(result)]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def provenance(result: Result) -> str:
    """Command, machine and date in a line."""
    machine = result.machine
    return (
        f"`{machine.command}`, {machine.date[:16].replace('T', ' ')} UTC: {machine.cpu}, {machine.cores} cores "
        f"(bridge on {machine.engine_core}, load on {machine.load_core}), {machine.kernel}, Python {machine.python}, "
        f"numba {machine.numba}, mirliton {machine.mirliton}"
    )


def main(paths: Sequence[str]) -> int:
    """Print the Markdown of the files; 2 when there are none or one cannot be read."""
    if not paths:
        print("python -m mirliton.benchmark.report BENCH.json…", file=sys.stderr)
        return 2
    try:
        print("\n".join(markdown(read(Path(path))) for path in paths), end="")
    except (UnreadableResult, OSError) as error:
        print(f"mirliton bench: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
