"""A ring of sound that is written while it is heard: by the clock, the same for everybody, without an end."""

import numpy as np
import pytest

from mirliton.media import messages as m
from mirliton.media.clips import ClipMemory
from mirliton.media.handles import parts_of
from mirliton.media.live_clips import Ring
from mirliton.media.types import MediaFull
from tests.media.bench import MS, EngineBench, FakeCaller, level, silence

SECONDS = 2.0
STEP = 500  # ms written at a time


class Station:
    """A ring in the bench's clip memory, with another tone each half second of the clock."""

    def __init__(self, bench: EngineBench) -> None:
        self.bench = bench
        self.memory = ClipMemory(4 * len(bench.clips))
        self.ring = Ring(self.memory, "live:1", SECONDS)
        self.written = bench.now - bench.now % (STEP * MS)

    def tone_at(self, at: int) -> float:
        return 300.0 + 100.0 * (at // (STEP * MS) % 7)

    def go_on(self, ms: int) -> None:
        """Time passes; the ring is kept a second ahead of it."""
        for _ in range(ms // 100):
            while self.written < self.bench.now + 1000 * MS:
                self.ring.write(self.written, {rate: self.wave(rate) for rate in (8000, 16000)})
                self.written += STEP * MS
            start, length = self.ring.clip.parts[8000]
            self.bench.clips[start : start + 3 * length] = self.memory._samples[start : start + 3 * length]
            self.bench.run(100)

    def wave(self, rate: int) -> np.ndarray:
        t = np.arange(STEP * rate // 1000) / rate
        return (8000 * np.sin(2 * np.pi * self.tone_at(self.written) * t)).astype(np.int16)

    def tones(self, leg: int) -> list[float]:
        """Of each of the last half seconds of the clock that were heard whole, which tone was strongest."""
        caller = self.bench.callers[leg]
        heard = caller.heard()
        found = []
        end = len(heard) - (self.bench.now // MS % STEP) * caller.rate // 1000
        for start in range(end - STEP * caller.rate // 1000, 0, -STEP * caller.rate // 1000):
            piece = heard[start + caller.rate // 10 : start + 4 * caller.rate // 10]
            levels = {hertz: level(piece, hertz, caller.rate) for hertz in np.arange(300.0, 1000.0, 100.0)}
            best = max(levels, key=levels.__getitem__)
            if levels[best] > 5000:
                found.append(best)
        return found[::-1]


@pytest.fixture
def station(bench: EngineBench) -> Station:
    return Station(bench)


def test_a_looping_one_goes_on_without_an_end_and_everybody_hears_the_same_moment(
    bench: EngineBench, station: Station
) -> None:
    for codec in ("PCMU", "G722"):
        bench.add(FakeCaller(silence, codec))
    mixes = [bench.open_mix(5, rate=8000), bench.open_mix(6, rate=16000)]
    for leg, mix in enumerate(mixes):
        bench.apply(m.JoinMix(leg, mix))
    bench.apply(m.Loop(mixes[0], parts_of(station.ring.clip), 1.0))
    station.go_on(1700)
    bench.apply(m.Loop(mixes[1], parts_of(station.ring.clip), 1.0))
    station.go_on(6000)
    first, second = station.tones(0), station.tones(1)
    now = bench.now - bench.now % (STEP * MS)
    expected = [station.tone_at(now - n * STEP * MS) for n in range(len(first), 0, -1)]
    assert len(first) >= 13
    assert first == expected
    assert len(second) >= 10
    assert second == expected[-len(second) :]


def test_a_queued_one_is_heard_for_the_length_of_the_ring_from_now_on(bench: EngineBench, station: Station) -> None:
    bench.add(FakeCaller(silence))
    station.go_on(1300)
    bench.apply(m.Play(0, -1, 1, parts_of(station.ring.clip), 1, 1.0))
    started = bench.now
    station.go_on(4000)
    sounding = np.flatnonzero(np.abs(bench.callers[0].heard().astype(int)) > 1000)
    assert SECONDS * 8000 - 100 < sounding[-1] - sounding[0] <= SECONDS * 8000
    assert [(e.play_id, e.finished) for e in bench.events if isinstance(e, m.SoundDone)] == [(1, True)]
    heard = bench.callers[0].heard()[sounding[0] + 4800 : sounding[0] + 8000]
    tone = station.tone_at(started + 700 * MS)
    assert max(np.arange(300.0, 1000.0, 100.0), key=lambda hertz: level(heard, hertz)) == tone


def test_a_closed_one_is_silent_and_its_memory_is_free_when_nobody_plays_it() -> None:
    memory = ClipMemory(200_000)
    ring = Ring(memory, "live:1", 2.0, "acc")
    start, length = ring.clip.parts[8000]
    before = ring.in_use
    memory.use("live:1", 1)
    assert (before, ring.in_use) == (False, True)
    loud = {8000: np.full(length, 9000, np.int16), 16000: np.full(2 * length, 9000, np.int16)}
    ring.write(123_456_789, loud)
    assert memory._samples[start : start + 3 * length].min() == 9000
    with pytest.raises(MediaFull):
        memory.put("other", {rate: np.zeros(3 * rate, np.int16) for rate in (8000, 16000)})
    ring.close()
    ring.write(0, loud)
    assert memory._samples[start : start + 3 * length].max() == 0
    with pytest.raises(MediaFull):  # somebody still has it in the queue
        memory.put("other", {rate: np.zeros(3 * rate, np.int16) for rate in (8000, 16000)})
    memory.use("live:1", -1)
    ring.close()
    memory.put("other", {rate: np.zeros(3 * rate, np.int16) for rate in (8000, 16000)})
    assert (before, ring.in_use) == (False, False)


def test_more_than_the_ring_holds_is_refused() -> None:
    ring = Ring(ClipMemory(200_000), "live:1", 1.0)
    with pytest.raises(ValueError, match="8001"):
        ring.write(0, {8000: np.zeros(8001, np.int16), 16000: np.zeros(16002, np.int16)})
    with pytest.raises(ValueError, match="161"):
        ring.write(0, {8000: np.zeros(80, np.int16), 16000: np.zeros(161, np.int16)})
