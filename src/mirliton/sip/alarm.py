"""The one event loop timer that wakes an agent for the earliest deadline of all its machines."""

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls `wake` once `now` has reached the time that was set last."""

    def __init__(self, now: Callable[[], float], wake: Callable[[], None]) -> None:
        self._now = now
        self._wake = wake
        self._at: float | None = None
        self._handle: asyncio.TimerHandle | None = None

    def set(self, at: float | None) -> None:
        """Wake then (None: never) instead of what was set before."""
        if at == self._at:
            return
        self.stop()
        self._at = at
        if at is not None:
            self._handle = asyncio.get_running_loop().call_later(max(0.0, at - self._now()), self._ring)

    def stop(self) -> None:
        """Do not wake any more."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._at = None

    def _ring(self) -> None:
        self._handle = self._at = None
        self._wake()
