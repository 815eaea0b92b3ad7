"""What is told of a call's network."""

from dataclasses import replace

from mirliton.api.openapi.shapes import QUALITY
from mirliton.calls.quality import quality
from mirliton.media.types import LegStatistics

UNKNOWN = LegStatistics(0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, False, 0, None)
KNOWN = replace(
    UNKNOWN, codec="OPUS", mos=4.123, drift_ppm=41.7, round_trip_ms=31.26, sent_mos=4.0,
    sent_loss_percent=1.005, sent_jitter_ms=2.04,
)  # fmt: skip


def test_what_was_not_measured_is_left_out() -> None:
    assert quality(KNOWN).keys() - quality(UNKNOWN).keys() == {
        "codec", "mos", "drift_ppm", "round_trip_ms", "sent_mos", "sent_loss_percent", "sent_jitter_ms",
    }  # fmt: skip


def test_everything_that_is_told_is_described() -> None:
    assert quality(KNOWN).keys() == QUALITY["properties"].keys()
