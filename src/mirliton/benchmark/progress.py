"""What a person sees while a run goes on: a bar on a terminal, a line elsewhere."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Bar:
    """How far one stage is."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self._progress = progress
        self._task = task

    def at(self, done: float) -> None:
        """Set how much of the total is done."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done)


class Screen:
    """Shows one stage after the other."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)

    def say(self, line: str, style: str = "") -> None:
        """One line that stays."""
        self.console.print(line, style=style, markup=False, soft_wrap=True)

    @contextmanager
    def stage(self, description: str, total: float | None = None) -> Iterator[Bar]:
        """Something that takes time. `total` None: nobody knows how long."""
        if not self.console.is_terminal:
            self.say(f"{description} …")
            yield Bar(None, None)
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, TimeRemainingColumn(), console=self.console, transient=True) as progress:
            yield Bar(progress, progress.add_task(description, total=total))
        self.say(f"{description}: done")

    def wait(self, description: str, seconds: float, each_second: Callable[[], None] | None = None) -> None:
        """Let time pass, and do something at the end of every second of it and of the rest.

        If that takes longer than a second, less often: the end is not put off.
        """
        began = time.monotonic()
        with self.stage(description, seconds) as bar:
            while (passed := time.monotonic() - began) < seconds:
                time.sleep(min(math.floor(passed) + 1, seconds) - passed)
                bar.at(time.monotonic() - began)
                if each_second is not None:
                    each_second()
