"""Long sounds that one account keeps playing leave room for the prompts of the others."""

import numpy as np
import pytest

from mirliton.media.clips import ClipMemory
from mirliton.media.types import MediaFull

SECOND = 3 * 8000 * 2  # bytes of one second at both rates


def sound(seconds: int) -> dict[int, np.typing.NDArray[np.int16]]:
    """Samples at both rates."""
    return {rate: np.ones(rate * seconds, np.int16) for rate in (8000, 16000)}


@pytest.fixture
def memory() -> ClipMemory:
    """For a hundred seconds, of which one account has sixty."""
    return ClipMemory(100 * SECOND + 4096, 60 * SECOND)


def test_sounds_that_play_take_no_more_than_their_owners_share(memory: ClipMemory) -> None:
    for number in range(6):
        memory.put(f"long {number}", sound(10), "greedy")
        memory.use(f"long {number}", 1)
    with pytest.raises(MediaFull, match="account's share"):
        memory.put("short", sound(1), "greedy")
    for number in range(3):
        clip = memory.put(f"prompt {number}", sound(10), "modest")
        memory.use(f"prompt {number}", 1)
        assert memory.holds(clip)


def test_an_owner_beyond_its_share_loses_what_nobody_hears(memory: ClipMemory) -> None:
    kept = memory.put("of another", sound(10), "modest")
    playing = memory.put("playing", sound(20), "greedy")
    memory.use("playing", 1)
    silent = [memory.put(f"silent {number}", sound(20), "greedy") for number in range(2)]
    memory.put("next", sound(20), "greedy")
    assert memory.holds(playing)
    assert memory.holds(kept)
    assert [memory.holds(clip) for clip in silent] == [False, True]
    memory.use("playing", -1)
    for number in range(20):
        memory.put(f"more {number}", sound(20), "greedy")
    assert memory.statistics()["bytes"] == 70 * SECOND


def test_a_sound_in_memory_costs_nobody_anything_again(memory: ClipMemory) -> None:
    clip = memory.put("prompt", sound(50), "first")
    memory.use("prompt", 1)
    memory.put("other", sound(40), "second")
    assert memory.put("prompt", sound(50), "second") is clip
