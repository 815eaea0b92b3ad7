"""Distributions and labelled numbers of sound, as Prometheus reads them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mirliton.benchmark.server import parse_metrics
from mirliton.media import counting
from mirliton.media.ended_calls import EndedCalls
from mirliton.media.link import MediaLink
from mirliton.media.running import note_lateness
from mirliton.media.types import LegStatistics
from mirliton.server.media_metrics import MediaMetrics

MS = 1_000_000
CALL = LegStatistics(1000, 1000, 10, 0, 0, 0, 3.0, 40.0, 0.0, False, 0, None, codec="PCMU", mos=4.2, loss_percent=1.0)


class FakeLink:
    """What is read of a `MediaLink`."""

    def __init__(self) -> None:
        self.ended = EndedCalls()
        self._counters = np.zeros(counting.SIZE, np.int64)

    def speaking(self) -> Iterator[tuple[str, bool]]:
        return iter([("PCMU", True), ("PCMU", False), ("OPUS", True)])

    tick_lateness = MediaLink.tick_lateness

    def tick(self, late: int) -> None:
        note_lateness(self._counters, late)


def shown(link: FakeLink) -> dict[tuple[str, tuple[str, ...]], float]:
    registry = CollectorRegistry()
    MediaMetrics(registry, cast(Any, link))
    text = generate_latest(registry).decode()
    parse_metrics(text)  # what `mirliton bench` reads
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_tick_is_counted_by_how_late_it_began() -> None:
    link = FakeLink()
    for late in (0, 20_000, 4 * MS, 5 * MS, 6 * MS, 999 * MS):
        link.tick(late)
    found = shown(link)
    assert found["mirliton_media_tick_late_seconds_bucket", ("5e-05",)] == 2
    assert found["mirliton_media_tick_late_seconds_bucket", ("0.005",)] == 4
    assert found["mirliton_media_tick_late_seconds_bucket", ("+Inf",)] == 6
    assert found["mirliton_media_tick_late_seconds_count", ()] == 6
    assert abs(found["mirliton_media_tick_late_seconds_sum", ()] - 1.01402) < 1e-9


def test_calls_of_now_are_counted_by_codec() -> None:
    found = shown(FakeLink())
    assert found["mirliton_media_legs_by_codec", ("PCMU",)] == 2
    assert found["mirliton_media_legs_by_codec", ("OPUS",)] == 1
    assert found["mirliton_media_talking", ()] == 2


def test_ended_calls_make_no_more_series_than_there_are_codecs() -> None:
    link = FakeLink()
    for number in range(500):
        link.ended.note(replace(CALL, codec=("PCMU", "G722")[number % 2], mos=1 + number / 200))
    found = shown(link)
    assert found["mirliton_call_mos_count", ("PCMU",)] == 250
    assert found["mirliton_call_loss_percent_bucket", ("G722", "1.0")] == 250
    assert found["mirliton_call_loss_percent_bucket", ("G722", "0.5")] == 0
    assert {labels[0] for (name, labels) in found if name.startswith("mirliton_call_")} == {"PCMU", "G722"}
    assert len(found) < 250
