"""How fast a sender's clock goes against ours: a line through the quickest packets, one of each interval.

Packets that came quickest waited nowhere on their way, so their transit times (arrival against RTP timestamp) change
by the difference of the clocks alone. Earlier points are forgotten slowly.
"""

from mirliton.media.kernels import Int, Real, kernel
from mirliton.media.tables import Tables

_FORGETTING = 0.97  # at each point, of which there is one in about 5 s: a memory of some three minutes
_JUMP = 1600.0  # ts units, 200 ms: the sender began to count anew
_TS_PER_SECOND = 8000.0


@kernel
def note_transit(t: Tables, leg: Int, transit: Real, arrival: Int) -> None:
    """One packet took this long, in ts units from an unknown beginning."""
    record = t.legs[leg]
    if record.least_transit_at == 0 or transit < record.least_transit:
        record.least_transit, record.least_transit_at = transit, arrival


@kernel
def follow_clock(t: Tables, leg: Int) -> None:
    """An interval is over: its quickest packet is a point of the line (least squares, weighted, about its mean)."""
    record = t.legs[leg]
    if record.least_transit_at == 0:
        return
    x, y = record.least_transit_at / 1e9, record.least_transit
    record.least_transit_at = 0
    across, along = x - record.clock_x, y - record.clock_y
    if record.clock_points == 0 or abs(along - _slope(record.clock_xx, record.clock_xy) * across) > _JUMP:
        record.clock_points, record.clock_weight = 1, 1.0
        record.clock_x, record.clock_y, record.clock_xx, record.clock_xy = x, y, 0.0, 0.0
        return
    record.clock_points += 1
    record.clock_weight = _FORGETTING * record.clock_weight + 1.0
    record.clock_x += across / record.clock_weight
    record.clock_y += along / record.clock_weight
    record.clock_xx = _FORGETTING * record.clock_xx + across * (x - record.clock_x)
    record.clock_xy = _FORGETTING * record.clock_xy + along * (x - record.clock_x)
    # a fast clock makes transit times shorter
    record.drift = -_slope(record.clock_xx, record.clock_xy) / _TS_PER_SECOND * 1e6


@kernel
def _slope(squares: Real, products: Real) -> Real:
    return products / squares if squares > 0.0 else 0.0
