"""A leg's shared record as the numbers that people ask for."""

from typing import Any

from mirliton.media.quality import burst_ratio, opinion
from mirliton.media.records import CODECS
from mirliton.media.types import LegStatistics

_NAMES = {number: name for name, number in CODECS.items()}
_CLOCK_POINTS = 6
"""Before half a minute is over, a difference of clocks is a guess."""
_ENOUGH_PACKETS = 50
"""Of fewer nothing is said but their number."""


def read_statistics(r: Any, now: int, opened_at: int, latched: tuple[str, int] | None) -> LegStatistics:
    """`r`: the record (`tables.LEG`); times in monotonic ns."""
    received, expected = int(r["received_before"] + r["received"]), 0
    if r["receiving"]:
        expected = int(r["highest"] - r["lowest"]) + 1
    lost = int(r["lost_before"]) + max(0, expected - int(r["received"]))
    late, recovered = int(r["late"]), int(r["recovered"])
    loss = percent(lost, received + lost)
    trip = int(r["round_trip"]) / 1e6 if r["round_trip"] else None
    reported = bool(r["remote_reports"])
    remote_loss = percent(int(r["remote_lost"]), int(r["remote_expected"])) if reported else None
    remote_jitter = float(r["remote_jitter"]) / 8 if reported else None
    codec, rate, ptime = _NAMES.get(int(r["codec"]), ""), int(r["rate"]), int(r["ptime"])
    playout = _playout_delay(r)
    on_the_way = (trip or 0.0) / 2 + ptime
    heard = opinion(
        codec,
        rate,
        loss_percent=percent(max(0, lost + late - recovered), received + lost),
        delay_ms=on_the_way + playout,
        burst=burst_ratio(lost, int(r["gaps"]), loss),
    )
    # what waits at the other end is not told: as much as evens out its jitter
    told = opinion(codec, rate, loss_percent=remote_loss or 0.0, delay_ms=on_the_way + 2 * (remote_jitter or 0.0))
    return LegStatistics(
        packets_received=received,
        packets_sent=int(r["packets_sent"]),
        packets_lost=lost,
        packets_late=late,
        packets_duplicate=int(r["duplicate"]),
        concealed_ms=int(r["concealed"]) // 8,
        jitter_ms=float(r["jitter"]) / 8,
        playout_delay_ms=playout,
        silent_for_ms=(now - max(int(r["last_arrival"]), opened_at)) / 1e6,
        talking=bool(r["talking"]),
        energy=int(r["smoothed"]),
        latched_source=latched,
        codec=codec if rate else "",
        loss_percent=loss,
        packets_recovered=recovered,
        concealed_long_ms=int(r["concealed_long"]) // 8,
        concealed_percent=percent(int(r["concealed"]), received * ptime * 8 + int(r["concealed"])),
        stretched_ms=int(r["stretched"]) // 8,
        accelerated_ms=int(r["accelerated"]) // 8,
        drift_ppm=float(r["drift"]) if r["clock_points"] >= _CLOCK_POINTS else None,
        round_trip_ms=trip,
        mos=heard if received >= _ENOUGH_PACKETS else None,
        sent_loss_percent=remote_loss,
        sent_jitter_ms=remote_jitter,
        sent_mos=told if reported else None,
        packets_refused=int(r["srtp_refused"]),
        packets_replayed=int(r["srtp_replayed"]),
    )


def _playout_delay(r: Any) -> float:
    """How long after the quickest packet's time its sound is read: what the jitter buffer adds."""
    if not r["playing"] or not r["rate"]:
        return 0.0
    played = int(r["position"]) - int(r["ready"]) * 8000 // int(r["rate"])
    quickest = min(int(r["fastest"]), int(r["fastest_before"]))
    return max(0.0, (int(r["next_read"]) // 125_000 - played - quickest) / 8)


def percent(part: int, whole: int) -> float:
    """0 of nothing, and never more than 100."""
    return min(100.0, 100 * part / whole) if whole > 0 else 0.0
