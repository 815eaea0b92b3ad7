"""Memory that engine and control process share for decoded sounds.

The control process writes and keeps the books; the engine only reads. Sounds that are playing stay; others are dropped
oldest use first when room is needed. What one owner put in takes no more than a share: who keeps long sounds playing
leaves room for the prompts of all others.
"""

import mmap
import os
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirliton.media.types import Clip, MediaFull

RATES = (8000, 16000)
Samples = NDArray[np.int16]


@dataclass(slots=True)
class _Entry:
    clip: Clip
    start: int
    size: int
    owner: str
    users: int = 0


class ClipMemory:
    """`size` bytes of shared memory behind `descriptor`, of which each owner has `share` bytes (None: all)."""

    def __init__(self, size: int, share: int | None = None) -> None:
        self.size = size - size % mmap.PAGESIZE
        self.descriptor = os.memfd_create("mirliton-clips")
        os.ftruncate(self.descriptor, self.size)
        self._memory = mmap.mmap(self.descriptor, self.size)
        self._samples = np.frombuffer(self._memory, np.int16)
        self._share = (self.size if share is None else share) // 2
        self._owned: Counter[str] = Counter()  # samples by owner
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._free: list[tuple[int, int]] = [(0, len(self._samples))]
        self.evicted = 0

    def put(self, key: str, samples_by_rate: Mapping[int, Samples], owner: str = "", *, live: bool = False) -> Clip:
        """Copy in, or return what lies there under this key. The first owner is the one whose share it takes.

        Raises `MediaFull`, and `ValueError` when the samples at one of the rates are missing.
        """
        if key in self._entries:
            self._entries.move_to_end(key)
            return self._entries[key].clip
        missing = [rate for rate in RATES if rate not in samples_by_rate]
        if missing:
            raise ValueError(f"clip {key!r} has no samples at {missing} Hz")
        narrow, wide = (np.asarray(samples_by_rate[rate], np.int16) for rate in RATES)
        length = len(narrow)
        self._make_share(owner, 3 * length)
        start = self._reserve(3 * length)
        self._samples[start : start + length] = narrow
        self._samples[start + length : start + 3 * length] = _fit(wide, 2 * length)
        clip = Clip(key, length / 8000, {8000: (start, length), 16000: (start + length, 2 * length)}, live)
        self._entries[key] = _Entry(clip, start, 3 * length, owner)
        self._owned[owner] += 3 * length
        return clip

    def holds(self, clip: Clip) -> bool:
        """Whether this very clip still lies in memory."""
        entry = self._entries.get(clip.key)
        return entry is not None and entry.clip.parts == clip.parts

    def use(self, key: str, change: int) -> None:
        """Count a clip's players up (1) or down (-1)."""
        entry = self._entries[key]
        entry.users += change
        self._entries.move_to_end(key)

    def users(self, key: str) -> int:
        """How many play a clip, or will."""
        return self._entries[key].users

    def overwrite(self, offset: int, samples: Samples) -> None:
        """Change what is being heard; `offset` and length lie within a clip of the caller's."""
        self._samples[offset : offset + len(samples)] = samples

    def statistics(self) -> dict[str, int]:
        """Books in numbers; sizes in bytes."""
        used = sum(entry.size for entry in self._entries.values())
        return {"clips": len(self._entries), "bytes": 2 * used, "capacity_bytes": self.size, "evicted": self.evicted}

    def close(self) -> None:
        """Give the memory back."""
        os.close(self.descriptor)

    def _make_share(self, owner: str, size: int) -> None:
        """Drop the owner's own clips, as far as nobody hears them, until one more fits into the share."""
        if self._owned.get(owner, 0) + size <= self._share:
            return
        for key in [key for key, entry in self._entries.items() if entry.owner == owner and entry.users == 0]:
            self._evict(key)
            if self._owned.get(owner, 0) + size <= self._share:
                return
        raise MediaFull(
            f"no {2 * size} bytes left of the account's share of the clip memory: wait until its other sounds have "
            "ended, or raise media.clip_memory_bytes_per_account"
        )

    def _reserve(self, size: int) -> int:
        while True:
            for at, (start, free) in enumerate(self._free):
                if free >= size:
                    self._free[at] = (start + size, free - size)
                    return start
            self._evict_one(size)

    def _evict_one(self, wanted: int) -> None:
        for key, entry in self._entries.items():
            if entry.users == 0:
                self._evict(key)
                return
        raise MediaFull(f"no {2 * wanted} bytes left in the clip memory: raise media.clip_memory_bytes")

    def _evict(self, key: str) -> None:
        entry = self._entries.pop(key)
        self._give_back(entry.start, entry.size)
        self._owned[entry.owner] -= entry.size
        if not self._owned[entry.owner]:
            del self._owned[entry.owner]
        self.evicted += 1

    def _give_back(self, start: int, size: int) -> None:
        """Into the list of free ranges, joined with its neighbours."""
        joined: list[tuple[int, int]] = []
        for begin, length in sorted([*self._free, (start, size)]):
            if joined and joined[-1][0] + joined[-1][1] == begin:
                joined[-1] = (joined[-1][0], joined[-1][1] + length)
            else:
                joined.append((begin, length))
        self._free = [run for run in joined if run[1]] or [(0, 0)]


def _fit(samples: Samples, length: int) -> Samples:
    """Exactly `length` samples: resamplers may differ by one."""
    if len(samples) >= length:
        return samples[:length]
    return np.concatenate([samples, np.zeros(length - len(samples), np.int16)])
