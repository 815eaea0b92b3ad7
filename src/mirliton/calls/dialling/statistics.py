"""What dialling counts."""

from dataclasses import dataclass


@dataclass(slots=True)
class DialStatistics:
    """Counters since the start, and `active` calls as of now."""

    requests: int = 0
    endpoints: int = 0
    active: int = 0
    joined: int = 0
    not_joined: int = 0
    unreached: int = 0
    over_share: int = 0
    over_budget: int = 0
    media_full: int = 0
    not_acceptable: int = 0
    silent: int = 0
    failed: int = 0
