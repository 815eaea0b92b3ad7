"""What the writer does with its orders: all takes, round by round. No process and no socket; time is given."""

import time
from collections.abc import Callable

from mirliton.recording import messages as m
from mirliton.recording.sound_files import WriteFailed
from mirliton.recording.take import Reader, Take

_SECOND = 1_000_000_000
_ROUND_SECONDS = 0.25
"""So long takes may write in one round what is not urgent: taps hold four seconds."""


class Desk:
    """`reader` opens a tap by its number and the first chunk to read; `stopwatch` measures work, in seconds."""

    def __init__(
        self, reader: Callable[[int, int], Reader], stopwatch: Callable[[], float] = time.perf_counter
    ) -> None:
        self._reader = reader
        self._stopwatch = stopwatch
        self._takes: dict[int, Take] = {}
        self._flushed = 0

    @property
    def behind(self) -> bool:
        """Whether another round should follow at once."""
        return any(take.behind for take in self._takes.values())

    def order(self, order: m.Order) -> list[m.News]:
        """Do it, and say what came of it."""
        match order:
            case m.Begin():
                return [self._begin(order)]
            case m.Finish(number, at) if number in self._takes:
                self._takes[number].finish(at)
            case m.Abandon(number) if number in self._takes:
                take = self._takes.pop(number)
                take.abandon()
                return self._removed(take)
            case _:
                pass  # it has ended meanwhile, which the control process will hear
        return []

    def _begin(self, order: m.Begin) -> m.Opened:
        try:
            self._takes[order.take] = Take(order, self._reader(order.tap, order.next))
        except WriteFailed as problem:
            return m.Opened(order.take, str(problem))
        return m.Opened(order.take)

    def _removed(self, take: Take) -> list[m.News]:
        try:
            take.path.unlink(missing_ok=True)
        except OSError as problem:
            return [m.Finished(take.number, take.lost, problem=str(problem))]
        return [m.Finished(take.number, take.lost)]

    def round(self, now: int) -> list[m.News]:
        """Empty all taps, write, and once a second bring files up to date. `now` in engine nanoseconds."""
        news: list[m.News] = []
        for take in list(self._takes.values()):
            news += self._guarded(take, _hear)
        until = self._stopwatch() + _ROUND_SECONDS
        for take in sorted(self._takes.values(), key=lambda one: one.behind):
            if not take.behind or self._stopwatch() < until:
                news += self._guarded(take, lambda one: self._write(one, now))
        if now - self._flushed >= _SECOND:
            self._flushed = now
            news += self._flush()
        return news

    def _write(self, take: Take, now: int) -> list[m.News]:
        facts = take.write(now)
        if facts is None:
            return []
        del self._takes[take.number]
        return [m.Finished(take.number, take.lost, facts, full=not take.finishing)]

    def _flush(self) -> list[m.News]:
        states: list[m.State] = []
        news: list[m.News] = []
        for take in list(self._takes.values()):
            news += self._guarded(take, lambda one: states.append(one.flush()) or [])  # type: ignore[func-returns-value]
        return [*news, m.Progress(states)] if states else news

    def _guarded(self, take: Take, work: Callable[[Take], list[m.News]]) -> list[m.News]:
        """Whatever goes wrong ends this take and nothing else."""
        try:
            return work(take)
        except WriteFailed as problem:
            text = str(problem)
        except Exception as problem:
            text = f"{type(problem).__name__}: {problem}"
        self._takes.pop(take.number, None)
        take.abandon()
        return [m.Finished(take.number, take.lost, problem=text)]

    def close(self) -> None:
        """The control process is gone: close all files, so that its successor finds them whole."""
        for take in self._takes.values():
            take.abandon()
        self._takes.clear()


def _hear(take: Take) -> list[m.News]:
    take.hear()
    return []
