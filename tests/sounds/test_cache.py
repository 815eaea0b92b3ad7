"""The folder of fetched and spoken sounds: bounded, in the order of use, and whole after a crash."""

import json
import os
from pathlib import Path

import pytest

from mirliton.sounds.cache import CacheBroken, SoundCache
from mirliton.sounds.statistics import LibraryStatistics

BLOCK = 4096
"""What a small sound takes, and its notes as much again."""


class World:
    def __init__(self, folder: Path, max_bytes: int = 1_000_000) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.start()

    def start(self) -> None:
        self.statistics = LibraryStatistics()
        self.cache = SoundCache(self.folder, self.max_bytes, self.statistics)

    def keep(self, name: str, content: bytes = b"sound") -> Path:
        partial = self.cache.partial()
        partial.write_bytes(content)
        return self.cache.keep(name, partial, {"name": name}).path

    def names(self, *names: str) -> list[str]:
        """Those that are kept; asked for without using them."""
        kept = {json.loads(file.read_text())["name"] for file in self.folder.glob("*.json")}
        return [name for name in names if name in kept]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "cache", 6 * BLOCK)


def test_a_sound_is_found_with_its_notes_also_by_the_next_process(world: World) -> None:
    world.keep("a", b"one")
    world.start()
    cached = world.cache.get("a")
    assert cached is not None
    assert (cached.path.read_bytes(), cached.about) == (b"one", {"name": "a"})
    assert world.cache.get("b") is None
    assert world.statistics.cache_bytes == 2 * BLOCK


def test_what_was_used_longest_ago_goes_first(world: World) -> None:
    for name in "abc":
        world.keep(name)
    world.cache.get("a")
    world.keep("d")
    assert world.names(*"abcd") == ["a", "c", "d"]
    assert (world.statistics.cache_bytes, world.statistics.cache_evicted) == (6 * BLOCK, 1)


def test_the_order_of_use_outlives_the_process(world: World) -> None:
    for age, name in enumerate("cab"):
        path = world.keep(name)
        os.utime(path.with_suffix(".json"), (1000 - age, 1000 - age))
    world.start()
    world.keep("d")
    assert world.names(*"abcd") == ["a", "c", "d"]
    world.cache.get("a")
    world.start()
    world.keep("e")
    assert world.names(*"abcde") == ["a", "d", "e"], "used after its file was written"


def test_a_smaller_bound_is_kept_to_at_the_next_start(world: World) -> None:
    for name in "abc":
        world.keep(name)
    world.max_bytes = 2 * BLOCK
    world.start()
    assert len(world.names(*"abc")) == 1
    assert world.statistics.cache_bytes == 2 * BLOCK


def test_a_new_version_takes_the_place_of_the_old(world: World) -> None:
    assert world.keep("a", b"1" * BLOCK * 2) == world.keep("a", b"2")
    cached = world.cache.get("a")
    assert cached is not None
    assert cached.path.read_bytes() == b"2"
    assert world.statistics.cache_bytes == 2 * BLOCK


def test_a_sound_larger_than_all_the_room_is_refused_and_drives_nothing_out(world: World) -> None:
    world.keep("a")
    with pytest.raises(CacheBroken, match="cache_bytes"):
        world.keep("b", bytes(6 * BLOCK))
    assert world.names("a") == ["a"]


def test_notes_can_be_replaced_and_sounds_dropped(world: World) -> None:
    world.keep("a")
    world.cache.note("a", {"name": "a", "checked": 5})
    world.cache.note("unknown", {"name": "x"})
    world.start()
    cached = world.cache.get("a")
    assert cached is not None
    assert cached.about["checked"] == 5
    world.cache.drop("a")
    world.cache.drop("unknown")
    assert (world.cache.get("a"), world.statistics.cache_bytes) == (None, 0)
    assert list(world.folder.iterdir()) == []


def test_a_file_that_somebody_removed_is_not_offered(world: World) -> None:
    world.keep("a").unlink()
    assert world.cache.get("a") is None
    assert world.statistics.cache_bytes == 0


@pytest.mark.parametrize("notes", [None, "", "{", "[]", "\ud800"])
def test_what_a_crash_left_half_done_is_removed(world: World, notes: str | None) -> None:
    path = world.keep("a")
    (world.folder / ".partial-0123").write_bytes(b"half")
    path.with_suffix(".json").unlink()
    if notes is not None:
        path.with_suffix(".json").write_bytes(notes.encode("utf-8", "surrogatepass"))
    world.start()
    assert world.cache.get("a") is None
    assert list(world.folder.iterdir()) == []


def test_names_are_no_paths(world: World) -> None:
    path = world.keep("web:http://x/../../etc/passwd\0")
    assert path.parent == world.folder
