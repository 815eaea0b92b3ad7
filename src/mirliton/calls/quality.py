"""A call's statistics as its participant's `quality` and as the line in the log at its end (semantics 6.5)."""

from mirliton.media.types import LegStatistics


def quality(heard: LegStatistics) -> dict[str, int | float | str]:
    """What is known of a call so far: times in milliseconds, nothing that was not measured."""
    known: dict[str, int | float | str | None] = {
        "codec": heard.codec or None,
        "mos": _rounded(heard.mos, 2),
        "packets_received": heard.packets_received,
        "packets_sent": heard.packets_sent,
        "loss_percent": round(heard.loss_percent, 2),
        "late_packets": heard.packets_late,
        "recovered_packets": heard.packets_recovered,
        "jitter_ms": round(heard.jitter_ms, 1),
        "playout_delay_ms": round(heard.playout_delay_ms, 1),
        "concealed_ms": heard.concealed_ms,
        "concealed_long_ms": heard.concealed_long_ms,
        "stretched_ms": heard.stretched_ms,
        "accelerated_ms": heard.accelerated_ms,
        "drift_ppm": _rounded(heard.drift_ppm, 0),
        "round_trip_ms": _rounded(heard.round_trip_ms, 1),
        "sent_mos": _rounded(heard.sent_mos, 2),
        "sent_loss_percent": _rounded(heard.sent_loss_percent, 2),
        "sent_jitter_ms": _rounded(heard.sent_jitter_ms, 1),
    }
    return {name: value for name, value in known.items() if value is not None}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
