"""How late packets come, how long each of them waits therefore, and by how much that has to change.

A packet's *transit* is its arrival less its timestamp; its *lateness* is how much longer that is than the shortest
transit of the last seconds, so that neither the two clocks' offset nor their drift counts. A histogram of lateness,
which forgets, tells which wait would have been enough for all but a few: the *target*. Nothing here is done per tick.

All durations are ts units (1/8 ms).
"""

import math

import numpy as np

from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import LATENESS_BINS
from mirliton.media.samples import clear, scale
from mirliton.media.tables import Tables

_BIN = 40  # 5 ms
_MAY_BE_LATE = 0.03  # of the packets: what is rarer is concealed rather than waited for
_FORGET = 0.0173 / 160  # for each unit of sound: half is forgotten in 0.8 s, all but 3 % in 4 s
_HEAVIEST = 1e20  # weights grow instead of all the others shrinking, until they would overflow
_WINDOW = 8000  # the fastest packet is one of the last one to two seconds
_CLOCK_JUMP = 8000  # later than that is no packet: the sender's clock was set
_ROOM = 40  # what has to be too much, beside a step, before sound is shortened: so that it does not go to and fro
_LEAST_STEP = 80
_LITTLE_ROOM = 16
_SURE_AFTER = 16_000  # a step that could have been saved for two seconds is saved with little room, too
_WARY = 16_000  # two seconds longer if more delay was needed before
_WASTE = 40  # waiting that helps no packet is worth a cut from here on
UNKNOWN = np.int64(1) << 60


@kernel
def forget_transits(t: Tables, leg: Int) -> None:
    """Timestamps begin anew. How late packets come is a matter of the network, and is remembered."""
    record = t.legs[leg]
    record.fastest = record.fastest_before = UNKNOWN


@kernel
def fastest(t: Tables, leg: Int) -> Int:
    """The shortest transit that was seen lately."""
    record = t.legs[leg]
    return np.int64(min(record.fastest, record.fastest_before))


@kernel
def target(t: Tables, leg: Int) -> Int:
    """How much longer than the fastest packet each one should wait."""
    record = t.legs[leg]
    return np.int64(min((record.usual_lateness + 1) * _BIN, record.most_delay))


@kernel
def note_arrival(t: Tables, leg: Int, ts: Int, span: Int, arrival: Int) -> Int:
    """A packet of `span` came at `arrival` (ns); returns its lateness."""
    record = t.legs[leg]
    at = arrival // 125_000
    transit = at - ts
    if at - record.fastest_since >= _WINDOW:
        stale = at - record.fastest_since >= 2 * _WINDOW
        record.fastest_before = UNKNOWN if stale else record.fastest
        record.fastest, record.fastest_since = transit, at
    record.fastest = min(record.fastest, transit)
    late = np.int64(transit - fastest(t, leg))
    if late > _CLOCK_JUMP:
        record.fastest, record.fastest_before, record.fastest_since = transit, UNKNOWN, at
        return np.int64(0)
    record.lateness_weight *= 1.0 + _FORGET * span
    count_lateness(t, leg, late)
    return late


@kernel
def count_lateness(t: Tables, leg: Int, late: Int) -> None:
    """Put one packet into the histogram and move the quantile to where it is now: a step or two, whatever the size."""
    record, bins = t.legs[leg], t.near[leg].lateness
    if record.lateness_weight < 1.0 or record.lateness_weight > _HEAVIEST:
        _weigh_anew(t, leg)
    place = min(late // _BIN, LATENESS_BINS - 1)
    bins[place] += record.lateness_weight
    record.lateness_total += record.lateness_weight
    if place > record.usual_lateness:
        record.lateness_above += record.lateness_weight
    allowed = _MAY_BE_LATE * record.lateness_total
    while record.lateness_above > allowed and record.usual_lateness < LATENESS_BINS - 1:
        record.usual_lateness += 1
        record.lateness_above -= bins[record.usual_lateness]
    while record.usual_lateness > 0 and record.lateness_above + bins[record.usual_lateness] <= allowed:
        record.lateness_above += bins[record.usual_lateness]
        record.usual_lateness -= 1


@kernel
def _weigh_anew(t: Tables, leg: Int) -> None:
    """The first packet of all, or the weights have grown too large."""
    record, bins = t.legs[leg], t.near[leg].lateness
    if record.lateness_weight < 1.0:
        clear(bins, LATENESS_BINS)
        record.lateness_weight, record.lateness_total, record.lateness_above = 1.0, 0.0, 0.0
        record.usual_lateness = 0
    else:
        scale(bins, LATENESS_BINS, 1.0 / _HEAVIEST)
        record.lateness_weight /= _HEAVIEST
        record.lateness_total /= _HEAVIEST
        record.lateness_above /= _HEAVIEST


@kernel
def fit_grid(t: Tables, leg: Int, span: Int, frame: Int) -> None:
    """Packets of `span` are read in frames of `frame`: from which step on does a change of delay help any packet?"""
    record = t.legs[leg]
    if record.grid_span != span or record.grid_frame != frame:
        record.grid_span, record.grid_frame = span, frame
        record.grid = math.gcd(span, frame)


@kernel
def least_wait(t: Tables, leg: Int) -> Int:
    """From a packet's timestamp to the tick that may read it: the target, and the time its frame takes to be whole."""
    record = t.legs[leg]
    return np.int64(fastest(t, leg) + target(t, leg) + record.grid_frame - record.grid)


@kernel
def aim(t: Tables, leg: Int, ts: Int, span: Int) -> None:
    """By how much should the sound be shortened (or, below 0, stretched), now that this packet came?

    Frames are read whole. So only whole steps of the grid change which packets are in time; what the sound lags behind
    beyond the last step is waiting for nothing.
    """
    record = t.legs[leg]
    if not record.playing or record.read_every == 0:
        return
    fit_grid(t, leg, span, record.read_every // 125_000)
    played = record.position - record.ready // (record.rate // 8000)
    waste = (ts - played) % record.grid
    spare = record.next_read // 125_000 - played - waste - least_wait(t, leg)
    record.shift = _shift(t, leg, span, waste, spare)


@kernel
def _shift(t: Tables, leg: Int, span: Int, waste: Int, spare: Int) -> Int:
    """The waste, and every whole step that there is too much or too little; too much by one step only after a while."""
    record = t.legs[leg]
    if spare < 0:
        record.roomy = -_WARY
        return np.int64(waste + spare // record.grid * record.grid)
    step = max(record.grid, _LEAST_STEP)
    record.roomy = record.roomy + span if spare >= step else min(record.roomy, 0)
    room = _LITTLE_ROOM if record.roomy >= _SURE_AFTER else _ROOM
    if spare >= step + room:
        return np.int64(waste + (spare - room) // record.grid * record.grid)
    return np.int64(waste if waste >= _WASTE else 0)
