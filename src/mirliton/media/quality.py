"""How a call sounds, from what the network does to it: the E-model, simplified, as a mean opinion score.

R = R0 - Id(delay) - Ie,eff(codec, loss, bursts); no echo, no noise, no expectation (ITU-T G.107 clauses 7.4, 7.5).
R0 is that of the codec's own band: 93.2 (narrow, G.107), 129 (wide, G.107.1), 148 (full, G.107.2), and R is brought to
the scale of 100 before it becomes a score (G.107.1 Annex A, likewise for full band). So a score is against the best
that a band can give: 4.4 of PCMU is as good as PCMU can be, and is not as good as 4.3 of G722.
"""

import math
from dataclasses import dataclass

_NARROW, _WIDE, _FULL = (93.2, 1.0), (129.0, 1.29), (148.0, 1.48)
_MOST_EQUIPMENT = 95.0
_UNNOTICED_DELAY_MS = 100.0
_MOST_BURST = 8.0


@dataclass(frozen=True, slots=True)
class Impairment:
    """What a codec does to speech. `band`: R0 and the divisor to the scale of 100.

    `equipment` (Ie): without loss; `robustness` (Bpl): percent of random loss at which half the rest is gone.
    """

    band: tuple[float, float]
    equipment: float
    robustness: float


_REPEATING = 25.1
"""Bpl of G.711 with repeated pitch periods (G.113 Appendix I); ours for all codecs without concealment of their own."""

_WAVEFORM = {
    ("PCMU", 8000): Impairment(_NARROW, 0.0, _REPEATING),  # G.113 Appendix I
    ("PCMA", 8000): Impairment(_NARROW, 0.0, _REPEATING),
    ("L16", 8000): Impairment(_NARROW, 0.0, _REPEATING),
    ("L16", 16000): Impairment(_WIDE, 0.0, _REPEATING),
    ("L16", 48000): Impairment(_FULL, 0.0, _REPEATING),
    ("G722", 16000): Impairment(_WIDE, 13.0, _REPEATING),  # at 64 kbit/s, G.113 Appendix IV
}

_OPUS = {
    # Alahmadi, Pocta, Melvin: An Adaptive Bitrate Switching Algorithm for Speech Applications in Context of WebRTC,
    # ACM TOMM 17(4), 2021: the published rate that is next to what we send at. ITU-T has no figures for Opus.
    8000: Impairment(_NARROW, 2.0, 16.0),  # 11 kbit/s; ours is 14
    16000: Impairment(_WIDE, 18.0, 18.7),  # 15 kbit/s; ours is 24, so this is the lower bound
    48000: Impairment(_FULL, 16.8, 10.4),  # 31 kbit/s, measured to 14 kHz; ours is 32
}


def impairment(codec: str, rate: int) -> Impairment | None:
    """Of a codec whose sound has this rate (Hz); None: nothing is known."""
    return _OPUS.get(rate) if codec == "OPUS" else _WAVEFORM.get((codec, rate))


def opinion(codec: str, rate: int, *, loss_percent: float, delay_ms: float, burst: float = 1.0) -> float | None:
    """The score, 1 to 4.5, of one direction of a call.

    `loss_percent`: what nothing could be made of; `delay_ms`: from mouth to ear; `burst`: how long losses are compared
    to random ones (BurstR, G.107 clause 7.5). None for a codec of which nothing is known.
    """
    codecs = impairment(codec, rate)
    if codecs is None:
        return None
    best, scale = codecs.band
    rating = (best - delay_impairment(delay_ms) - _equipment(codecs, loss_percent, burst)) / scale
    return score(rating)


def delay_impairment(delay_ms: float) -> float:
    """Idd: what waiting does to talking with each other (G.107 (7-27), 7-28)."""
    if delay_ms <= _UNNOTICED_DELAY_MS:
        return 0.0
    x = math.log2(delay_ms / _UNNOTICED_DELAY_MS)
    sixth = 1 / 6
    return float(25 * ((1 + x**6) ** sixth - 3 * (1 + (x / 3) ** 6) ** sixth + 2))


def _equipment(codec: Impairment, loss_percent: float, burst: float) -> float:
    """Ie,eff (G.107 (7-29))."""
    if loss_percent <= 0:
        return codec.equipment
    bursts = min(max(1.0, burst), _MOST_BURST)
    share = loss_percent / (loss_percent / bursts + codec.robustness)
    return min(_MOST_EQUIPMENT, codec.equipment + (_MOST_EQUIPMENT - codec.equipment) * share)


def score(rating: float) -> float:
    """MOS of R (G.107 Annex B)."""
    if rating <= 0:
        return 1.0
    if rating >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)


def burst_ratio(lost: int, gaps: int, loss_percent: float) -> float:
    """Mean length of losses against that of random ones, which is 1 / (1 - loss)."""
    if gaps <= 0 or lost <= 0:
        return 1.0
    return max(1.0, lost / gaps * (1 - min(loss_percent, 99.0) / 100))
