"""The gate against its specification, semantics 3.2, written down as a slow model."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirliton.media import messages as m
from mirliton.media.codecs.g711 import ULAW_DECODE, ULAW_ENCODE
from mirliton.media.gate import judge
from tests.media.bench import EngineBench, FakeCaller, level, silence, tone


@dataclass
class Specified:
    """Semantics 3.2 word by word: scores of a leg's packets in, changes of `talking` out."""

    energy: int
    opens: int = 0
    closes: int = 0
    talking: bool = False
    changes: list[bool] = field(default_factory=list)

    def hear(self, score: int) -> None:
        if score > self.energy:
            self.closes = max(0, self.closes - 1)
            if score - self.energy >= 400:
                self._open()
                return
            self.opens += 1
            if self.opens == 5:
                self._open()
        else:
            self.opens = max(0, self.opens - 1)
            if self.talking:
                self.closes += 1
                if self.closes == 40:
                    self.opens = self.closes = 0
                    self.talking = False
                    self.changes.append(False)

    def _open(self) -> None:
        self.opens = self.closes = 0
        if not self.talking:
            self.changes.append(True)
        self.talking = True


runs = st.lists(st.tuples(st.sampled_from([0, 20, 21, 150, 419, 420, 3000]), st.integers(1, 45)), max_size=30)


@settings(max_examples=150, deadline=None)
@given(runs, st.sampled_from([0, 20, 150, 1800]))
def test_counters_and_talking_follow_the_specification(sequence: Sequence[tuple[int, int]], energy: int) -> None:
    bench = EngineBench([FakeCaller()])
    bench.join_all(bench.open_mix(energy=energy))
    specified, record = Specified(energy), bench.tables.legs[0]
    for score, times in sequence:
        for _ in range(times):
            specified.hear(score)
            judge(bench.tables, 0, score)
            assert (record.gate_open, record.gate_close, bool(record.talking)) == (
                specified.opens,
                specified.closes,
                specified.talking,
            )
    bench.close()


def _payload(peak: int, samples: int) -> bytes:
    """PCMU of a square wave: each sample has the same size."""
    wave = peak * (1 - 2 * (np.arange(samples) // 4 % 2))
    return bytes(ULAW_ENCODE[wave + 32768])


def _score(payload: bytes) -> int:
    return int(np.abs(ULAW_DECODE[np.frombuffer(payload, np.uint8)].astype(int)).sum() // len(payload))


def _talking(bench: EngineBench, leg: int = 0) -> list[bool]:
    return [event.on for event in bench.events if isinstance(event, m.TalkingChanged) and event.leg == leg]


@pytest.mark.parametrize(
    ("interval", "ptime"), [(10, 20), (20, 20), (40, 20), (120, 20), (20, 30), (20, 10), (60, 20), (10, 60), (20, 60)]
)
def test_packets_are_counted_and_not_ticks(bench: EngineBench, interval: int, ptime: int) -> None:
    bench.add(FakeCaller(ptime=ptime))
    bench.callers[0].sending = False
    bench.join_all(bench.open_mix(interval=interval, energy=200))
    specified, random = Specified(200), np.random.default_rng(interval + ptime)
    peaks = [0] * 10
    while len(peaks) < 600:
        peaks += [int(random.choice([230, 400, 590, 660, 4000]))] * int(random.integers(1, 7))
        peaks += [int(random.choice([0, 150, 190]))] * int(random.integers(1, 60))
    for peak in [*peaks, *[0] * 45]:
        payload = _payload(peak, ptime * 8)
        specified.hear(_score(payload))
        bench.send_to(0, bench.callers[0].next_packet(payload))
        bench.run(ptime)
    bench.run(interval)
    assert specified.changes.count(True) >= 3, "a sequence that says something"
    assert _talking(bench) == specified.changes
    assert bench.tables.legs[0].late == 0


@pytest.mark.parametrize(("ptime", "opens", "closes"), [(20, 100, 800), (30, 150, 1200), (10, 50, 400)])
def test_quiet_speech_opens_after_five_packets_and_forty_quiet_ones_close(
    bench: EngineBench, ptime: int, opens: int, closes: int
) -> None:
    times: list[tuple[bool, int]] = []
    bench.add(FakeCaller(ptime=ptime))
    bench.callers[0].sending = False
    bench.join_all(bench.open_mix(energy=200))
    for peak, span in ((0, 600), (400, 900), (0, 1800)):
        times.append((False, bench.now))
        for _ in range(span // ptime):
            bench.send_to(0, bench.callers[0].next_packet(_payload(peak, ptime * 8)))
            before = len(_talking(bench))
            bench.run(ptime)
            if len(_talking(bench)) > before:
                times.append((True, bench.now))
    changes = [now for changed, now in times if changed]
    starts = [now for changed, now in times if not changed]
    late = 20 + 2 * ptime  # the jitter buffer, and what a tick rounds
    assert opens <= (changes[0] - starts[1]) / 1e6 <= opens + late
    assert closes <= (changes[1] - starts[2]) / 1e6 <= closes + late


@pytest.mark.parametrize("ptime", [20, 30])
def test_time_without_packets_counts_as_packets_that_do_not_pass(bench: EngineBench, ptime: int) -> None:
    bench.add(FakeCaller(tone(500), ptime=ptime))
    bench.join_all(bench.open_mix(energy=200))
    bench.run(1200)
    assert _talking(bench) == [True]
    bench.callers[0].sending = False
    bench.run(40 * ptime - 100)
    assert _talking(bench) == [True]
    bench.run(200 + 2 * ptime)
    assert _talking(bench) == [True, False]


def test_comfort_noise_packets_do_not_pass(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(500)))
    bench.join_all(bench.open_mix(energy=200))
    bench.run(600)
    caller = bench.callers[0]
    caller.sending = False
    for _ in range(50):
        loud = caller.packet(bytes([0]), payload_type=13)  # "0 dB below overload"
        caller.sequence, caller.timestamp = caller.sequence + 1, caller.timestamp + 160
        bench.send_to(0, loud)
        bench.run(20)
    assert _talking(bench) == [True, False]


def test_muting_ends_talking_and_who_is_muted_never_begins(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(500)))
    bench.join_all(bench.open_mix())
    bench.run(500)
    bench.set(0, muted=True)
    bench.run(1000)
    assert _talking(bench) == [True, False]
    bench.set(0, muted=False)
    bench.run(200)
    assert _talking(bench) == [True, False, True]


def test_the_score_is_taken_after_the_input_gain(bench: EngineBench) -> None:
    for _ in range(2):
        bench.add(FakeCaller(lambda t: 300 * np.sign(np.sin(2 * np.pi * 500 * t))))
    bench.join_all(bench.open_mix(energy=800))
    bench.set(0, energy_level=800, input_gain=4.3)
    bench.set(1, energy_level=800, input_gain=2.3)
    bench.run(1000)
    assert _talking(bench, 0) == [True]
    assert _talking(bench, 1) == []
    assert abs(bench.tables.legs[0].score - 300 * 4.3) < 20


def test_at_level_0_all_is_mixed_and_talking_follows_the_score(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(500, 40)))
    bench.add(FakeCaller(silence))
    bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix(energy=0))
    for leg in range(3):
        bench.set(leg, energy_level=0)
    bench.run(1000)
    assert level(bench.callers[2].heard(last_ms=500), 500) > 30
    assert _talking(bench, 0) == [True]
    assert _talking(bench, 1) == []


def test_talking_begins_and_ends_by_turns_whatever_is_heard(bench: EngineBench) -> None:
    random = np.random.default_rng(9)
    loud = [bool(x) for x in random.integers(0, 2, 60)]
    bench.add(FakeCaller(lambda t: np.where(np.array(loud)[(t * 2).astype(int) % 60], 5000, 0) * np.sin(3000 * t)))
    bench.join_all(bench.open_mix())
    bench.run(20_000)
    changes = _talking(bench)
    assert len(changes) > 4
    assert all(first != second for first, second in itertools.pairwise(changes))
