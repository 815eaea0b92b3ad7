"""How calls were when they ended: histograms by codec, so that their number does not grow with that of calls."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate

from mirliton.media.types import LegStatistics

_ENOUGH_PACKETS = 50
"""Calls of less than a second of sound tell nothing of the network."""

Reading = Callable[[LegStatistics], float | None]


class Histogram:
    """Counts of values up to each of its bounds (inclusive), and beyond."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.total = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def note(self, value: float) -> None:
        """One more value."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[float, int]]:
        """(bound, how many values are not above it), the last bound infinite."""
        return list(zip((*self.bounds, float("inf")), accumulate(self._counts), strict=True))


def _seconds(value: float | None) -> float | None:
    return None if value is None else value / 1000


_SCORES = (1.5, 2.0, 2.5, 3.0, 3.3, 3.6, 3.8, 4.0, 4.1, 4.2, 4.3, 4.4)
_PERCENT = (0.0, 0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
_JITTER = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
_DELAYS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)

MEASURES: dict[str, tuple[str, tuple[float, ...], Reading]] = {
    "mos": ("Mean opinion score of what came (E-model)", _SCORES, lambda s: s.mos),
    "sent_mos": ("Mean opinion score of what was sent, by the caller's reports", _SCORES, lambda s: s.sent_mos),
    "loss_percent": ("Packets that did not come, percent", _PERCENT, lambda s: s.loss_percent),
    "sent_loss_percent": (
        "Packets that did not reach the caller, percent, by its reports", _PERCENT, lambda s: s.sent_loss_percent,
    ),
    "jitter_seconds": ("How unevenly packets came (RFC 3550 6.4.1)", _JITTER, lambda s: _seconds(s.jitter_ms)),
    "concealed_percent": ("Sound that was made up, percent", _PERCENT, lambda s: s.concealed_percent),
    "round_trip_seconds": ("There and back, by the caller's reports", _DELAYS, lambda s: _seconds(s.round_trip_ms)),
    "playout_delay_seconds": (
        "How long sound waited to be even again, at the end", _DELAYS, lambda s: _seconds(s.playout_delay_ms) or None,
    ),
}  # fmt: skip
"""Name -> what it tells, bounds, and how it is read; None: it was not measured in this call."""


class EndedCalls:
    """Takes every call's last statistics."""

    def __init__(self) -> None:
        self._histograms: dict[tuple[str, str], Histogram] = {}  # (measure, codec): no more than there are of both

    def note(self, last: LegStatistics) -> None:
        """A call ended like this."""
        if not last.codec or last.packets_received < _ENOUGH_PACKETS:
            return
        for measure, (_, bounds, reading) in MEASURES.items():
            value = reading(last)
            if value is not None:
                self._histograms.setdefault((measure, last.codec), Histogram(bounds)).note(value)

    def histograms(self, measure: str) -> Iterator[tuple[str, Histogram]]:
        """(codec, histogram) of those codecs that were spoken."""
        return ((codec, found) for (name, codec), found in sorted(self._histograms.items()) if name == measure)
