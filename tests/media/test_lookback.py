"""The 60 ms before the gate opens: heard, once, without a gap, and only when there is something to hear."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media import messages as m
from mirliton.media.codecs.g711 import ULAW_DECODE, ULAW_ENCODE
from tests.media.bad_line import room
from tests.media.bench import EngineBench, FakeCaller, silence
from tests.media.netem import Network, uniform
from tests.media.test_gate import Specified

Wave = NDArray[np.float64]
ENERGY = 400


def coded(samples: Wave) -> NDArray[np.int64]:
    """As PCMU carries them."""
    return np.asarray(ULAW_DECODE[ULAW_ENCODE[samples.astype(np.int32) + 32768]], np.int64)


def babble(seconds: float, seed: int = 1) -> Wave:
    """A sound that is nowhere like itself, so that every sample has its place."""
    noise = np.random.default_rng(seed).normal(0, 1, int(seconds * 8000))
    return np.asarray(np.clip(noise, -3, 3) / 3)


def word(peak: float, onset_ms: float, seconds: float = 0.5, seed: int = 1) -> Wave:
    """Loud only after `onset_ms`."""
    body = babble(seconds, seed)
    ramp = np.minimum(1, np.arange(len(body)) / max(1, onset_ms * 8))
    return peak * ramp**2 * body


def talk(bench: EngineBench, said: Wave, interval: int = 20, energy: int = ENERGY) -> NDArray[np.int64]:
    """What a listener hears of a talker who says this and is silent then."""

    def signal(t: Wave) -> Wave:
        at = np.round(t * 8000).astype(int)
        return np.where(at < len(said), said[np.minimum(at, len(said) - 1)], 0)

    bench.add(FakeCaller(signal))
    bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix(rate=8000, interval=interval, energy=energy))
    bench.run(len(said) // 8 // interval * interval + 1500 // interval * interval)
    return bench.callers[1].heard().astype(np.int64)


def pause(ms: float) -> Wave:
    return np.zeros(int(ms * 8))


def lag(said: NDArray[np.int64], heard: NDArray[np.int64], start: int, end: int) -> int:
    """How many samples later `said[start:end]` is heard; it must be there, to the bit."""
    pattern = said[start:end]
    for at in np.flatnonzero(heard[: len(heard) - len(pattern)] == pattern[0]):
        if np.array_equal(heard[at : at + len(pattern)], pattern):
            return int(at - start)
    raise AssertionError(f"samples {start} to {end} are not heard in one piece")


@pytest.mark.parametrize("interval", [10, 20, 40])
def test_a_word_is_heard_from_its_soft_beginning(bench: EngineBench, interval: int) -> None:
    said = np.concatenate([pause(1003), word(9000, 80)])
    heard = talk(bench, said, interval)
    begins, loud = 1003 * 8, 1003 * 8 + 80 * 8
    delay = lag(coded(said), heard, loud, len(said))
    soft = coded(said)[begins:loud]
    kept = heard[begins + delay : loud + delay]
    assert np.abs(kept - soft).sum() < 0.05 * np.abs(soft).sum(), "the beginning is heard as it was said"
    first = int(np.flatnonzero(kept)[0]) // 8
    assert first <= 30, "ms from the very first sample, which nobody hears, to the first one that is"
    assert 5 * np.abs(kept - soft).sum() < _lost_without_looking_back(coded(said), begins, loud)


def _lost_without_looking_back(sound: NDArray[np.int64], begins: int, loud: int) -> int:
    """What of the beginning comes before the packet that opens the gate."""
    gate, packet = Specified(ENERGY), -1
    while not gate.talking:
        packet += 1
        gate.hear(int(np.abs(sound[packet * 160 :][:160]).mean()))
    lost = int(np.abs(sound[begins : packet * 160]).sum())
    assert 0.1 < lost / np.abs(sound[begins:loud]).sum() < 1
    return lost


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("interval", [10, 20, 30, 120])
def test_a_soft_beginning_is_heard_in_one_piece_at_every_rate(bench: EngineBench, rate: int, interval: int) -> None:
    noise = np.clip(np.random.default_rng(4).normal(0, 3000, rate // 2), -9000, 9000)
    noise *= np.minimum(1, np.arange(rate // 2) / (0.08 * rate)) ** 2
    said = np.concatenate([np.zeros(rate + rate // 250), noise]).astype(np.int64)

    def signal(t: Wave) -> Wave:
        at = np.round(t * rate).astype(int)
        return np.where(at < len(said), said[np.minimum(at, len(said) - 1)], 0)

    for voice in (signal, silence):
        bench.add(FakeCaller(voice, "L16", rate=rate, ptime=10 if rate == 48000 else 20))  # 1500 bytes at most
    bench.join_all(bench.open_mix(rate=rate, interval=interval, energy=ENERGY))
    bench.run(3600)
    lag(said, bench.callers[1].heard().astype(np.int64), rate + 40 * rate // 1000, len(said))


def test_without_a_gate_the_delay_ends(bench: EngineBench) -> None:
    """The level was set to 0 in the middle of a word that was heard late."""
    said = np.concatenate([pause(1000), word(9000, 80, 1.0), 9000 * babble(1.0, 2), pause(2000)])
    bench.add(FakeCaller(lambda t: said[np.round(t * 8000).astype(int)]))
    bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix(rate=8000, energy=ENERGY))
    bench.run(1500)
    assert 20 * 8 <= bench.tables.legs[0].behind <= 60 * 8
    before = int(bench.tables.legs[0].behind)
    bench.set(0, energy_level=0)
    bench.run(1500)
    assert bench.tables.legs[0].behind == 0
    heard = bench.callers[1].heard().astype(np.int64)
    sound = coded(said)
    assert lag(sound, heard, 1100 * 8, 1400 * 8) - lag(sound, heard, 2000 * 8, 2400 * 8) == before


def test_what_is_heard_of_a_word_is_one_piece_to_its_end(bench: EngineBench) -> None:
    said = np.concatenate([pause(1010), word(9000, 80), pause(1500), word(5000, 60, seed=2)])
    heard = talk(bench, said)
    sound = coded(said)
    for start, end in ((1010 * 8 + 320, 1510 * 8), (3010 * 8 + 320, 3510 * 8)):
        delay = lag(sound, heard, start, end)
        assert not heard[end + delay + 8 : end + delay + 4000].any(), "and after it there is silence"


def test_quiet_speech_that_opens_late_lacks_no_more_than_40_ms(bench: EngineBench) -> None:
    """It opens with the fifth packet (semantics 3.2); 60 ms of the 80 before it are heard."""
    said = np.concatenate([pause(1000), 2600 * babble(0.6)])
    assert ENERGY < np.abs(coded(said[8000:])).mean() < ENERGY + 400
    heard = talk(bench, said)
    lag(coded(said), heard, 1000 * 8 + 45 * 8, len(said))


def _delays(bench: EngineBench, said: Wave, *pieces: tuple[int, int]) -> list[int]:
    heard, sound = talk(bench, said), coded(said)
    return [lag(sound, heard, start * 8, end * 8) for start, end in pieces]


def test_a_word_that_begins_loud_is_not_delayed(bench: EngineBench) -> None:
    """The delay of each word is that of the last, which is said when the gate is open already."""
    said = np.concatenate([pause(1000), 9000 * babble(0.3), pause(300), 9000 * babble(0.3, 2)])
    first, second = _delays(bench, said, (1010, 1300), (1600, 1900))
    assert first == second


def test_the_delay_of_a_soft_beginning_is_given_back_in_the_next_pause(bench: EngineBench) -> None:
    said = np.concatenate([pause(1000), word(9000, 80), pause(300), 9000 * babble(0.3, 2), pause(300), word(9000, 0)])
    soft, after, later = _delays(bench, said, (1080, 1500), (1800, 2100), (2400, 2900))
    assert 20 * 8 <= soft - after <= 60 * 8
    assert after == later


def test_background_below_the_gate_is_not_what_a_word_begins_with(bench: EngineBench) -> None:
    """A room with a fan: a loud word is not delayed by what the fan says."""
    fan = np.random.default_rng(5).normal(0, 0.6 * ENERGY, 3000 * 8)
    said = fan.copy()
    said[2000 * 8 : 2300 * 8] += 9000 * babble(0.3)
    said[2600 * 8 : 2900 * 8] += 9000 * babble(0.3, 2)
    first, second = _delays(bench, said, (2005, 2300), (2600, 2900))
    assert first == second


def test_what_was_said_while_muted_is_never_heard(bench: EngineBench) -> None:
    """Not even when a word follows so soon that it would be in the 60 ms before it."""
    said = np.concatenate([9000 * babble(1.94), pause(60), 9000 * babble(0.3, 2), pause(1000)])
    bench.add(FakeCaller(lambda t: said[np.round(t * 8000).astype(int)]))
    bench.add(FakeCaller(silence))
    bench.apply(m.OpenTap(0, 0, -1))
    bench.join_all(bench.open_mix(rate=8000, energy=ENERGY))
    bench.set(0, muted=True, energy_level=ENERGY)
    bench.run(1990)
    assert bench.tables.taps[0].written > 0, "the tap makes the engine read it all the while"
    bench.set(0, energy_level=ENERGY)
    bench.run(1000)
    heard = bench.callers[1].heard().astype(np.int64)
    begins = 2000 * 8 + lag(coded(said), heard, 2005 * 8, 2300 * 8)
    assert not heard[: begins - 8].any()


@pytest.mark.parametrize(
    "change", [{"muted": True}, {"held": True}, {"isolated": True}], ids=["muted", "held", "waiting"]
)
def test_who_is_muted_in_the_middle_of_a_word_does_not_click(bench: EngineBench, change: dict[str, bool]) -> None:
    bench.add(FakeCaller(lambda t: 8000 * np.cos(2 * np.pi * 100 * t)))
    bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix(rate=8000))
    bench.run(1000)
    before = len(bench.callers[1].heard())
    bench.set(0, **change)
    bench.run(400)
    heard = bench.callers[1].heard().astype(int)[before - 800 :]
    assert not heard[-1600:].any()
    steepest = 8000 * 2 * np.pi * 100 / 8000
    assert np.abs(np.diff(heard)).max() < steepest + 8000 / 40 + 400, "the wave, its fade in 5 ms, and G.711"


def test_the_gate_passes_what_it_passes_to_the_bit(bench: EngineBench) -> None:
    said = np.concatenate([pause(500), word(30000, 0, 2.0)])
    heard = talk(bench, said)
    lag(coded(said), heard, 510 * 8, len(said))


_ALL = 1.0000001
"""An input gain that changes no sample, and has every packet decoded."""


def _outcome(said: Wave, network: Network, gain: float, codec: str) -> tuple[list[bool], NDArray[np.int16], int]:
    """How the talker's gate moves and what the room hears of it on a network, and how many packets are decoded."""
    with room(network, lambda t: said[np.round(t * 8000).astype(int) % len(said)], energy=ENERGY, codec=codec) as line:
        line.bench.set(0, energy_level=ENERGY, input_gain=gain)
        line.bench.set(1, energy_level=ENERGY, muted=True)
        line.run(len(said) // 8 // 20 * 20)
        moves = [event.on for event in line.bench.events if isinstance(event, m.TalkingChanged)]
        return moves, line.listener.heard(), int(line.bench.counters[counting.DECODES])


def _words() -> Wave:
    """Fifty, soft and loud, of different beginnings, in faint noise; between them all that a gate may meet."""
    rng = np.random.default_rng(7)
    parts = []
    for k in range(50):
        parts.append(word(float(rng.choice([500, 1200, 9000])), float(rng.uniform(0, 100)), rng.uniform(0.05, 0.4), k))
        parts.append(pause(float(rng.uniform(20, 3000))))
    said = np.concatenate(parts)
    return np.asarray(said + rng.normal(0, 30, len(said)))


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
@pytest.mark.parametrize("waits", [0, 45])
def test_packets_judged_as_they_come_sound_as_if_all_were_decoded(codec: str, waits: int) -> None:
    said = _words()
    moves, heard, decodes = _outcome(said, Network(uniform(0, waits), seed=3), 1.0, codec)
    all_moves, all_heard, all_decodes = _outcome(said, Network(uniform(0, waits), seed=3), _ALL, codec)
    assert moves == all_moves
    assert len(moves) > 20
    assert np.array_equal(heard, all_heard)
    assert decodes < 0.8 * all_decodes
