"""What the demo shows: a live roster and a bar on a terminal, plain lines elsewhere."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One participant on the roster. `seconds`: since the join."""

    name: str
    number: str
    talking: bool
    muted: bool
    seconds: int

    @classmethod
    def of(cls, participant: dict[str, Any]) -> "Row":
        """From a participant object of the REST API (semantics 6.5)."""
        channel = participant.get("conference_channel_vars", {})
        return cls(
            str(participant.get("caller_id_name", "")),
            str(participant.get("caller_id_number", "")),
            bool(channel.get("talking")),
            not channel.get("speak", True),
            int(participant.get("duration", 0)),
        )

    @property
    def state(self) -> str:
        """One word for people."""
        return "muted" if self.muted else "talking" if self.talking else "listening"


class Stage:
    """Lines, a bar, a roster. Where there is no terminal, the roster is a line whenever it changes."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=self.console
        )
        self._rows: Sequence[Row] = ()
        self._told = ""
        self._live: Live | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Draw until the block ends."""
        if not self.console.is_terminal:
            yield
            return
        with Live(get_renderable=self._picture, console=self.console, refresh_per_second=8, transient=True) as live:
            self._live = live
            yield
        self._live = None

    def say(self, line: str, style: str = "") -> None:
        """One line that stays."""
        self.console.print(line, style=style, markup=False, soft_wrap=True)

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator["Bar"]:
        """Something that takes time, with a bar while it runs. `total` None: nobody knows how long."""
        if self._live is None:
            self.say(f"{description} …")
        bar = self._progress.add_task(description, total=total)
        try:
            yield Bar(self._progress, bar)
        finally:
            self._progress.remove_task(bar)

    def roster(self, rows: Sequence[Row]) -> None:
        """Show who is in the room."""
        self._rows = rows
        told = ", ".join(f"{row.name} {row.state}" for row in rows) or "nobody"
        if self._live is None and told != self._told:
            self.say(f"  in the room: {told}")
        self._told = told

    def _picture(self) -> Group:
        return Group(*([roster_table(self._rows)] if self._rows else []), self._progress)


class Bar:
    """How far one task is."""

    def __init__(self, progress: Progress, task: Any) -> None:
        self._progress = progress
        self._task = task

    def at(self, done: float) -> None:
        """Set how much of the total is done."""
        self._progress.update(self._task, completed=done)


def roster_table(rows: Sequence[Row]) -> Table:
    """The roster as a table."""
    table = Table(title="Conference room, live from GET …/participants", title_justify="left")
    for column in ("who", "number", "state", "in for"):
        table.add_column(column)
    styles = {"talking": "bold green", "muted": "red", "listening": "dim"}
    for row in rows:
        table.add_row(row.name, row.number, f"[{styles[row.state]}]{row.state}[/]", f"{row.seconds} s")
    return table
