"""Who does not hear whom, and legs that hear voices but no room sounds (semantics 3.3): measured by spectrum."""

import itertools

import numpy as np
import pytest

from mirliton.media import counting
from mirliton.media import messages as m
from mirliton.media.engine import EngineFull
from tests.media.bench import EngineBench, FakeCaller, level, tone

TONES = (440.0, 700.0, 1100.0, 1900.0)
AUDIBLE, INAUDIBLE = 6000.0, 150.0  # G.711 adds products of the tones


def talk(bench: EngineBench, codecs: list[str]) -> int:
    for codec, hertz in zip(codecs, TONES, strict=False):
        bench.add(FakeCaller(tone(hertz), codec, phase_ms=5 * len(bench.callers)))
    mix = bench.open_mix()
    bench.join_all(mix)
    bench.run(1000)
    return mix


def hears(bench: EngineBench) -> set[tuple[int, int]]:
    """(listener, speaker) for every pair that is heard in the last 600 ms; nothing may be in between."""
    found = set()
    for listener, speaker in itertools.product(range(len(bench.callers)), repeat=2):
        caller = bench.callers[listener]
        strength = level(caller.heard(last_ms=600), TONES[speaker], caller.rate)
        assert strength > AUDIBLE or strength < INAUDIBLE, (listener, speaker, strength)
        if strength > AUDIBLE:
            found.add((listener, speaker))
    return found


def everybody(count: int) -> set[tuple[int, int]]:
    return {(listener, speaker) for listener in range(count) for speaker in range(count) if listener != speaker}


@pytest.mark.parametrize("codecs", [["PCMU", "PCMU", "PCMA", "PCMU"], ["G722", "PCMU", "G722", "PCMA"]])
def test_one_member_does_not_hear_another_and_all_else_stays(bench: EngineBench, codecs: list[str]) -> None:
    talk(bench, codecs)
    bench.apply(m.Hear(0, 2, False))
    bench.run(1000)
    assert hears(bench) == everybody(4) - {(0, 2)}
    bench.apply(m.Hear(0, 2, True))
    bench.run(1000)
    assert hears(bench) == everybody(4)


def test_any_set_of_pairs_is_heard_exactly(bench: EngineBench) -> None:
    talk(bench, ["PCMU"] * 4)
    unheard = {(0, 1), (0, 2), (0, 3), (1, 0), (2, 3)}
    for listener, speaker in sorted(unheard):
        bench.apply(m.Hear(listener, speaker, False))
    bench.apply(m.Hear(0, 1, False))  # saying it again changes nothing
    bench.run(1000)
    assert hears(bench) == everybody(4) - unheard
    for listener, speaker in ((0, 2), (1, 0)):
        bench.apply(m.Hear(listener, speaker, True))
    bench.run(1000)
    assert hears(bench) == everybody(4) - unheard | {(0, 2), (1, 0)}


@pytest.mark.parametrize("leaver", [0, 1])
def test_who_leaves_the_room_leaves_the_relation_behind(bench: EngineBench, leaver: int) -> None:
    mix = talk(bench, ["PCMU"] * 3)
    bench.apply(m.Hear(0, 1, False))
    bench.apply(m.JoinMix(leaver, -1))
    bench.run(200)
    bench.apply(m.JoinMix(leaver, mix))
    bench.set(leaver)
    bench.run(1000)
    assert hears(bench) == everybody(3)


def test_legs_of_different_rooms_have_no_relation(bench: EngineBench) -> None:
    mix = talk(bench, ["PCMU"] * 2)
    bench.apply(m.JoinMix(1, bench.open_mix(6)))
    bench.apply(m.Hear(0, 1, False))
    bench.apply(m.JoinMix(1, mix))
    bench.set(1)
    bench.run(1000)
    assert hears(bench) == everybody(2)


def test_the_table_of_relations_is_bounded_and_emptied(bench: EngineBench) -> None:
    talk(bench, ["PCMU"] * 2)
    for _ in range(100):
        bench.apply(m.Hear(0, 1, False))
        bench.apply(m.Hear(0, 1, True))
    for _ in range(6):
        bench.add(FakeCaller())
    bench.join_all(5)
    pairs = [pair for pair in itertools.product(range(8), repeat=2) if pair[0] != pair[1]]
    for listener, speaker in pairs[:16]:
        bench.apply(m.Hear(listener, speaker, False))
    with pytest.raises(EngineFull):
        bench.apply(m.Hear(pairs[16][0], pairs[16][1], False))


def test_voices_only_is_voices_without_the_rooms_sounds(bench: EngineBench) -> None:
    mix = talk(bench, ["PCMU", "PCMU", "PCMA"])
    bench.set(2, voices_only=True)
    t = np.arange(16000)
    narrow = (8000 * np.sin(2 * np.pi * 2500 * t / 8000)).astype(np.int16)
    wide = (8000 * np.sin(2 * np.pi * 2500 * np.arange(32000) / 16000)).astype(np.int16)
    bench.apply(m.Play(-1, mix, 1, bench.clip(narrow, wide), 1, 1.0))
    bench.run(1000)
    assert hears(bench) == everybody(3)
    assert level(bench.callers[0].heard(last_ms=600), 2500) > AUDIBLE
    assert level(bench.callers[2].heard(last_ms=600), 2500) < INAUDIBLE


def encodes(bench: EngineBench, ticks: int = 25) -> float:
    before = bench.counters[counting.ENCODES]
    bench.run(ticks * 20)
    return float(bench.counters[counting.ENCODES] - before) / ticks


@pytest.mark.parametrize("codec", ["PCMU", "G722", "OPUS"])
def test_a_relation_costs_one_encoding_and_only_while_it_matters(bench: EngineBench, codec: str) -> None:
    bench.add(FakeCaller(tone(440), codec))
    for _ in range(6):
        bench.add(FakeCaller(codec=codec))
    bench.join_all(bench.open_mix())
    bench.run(1000)
    assert encodes(bench) == 2, "the talker, and all others"
    bench.apply(m.Hear(3, 5, False))
    assert encodes(bench) == 2, "who does not hear somebody silent hears what all hear"
    bench.apply(m.Hear(3, 0, False))
    bench.apply(m.Hear(3, 4, False))
    assert encodes(bench) == 3
    bench.apply(m.Hear(3, 0, True))
    bench.run(1000)
    assert encodes(bench) == 2
