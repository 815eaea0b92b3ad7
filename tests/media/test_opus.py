"""Callers with Opus and with linear sound among all others: heard, hearing, at their rate, encoded once."""

import itertools

import numpy as np
import pytest

from mirliton.media import counting
from mirliton.media import messages as m
from tests.media.bench import EngineBench, FakeCaller, level, silence, tone

AUDIBLE, INAUDIBLE = 5000.0, 80.0
KINDS = [("PCMU", 8000), ("PCMA", 8000), ("G722", 16000), ("OPUS", 48000), ("L16", 16000), ("L16", 48000)]


@pytest.mark.parametrize("ceiling", [8000, 16000, 48000])
def test_callers_of_all_codecs_hear_each_other_and_not_themselves(bench: EngineBench, ceiling: int) -> None:
    tones = [440.0, 700.0, 1000.0, 1300.0, 1600.0, 1900.0]
    for (codec, rate), hertz in zip(KINDS, tones, strict=True):
        bench.add(FakeCaller(tone(hertz), codec, rate=rate, ptime=10 if rate == 48000 and codec == "L16" else 20))
    bench.join_all(bench.open_mix(rate=ceiling))
    bench.run(2000)
    for leg, caller in enumerate(bench.callers):
        heard = caller.heard(last_ms=1000)
        for other, hertz in enumerate(tones):
            strength = level(heard, hertz, caller.rate)
            assert strength < INAUDIBLE if other == leg else strength > AUDIBLE, (caller.codec, hertz, strength)


def test_full_band_sound_passes_between_callers_who_can_hear_it(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(12_000), "OPUS", opus={"bits_per_second": 64000}))
    bench.add(FakeCaller(silence, "OPUS"))
    bench.add(FakeCaller(silence, "L16", rate=48000, ptime=10))
    bench.join_all(bench.open_mix(rate=48000))
    bench.run(1500)
    for listener in bench.callers[1:]:
        assert level(listener.heard(last_ms=800), 12_000, 48000) > 3000


@pytest.mark.parametrize(("interval", "ptime"), [(10, 20), (20, 10), (30, 20), (40, 60), (60, 20), (120, 40)])
@pytest.mark.parametrize("codec", ["OPUS", "G722", "PCMU"])
def test_the_rooms_interval_and_the_packet_time_are_independent(
    bench: EngineBench, interval: int, ptime: int, codec: str
) -> None:
    bench.add(FakeCaller(tone(600), codec, ptime=ptime))
    bench.add(FakeCaller(silence, codec, ptime=ptime))
    bench.add(FakeCaller(tone(900), codec, ptime=ptime))
    bench.join_all(bench.open_mix(rate=48000, interval=interval))
    bench.run(3000)
    before = [len(caller.packets) for caller in bench.callers]
    bench.run(1200)
    for caller, count, unheard in zip(bench.callers, before, (600, 0, 900), strict=True):
        assert abs(len(caller.packets) - count - 1200 // ptime) <= 2 * max(1, interval // ptime)
        stamps = [int.from_bytes(packet[4:8], "big") for packet in caller.packets[-20:]]
        assert {(b - a) % (1 << 32) for a, b in itertools.pairwise(stamps)} == {ptime * caller.clock}
        for hertz in (600, 900):
            strength = level(caller.heard(last_ms=800), hertz, caller.rate)
            assert strength < INAUDIBLE if hertz == unheard else strength > AUDIBLE, (caller.codec, hertz, strength)


def test_listeners_of_one_kind_share_every_encoding(bench: EngineBench) -> None:
    for signal in (tone(600), silence, silence, silence, silence, silence):
        bench.add(FakeCaller(signal, "OPUS"))
    for ptime in (40, 40, 40):
        bench.add(FakeCaller(silence, "OPUS", ptime=ptime))
    bench.join_all(bench.open_mix(rate=48000))
    bench.run(2000)
    before = int(bench.counters[counting.ENCODES])
    bench.run(2000)
    # Each 20 ms: the talker's own mix, and one for the five; each 40 ms one for the three.
    assert abs(int(bench.counters[counting.ENCODES]) - before - (2 * 100 + 50)) <= 4
    payloads = [[packet[12:] for packet in caller.packets[-50:]] for caller in bench.callers[1:6]]
    assert all(other == payloads[0] for other in payloads[1:])


@pytest.mark.parametrize("codec", ["OPUS", "G722", "PCMU"])
def test_coming_back_to_the_shared_encoding_cannot_be_heard(bench: EngineBench, codec: str) -> None:
    """A tone goes on in the room while one listener says something and falls silent again: no click, no gap."""

    def now_and_then(t: np.ndarray) -> np.ndarray:
        return tone(1500)(t) * (t % 4.0 < 0.5)

    for signal, kind in ((now_and_then, codec), (silence, codec), (tone(500), "PCMU")):
        bench.add(FakeCaller(signal, kind))
    bench.join_all(bench.open_mix(rate=48000))
    bench.run(13_000)
    talker, listener, _ = bench.callers
    pairs = zip(talker.packets[-600:], listener.packets[-600:], strict=True)
    assert 150 < sum(one[12:] == other[12:] for one, other in pairs) < 560  # it did come back
    heard = talker.heard(last_ms=12_000).astype(np.float64)
    assert _roughness(heard, talker.rate) < 1.5 * _roughness_alone(talker)


def _roughness(heard: np.ndarray, rate: int) -> float:
    """The loudest 5 ms of what is left when everything below 2.5 kHz is taken away, against full scale."""
    spectrum = np.fft.rfft(heard)
    spectrum[: round(2500 / rate * len(heard))] = 0
    rest = np.fft.irfft(spectrum)[rate // 10 : -rate // 10]
    window = rate // 200
    frames = rest[: len(rest) // window * window].reshape(-1, window)
    return float(np.sqrt((frames**2).mean(axis=1)).max())


def _roughness_alone(caller: FakeCaller) -> float:
    """Of the same tone through the same codec, never interrupted."""
    with_tone = EngineBench()
    try:
        with_tone.add(FakeCaller(tone(500), "PCMU"))
        with_tone.add(FakeCaller(silence, caller.codec))
        with_tone.join_all(with_tone.open_mix(rate=48000))
        with_tone.run(6000)
        return _roughness(with_tone.callers[1].heard(last_ms=5000).astype(np.float64), caller.rate)
    finally:
        with_tone.close()


def test_prompts_are_heard_before_the_room_and_in_it(bench: EngineBench) -> None:
    bench.add(FakeCaller(silence, "OPUS"))
    bench.add(FakeCaller(silence, "OPUS"))
    sound = [(6000 * np.sin(2 * np.pi * 3000 * np.arange(rate) / rate)).astype(np.int16) for rate in (8000, 16000)]
    clip = bench.clip(*sound)
    bench.apply(m.Play(0, -1, 1, clip, 1, 1.0))
    bench.run(1500)
    assert level(bench.callers[0].heard(last_ms=1200)[: 48 * 600], 3000, 48000) > 3500
    mix = bench.open_mix(rate=48000)
    bench.join_all(mix)
    bench.run(500)
    bench.apply(m.Play(-1, mix, 2, clip, 1, 1.0))
    bench.apply(m.Play(1, -1, 3, clip, 1, 1.0))
    bench.run(800)
    for caller, wanted in zip(bench.callers, (6000, 12_000), strict=True):
        strength = level(caller.heard(last_ms=500), 3000, 48000)
        assert 0.7 * wanted < strength < 1.2 * wanted


def test_keys_at_the_clock_of_opus(bench: EngineBench) -> None:
    bench.add(FakeCaller(silence, "OPUS"))
    bench.join_all(bench.open_mix(rate=48000))
    bench.run(500)
    caller = bench.callers[0]
    stamp = caller.timestamp
    for duration, end in ((960, 0), (1920, 0), (2880, 128), (2880, 128)):
        payload = bytes([5, 10 | end]) + duration.to_bytes(2, "big")
        caller.timestamp = stamp
        bench.send_to(0, caller.packet(payload, 101))
        caller.sequence += 1
        bench.run(20)
    assert [event for event in bench.events if isinstance(event, m.DigitPressed)] == [m.DigitPressed(0, 5)]
    caller.packets.clear()
    bench.apply(m.Press(0, 7))
    bench.run(600)
    told = [packet for packet in caller.packets if packet[1] & 0x7F == 101]
    assert {packet[12] for packet in told} == {7}
    assert int.from_bytes(told[-1][14:16], "big") == 160 * 48


def test_whatever_comes_as_opus_is_survived(bench: EngineBench) -> None:
    generator = np.random.default_rng(4)
    bench.add(FakeCaller(silence, "OPUS"))
    bench.add(FakeCaller(tone(700), "OPUS"))
    bench.join_all(bench.open_mix(rate=48000))
    bench.callers[0].sending = False
    for _ in range(300):
        caller = bench.callers[0]
        bench.send_to(0, caller.packet(generator.bytes(int(generator.integers(1, 1480)))))
        caller.next_packet()
        bench.run(20)
    assert bench.tables.legs[0].malformed > 50
    assert level(bench.callers[0].heard(last_ms=400), 700, 48000) > AUDIBLE
