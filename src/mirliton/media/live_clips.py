"""Sound that goes on for ever: a ring in the clip memory, written ahead of the clock by which the engine reads it."""

from collections.abc import Mapping

import numpy as np

from mirliton.media.clips import RATES, ClipMemory, Samples

_SAMPLE = 125_000  # ns at 8 kHz


class Ring:
    """Implements `types.LiveClip`. It stays in memory until it is closed and nobody plays it any more."""

    def __init__(self, memory: ClipMemory, key: str, seconds: float, owner: str = "") -> None:
        self._memory = memory
        self._length = round(seconds * 8000)
        silence = {rate: np.zeros(self._length * rate // 8000, np.int16) for rate in RATES}
        self.clip = memory.put(key, silence, owner, live=True)
        memory.use(key, 1)
        self._closed = False

    @property
    def in_use(self) -> bool:
        """See `types.LiveClip.in_use`."""
        return not self._closed and self._memory.users(self.clip.key) > 1

    def write(self, at: int, samples_by_rate: Mapping[int, Samples]) -> None:
        """See `types.LiveClip.write`."""
        count = len(samples_by_rate[8000])
        if count > self._length or len(samples_by_rate[16000]) != 2 * count:
            raise ValueError(f"{count} and {len(samples_by_rate[16000])} samples for a ring of {self._length}")
        if not self._closed:
            first = at // _SAMPLE % self._length
            until_end = min(count, self._length - first)
            for rate, samples in samples_by_rate.items():
                ratio, offset = rate // 8000, self.clip.parts[rate][0]
                self._memory.overwrite(offset + first * ratio, samples[: until_end * ratio])
                self._memory.overwrite(offset, samples[until_end * ratio :])

    def close(self) -> None:
        """See `types.LiveClip.close`."""
        if self._closed:
            return
        self.write(0, {rate: np.zeros(self._length * rate // 8000, np.int16) for rate in RATES})
        self._closed = True
        self._memory.use(self.clip.key, -1)
