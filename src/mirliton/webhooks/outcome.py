"""What became of one attempt, and how long to wait before the next. Pure."""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

FIRST_PAUSE = 1.0
"""Seconds after the first attempt that failed; each further pause is twice as long."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`code`: the HTTP status, if one came; `reason`: what went wrong, for people.

    `final`: trying again would be refused in the same way. `retry_after`: seconds that the server asks to wait.
    """

    delivered: bool
    code: int | None = None
    reason: str = ""
    final: bool = False
    retry_after: float = 0.0


def pause(failed: int, retry_after: float, longest: float, random: float) -> float:
    """Seconds after the `failed`th (from 1) attempt: doubling, at least as the server asks, never above `longest`.

    `random` (0 to 1) spreads the attempts at servers that failed together over the second half of the pause.
    """
    doubled = FIRST_PAUSE * 2.0 ** min(failed - 1, 30)
    spread = doubled * (0.5 + random / 2)
    return min(longest, max(spread, retry_after))


def retry_after(header: str | None, now: float) -> float:
    """Seconds in a `Retry-After` header (RFC 9110 10.2.3: seconds or a date); 0 for none and for nonsense."""
    if header is None:
        return 0.0
    text = header.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0
