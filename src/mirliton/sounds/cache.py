"""Fetched and rendered sounds on disk: a bounded folder from which what was used longest ago goes first.

Each sound is two files: `KEY.sound`, and `KEY.json` with what is known about it, whose time of change is the time of
the last use. New files are written beside and moved into place, so that a reader or a crash finds the old or the new.
"""

import hashlib
import json
import os
import secrets
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from mirliton.sounds.addresses import SoundNotFound
from mirliton.sounds.statistics import LibraryStatistics

_log = structlog.get_logger(__name__)

_PARTIAL = ".partial-"
_BLOCK = 4096
"""Bytes that even an empty file takes: bounds how many small ones there are."""


class CacheBroken(SoundNotFound):
    """The folder cannot be written to, or is too small for the sound."""


@dataclass(frozen=True, slots=True)
class Cached:
    """A sound on disk, and what was noted about it."""

    path: Path
    about: dict[str, Any]
    size: int


class SoundCache:
    """The folder. Made when the first sound is kept; what an earlier run left in it is used."""

    def __init__(self, folder: Path, max_bytes: int, statistics: LibraryStatistics) -> None:
        self._folder = folder.absolute()
        self._max_bytes = max_bytes
        self._statistics = statistics
        self._kept: OrderedDict[str, Cached] = OrderedDict()
        self._take_over()

    def get(self, name: str) -> Cached | None:
        """The sound kept under a name; it counts as used now."""
        key = _key(name)
        cached = self._kept.get(key)
        if cached is None:
            return None
        if not cached.path.is_file():  # somebody cleaned up
            self._forget(key)
            return None
        self._kept.move_to_end(key)
        with suppress(OSError):  # the order of use is then lost at the next start, and nothing else
            os.utime(self._about_path(key))
        return cached

    def partial(self) -> Path:
        """A path for a file that is to be kept; delete it unless `keep` got it. Raises `CacheBroken`."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._broken(error) from error
        return self._folder / f"{_PARTIAL}{secrets.token_hex(8)}"

    def keep(self, name: str, partial: Path, about: dict[str, Any]) -> Cached:
        """Take a finished file over in place of what was kept under that name. Raises `CacheBroken`."""
        key = _key(name)
        try:
            size = partial.stat().st_size
            if _on_disk(size) > self._max_bytes:
                raise CacheBroken(f"a sound of {size} bytes is larger than sounds.cache_bytes: make that larger")
            path = self._folder / f"{key}.sound"
            partial.replace(path)
            self._write_about(key, about)
        except OSError as error:
            raise self._broken(error) from error
        self._enter(key, Cached(path, about, size))
        self._make_room()
        return self._kept[key]

    def note(self, name: str, about: dict[str, Any]) -> None:
        """Replace what is noted about a sound, if it is still kept. Raises `CacheBroken`."""
        key = _key(name)
        if (cached := self._kept.get(key)) is None:
            return
        try:
            self._write_about(key, about)
        except OSError as error:
            raise self._broken(error) from error
        self._kept[key] = Cached(cached.path, about, cached.size)

    def drop(self, name: str) -> None:
        """Delete a sound."""
        if (key := _key(name)) in self._kept:
            self._forget(key)

    def _take_over(self) -> None:
        """Enter what lies in the folder, in the order of its last use; remove what a crash left half done."""
        if not self._folder.is_dir():
            return
        found: list[tuple[float, str, Cached]] = []
        for path in self._folder.iterdir():
            if path.name.startswith(_PARTIAL):
                path.unlink(missing_ok=True)
            elif path.suffix == ".sound":
                found += self._left_over(path)
        for _, key, cached in sorted(found, key=lambda entry: entry[0]):
            self._enter(key, cached)
        self._make_room()

    def _left_over(self, path: Path) -> list[tuple[float, str, Cached]]:
        about_path = self._about_path(path.stem)
        try:
            about = json.loads(about_path.read_text())
            if not isinstance(about, dict):
                raise ValueError("no object")
            return [(about_path.stat().st_mtime, path.stem, Cached(path, about, path.stat().st_size))]
        except (OSError, ValueError) as error:
            _log.warning("cached sound without its notes removed", file=path.name, reason=str(error))
            path.unlink(missing_ok=True)
            about_path.unlink(missing_ok=True)
            return []

    def _make_room(self) -> None:
        while self._statistics.cache_bytes > self._max_bytes:
            self._forget(next(iter(self._kept)))
            self._statistics.cache_evicted += 1

    def _enter(self, key: str, cached: Cached) -> None:
        if old := self._kept.pop(key, None):
            self._statistics.cache_bytes -= _on_disk(old.size)
        self._kept[key] = cached
        self._statistics.cache_bytes += _on_disk(cached.size)

    def _forget(self, key: str) -> None:
        cached = self._kept.pop(key)
        self._statistics.cache_bytes -= _on_disk(cached.size)
        for path in (cached.path, self._about_path(key)):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                _log.warning("cached sound could not be removed", file=path.name, reason=str(error))

    def _about_path(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def _write_about(self, key: str, about: dict[str, Any]) -> None:
        partial = self.partial()
        partial.write_text(json.dumps(about))
        partial.replace(self._about_path(key))

    def _broken(self, error: OSError) -> CacheBroken:
        return CacheBroken(f"{self._folder} cannot be written to ({error.strerror}): sounds from elsewhere need it")


def _key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _on_disk(size: int) -> int:
    """Bytes that a sound and its notes take."""
    return -(-size // _BLOCK) * _BLOCK + _BLOCK
