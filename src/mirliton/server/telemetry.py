"""Logs on stderr, and the numbers of every layer for Prometheus. Each layer counts for itself; here they are named."""

import dataclasses
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

Source = Callable[[], Mapping[str, float]]

_PRESENT = {
    "legs", "mixes", "clip_clips", "clip_bytes", "clip_capacity_bytes", "sessions", "dialogs", "transactions",
    "open_connections", "registrations", "active", "rooms", "members", "kept_bytes", "tick_late_seconds_mean",
    "tick_late_seconds_max", "taps", "relations", "running", "waiting", "own_registrations", "cache_bytes", "stations",
}  # fmt: skip
"""Names of values that go up and down; everything else counts."""


class LogStream:
    """Standard error, for a log that may lie on a full disk: what cannot be written is lost and counted.

    A log that raises would end calls at whatever line wants to tell something, and leave what they hold behind.
    """

    def __init__(self) -> None:
        self.failed = 0

    def write(self, text: str) -> int:
        """All of it, or nothing that anybody can rely on; never raises for what the system refuses."""
        try:
            return sys.stderr.write(text)
        except (OSError, ValueError):  # closed, when the process ends
            self.failed += 1
            return len(text)

    def flush(self) -> None:
        """See `write`."""
        try:
            sys.stderr.flush()
        except (OSError, ValueError):
            self.failed += 1

    def counted(self) -> dict[str, float]:
        """For `Telemetry`."""
        return {"writes_failed": self.failed}


LOG = LogStream()


def configure_logging(level: str, as_json: bool) -> None:
    """One line an event on stderr; JSON lines for machines."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log_level {level!r}: use debug, info, warning or error")
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _escape_controls,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(LOG),  # type: ignore[arg-type] # of a file, it needs these two alone
    )
    logging.basicConfig(stream=sys.stderr, level=max(number, logging.WARNING))


def _escape_controls(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What callers and tenants send ends up in logs: no control character may reach a terminal."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            lines = [
                line if line.isprintable() else line.encode("unicode_escape").decode() for line in value.split("\n")
            ]
            event[key] = ("\n" if key == "exception" else "\\n").join(lines)
    return event


def flat(statistics: object) -> dict[str, float]:
    """A dataclass of counters (with dictionaries by reason) as plain names."""
    numbers: dict[str, float] = {}
    for field in dataclasses.fields(statistics):  # type: ignore[arg-type]
        value = getattr(statistics, field.name)
        if isinstance(value, Mapping):
            numbers |= {f"{field.name}_{reason}": float(count) for reason, count in value.items()}
        else:
            numbers[field.name] = float(value)
    return numbers


class Telemetry(Collector):
    """Reads the layers' counters when Prometheus asks: nothing is counted twice, and nothing costs in between."""

    def __init__(self, registry: CollectorRegistry, sources: Mapping[str, Source]) -> None:
        self._sources = sources
        registry.register(self)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """One family a number: `mirliton_<layer>_<name>`."""
        for layer, read in self._sources.items():
            for name, value in read().items():
                label = "".join(c if c.isalnum() else "_" for c in f"mirliton_{layer}_{name}")
                about = f"{name.replace('_', ' ')} ({layer})"
                if name in _PRESENT:
                    yield GaugeMetricFamily(label, about, value=value)
                else:
                    yield CounterMetricFamily(label, about, value=value)
