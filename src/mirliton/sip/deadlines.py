"""Time for machines that never look at a clock: named timers inside a machine, one heap of deadlines for its shell."""

import heapq
from collections.abc import Iterator
from itertools import count
from typing import Protocol


class Timers:
    """The running timers of one machine by name; times are seconds of the caller's clock."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def start(self, name: str, at: float) -> None:
        """Start or restart."""
        self._at[name] = at

    def stop(self, *names: str) -> None:
        """Stop the named ones; those that do not run are no error."""
        for name in names:
            self._at.pop(name, None)

    def stop_all(self) -> None:
        """Stop every timer."""
        self._at.clear()

    def runs(self, name: str) -> bool:
        """Whether it was started and has not fired."""
        return name in self._at

    @property
    def next_deadline(self) -> float | None:
        """When the earliest fires."""
        return min(self._at.values(), default=None)

    def due(self, now: float) -> Iterator[str]:
        """Take out those whose time has come, earliest first; a timer started meanwhile counts too."""
        while self._at:
            name = min(self._at, key=self._at.__getitem__)
            if self._at[name] > now:
                return
            del self._at[name]
            yield name


class Timed(Protocol):
    """Anything that wants to be woken."""

    @property
    def next_deadline(self) -> float | None:
        """When, or None for never."""


class Deadlines:
    """A heap of machines by deadline. Entries whose machine has changed its mind are dropped, at the latest when they
    come up, so the heap stays within a small multiple of the machines that wait."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed]] = []
        self._current: dict[Timed, float] = {}
        self._order = count()

    def watch(self, machine: Timed) -> None:
        """Call after every change of a machine."""
        deadline = machine.next_deadline
        if deadline is None:
            self._current.pop(machine, None)
        elif self._current.get(machine) != deadline:
            self._current[machine] = deadline
            heapq.heappush(self._heap, (deadline, next(self._order), machine))
        if len(self._heap) > 64 + 2 * len(self._current):
            self._heap = [entry for entry in self._heap if self._holds(entry)]
            heapq.heapify(self._heap)

    def _holds(self, entry: tuple[float, int, Timed]) -> bool:
        return self._current.get(entry[2]) == entry[0]

    @property
    def next(self) -> float | None:
        """The earliest deadline that still holds."""
        while self._heap and not self._holds(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> Iterator[Timed]:
        """Take out each machine whose time has come; its owner must `watch` it again."""
        while (at := self.next) is not None and at <= now:
            machine = heapq.heappop(self._heap)[2]
            del self._current[machine]
            yield machine

    def __len__(self) -> int:
        return len(self._heap)
