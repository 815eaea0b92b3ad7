"""A cold start takes half a minute: say so, and how far it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

_WHAT = "first start of this version: compiling the audio engine"
_LINE_EVERY = 0.25


@contextmanager
def show_compiling() -> Iterator[Callable[[float], None]]:
    """Gives a function that takes the share done (0..1): a bar on a terminal, else a line a quarter, on stderr."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(_WHAT, total=1.0, visible=False)
        yield lambda share: progress.update(bar, completed=share, visible=True)


class _Lines:
    """For logs: the start, and every quarter."""

    def __init__(self, console: Console) -> None:
        self._console, self._next = console, 0.0

    def __call__(self, share: float) -> None:
        if share >= self._next:
            self._console.print(f"mirliton: {_WHAT}, {share:.0%}", highlight=False)
            self._next += _LINE_EVERY
