"""When a station's sound is heard, in virtual time, over a ring that goes round and round as the engine's does."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from mirliton.media.types import Clip, LiveClip
from mirliton.sounds.radio_pacing import CUSHION, LEAD, SAMPLE, SECOND, Block, Pacer, Throttle

BEGIN = 1234 * SECOND + 77
TURN = 10


class Ring:
    """A ring of memory."""

    def __init__(self) -> None:
        self.clip = Clip("ring", TURN, {})
        self.in_use = True
        self.memory = np.zeros(TURN * 8000, np.int16)
        self.writes = 0

    def write(self, at: int, samples_by_rate: Mapping[int, Any]) -> None:
        """As the engine does it."""
        narrow = samples_by_rate[8000]
        assert len(samples_by_rate[16000]) == 2 * len(narrow) <= 2 * len(self.memory)
        self.memory[(at // SAMPLE + np.arange(len(narrow))) % len(self.memory)] = narrow
        self.writes += 1

    def close(self) -> None:
        """Not looked at."""

    def heard(self, start: int, end: int) -> set[int]:
        """The samples that play between two times."""
        return set(self.memory[np.arange(start // SAMPLE, end // SAMPLE) % len(self.memory)].tolist())


def block(value: int, seconds: float = 0.25) -> Block:
    return {rate: np.full(round(rate * seconds), value, np.int16) for rate in (8000, 16000)}


def opened() -> tuple[Ring, Pacer]:
    ring = Ring()
    channel: LiveClip = ring
    return ring, Pacer(channel, TURN, BEGIN)


def test_sound_begins_a_little_later_and_goes_on_without_a_gap() -> None:
    ring, pacer = opened()
    late = [pacer.write(BEGIN, block(value)) for value in (1, 2, 3)]
    assert late == [True, False, False]
    start = BEGIN + CUSHION
    for value in (1, 2, 3):
        end = start + SECOND // 4
        assert ring.heard(start + SAMPLE, end) == {value}
        start = end
    assert ring.heard(start + SAMPLE, start + SECOND) == {0}


def test_there_is_room_for_no_more_than_the_lead() -> None:
    _, pacer = opened()
    now = BEGIN
    for _ in range(100):
        pacer.write(now, block(1))
        wait = pacer.room(now)
        now += round(wait * SECOND)
        assert pacer.room(now) == pytest.approx(0, abs=1e-6)
    assert now - BEGIN == pytest.approx(100 * SECOND / 4 + CUSHION - LEAD, abs=SAMPLE)


def test_what_comes_too_late_is_heard_after_a_silence() -> None:
    ring, pacer = opened()
    pacer.write(BEGIN, block(1))
    now = BEGIN + 3 * SECOND
    assert pacer.write(now, block(2))
    assert ring.heard(BEGIN + CUSHION + SECOND // 4 + SAMPLE, now + CUSHION) == {0}
    assert ring.heard(now + CUSHION + SAMPLE, now + CUSHION + SECOND // 4) == {2}


@pytest.mark.parametrize("look", [SECOND // 4, SECOND])
def test_what_was_heard_is_not_heard_again(look: int) -> None:
    ring, pacer = opened()
    for value in range(1, 9):
        pacer.write(BEGIN, block(value))
    for now in range(BEGIN, BEGIN + 5 * TURN * SECOND, look):
        pacer.erase(now)
        if now > BEGIN + 3 * SECOND:
            assert ring.heard(now, now + look) == {0}


def test_a_station_goes_on_for_many_turns_of_the_ring() -> None:
    ring, pacer = opened()
    now = BEGIN
    heard: list[int] = []
    for value in range(1, 200):
        pacer.write(now, block(value))
        now += round(pacer.room(now) * SECOND)
        heard += [one for one in ring.heard(now, now + SECOND // 4) if one not in (*heard[-2:], 0)]
    assert heard == sorted(heard), "in order"
    assert len(heard) > 190


def test_a_process_that_stood_still_for_longer_than_a_turn_begins_again() -> None:
    ring, pacer = opened()
    for value in range(1, 9):
        pacer.write(BEGIN, block(value))
    now = BEGIN + 3 * TURN * SECOND + SECOND // 3
    assert pacer.write(now, block(50))
    assert ring.heard(now, now + CUSHION) == {0}
    assert ring.heard(now + CUSHION, now + (TURN - 1) * SECOND) == {0, 50}


def test_silence_costs_few_writes() -> None:
    ring, pacer = opened()
    for step in range(100):
        pacer.erase(BEGIN + step)
    assert ring.writes == 0


def test_bytes_above_the_rate_have_to_wait_and_a_pause_is_no_savings_book() -> None:
    throttle = Throttle(1000, burst=4)
    assert throttle.wait(100.0, 4000) == 0
    assert throttle.wait(100.0, 1000) == pytest.approx(1.0)
    assert throttle.wait(500.0, 5000) == pytest.approx(1.0), "four seconds of bytes at most are free"


def test_small_pieces_cost_as_much_as_larger_ones() -> None:
    throttle = Throttle(512, burst=0)
    assert throttle.wait(1.0, 1) == pytest.approx(1.0)
    assert throttle.wait(1.0, 0) == pytest.approx(2.0)
