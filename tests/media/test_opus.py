"""Callers with Opus and with linear sound among all others: heard, hearing, at their rate, encoded once."""

import itertools

import numpy as np
import pytest

from mirliton.media import counting
from mirliton.media import messages as m
from tests.media.bench import EngineBench, FakeCaller, level, silence, tone

AUDIBLE = 5000.0
INAUDIBLE = 250.0
"""Opus' own noise between five tones: 15 to 160, by chance, as soon as one bit of what it encodes is another."""
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


def test_only_encoders_with_something_to_encode_have_memory(bench: EngineBench) -> None:
    """Before the room each hears its own; in it one for all, and one for each who talks."""

    def borrowed() -> int:
        return len(bench.tables.encoders) - int(bench.tables.opus_free[-1])

    for signal in (tone(600), tone(900), *[silence] * 8):
        bench.add(FakeCaller(signal, "OPUS"))
    bench.run(100)
    assert borrowed() == 10
    bench.join_all(bench.open_mix(rate=48000))
    bench.run(1500)
    assert borrowed() == 3
    states = bench.tables.encoders.state
    assert len(set(states[states > 0])) == 3
    for leg in (0, 3):
        bench.apply(m.JoinMix(leg, -1))
    bench.run(100)
    assert borrowed() == 4
    for leg in range(10):
        bench.apply(m.CloseLeg(leg))
    bench.run(100)
    assert borrowed() == 0
    assert sorted(bench.tables.opus_free[:-1]) == list(range(len(bench.tables.encoders)))


def test_a_listener_who_changes_rooms_of_one_rate_hears_the_new_one(bench: EngineBench) -> None:
    for signal in (tone(600), silence, tone(900), silence):
        bench.add(FakeCaller(signal, "OPUS"))
    rooms = [bench.open_mix(mix, rate=48000) for mix in (5, 6)]
    for leg in range(4):
        bench.apply(m.JoinMix(leg, rooms[leg // 2]))
    bench.run(1500)
    bench.apply(m.JoinMix(1, rooms[1]))
    bench.run(1500)
    heard = bench.callers[1].heard(last_ms=1000)
    assert level(heard, 900, 48000) > AUDIBLE
    assert level(heard, 600, 48000) < INAUDIBLE


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


@pytest.mark.parametrize(("event_clock", "per_ms"), [(0, 48), (48_000, 48), (8000, 8)])
def test_keys_beside_opus_last_as_long_as_their_own_clock_says(
    bench: EngineBench, event_clock: int, per_ms: int
) -> None:
    bench.add(FakeCaller(silence, "OPUS"), event_clock=event_clock)
    bench.join_all(bench.open_mix(rate=48000))
    bench.run(500)
    caller = bench.callers[0]
    stamp = caller.timestamp
    # A press so long that it is told in two segments (RFC 4733 section 2.5.1.3), the second where the first stopped.
    most = 0xFFF0
    for at, duration, end in ((0, 20, 0), (0, 40, 0), (0, most // per_ms, 0), (1, 20, 0), (1, 20, 128), (1, 20, 128)):
        payload = bytes([5, 10 | end]) + (duration * per_ms).to_bytes(2, "big")
        caller.timestamp = stamp + at * (most // per_ms) * 48 & 0xFFFFFFFF
        bench.send_to(0, caller.packet(payload, 101))
        caller.sequence += 1
        bench.run(20)
    assert [event for event in bench.events if isinstance(event, m.DigitPressed)] == [m.DigitPressed(0, 5)]
    caller.packets.clear()
    bench.apply(m.Press(0, 7))
    bench.run(600)
    told = [packet for packet in caller.packets if packet[1] & 0x7F == 101]
    assert {packet[12] for packet in told} == {7}
    assert int.from_bytes(told[-1][14:16], "big") == 160 * per_ms


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


def _levelled(caller: FakeCaller, level_db: int) -> bytes:
    """The next packet, with a header extension that says how loud it is (RFC 6464, id 3)."""
    data = caller.next_packet()
    extension = bytes([0xBE, 0xDE, 0, 1, 0x30, 0x80 | level_db, 0, 0])
    return bytes([data[0] | 0x10]) + data[1:12] + extension + data[12:]


def _talks(t: np.ndarray) -> np.ndarray:
    """Speech-like: half a second of tone in every three, a hum far below the gate in between."""
    return tone(800)(t) * (t % 3.0 < 0.5) + tone(200, 15)(t)


def _level_of(caller: FakeCaller) -> int:
    n = caller.rate * caller.ptime // 1000
    pcm = _talks((caller.at + np.arange(n)) / caller.rate)
    return int(min(127, round(-20 * np.log10(np.sqrt(np.mean(pcm**2)) / 32768))))


def test_what_packets_say_of_their_level_saves_decoding_and_changes_nothing_else(bench: EngineBench) -> None:
    outcomes = []
    for extension in (0, 3):
        with_level = EngineBench()
        try:
            with_level.add(FakeCaller(_talks, "OPUS"), level_extension=extension)
            with_level.add(FakeCaller(silence, "PCMU"))
            with_level.join_all(with_level.open_mix(rate=48000, energy=100))
            caller = with_level.callers[0]
            caller.sending = False
            at = []
            for packet in range(600):
                said = _level_of(caller)
                if not extension:
                    with_level.tables.legs[0].quiet_run = 0  # then all is decoded
                with_level.send_to(0, _levelled(caller, said))
                with_level.run(20)
                at += [(packet, event) for event in with_level.events]
                with_level.events.clear()
            decodes = int(with_level.counters[counting.DECODES]) - 600  # of the other caller
            heard = [(n, event.on) for n, event in at if isinstance(event, m.TalkingChanged) and event.leg == 0]
            outcomes.append((heard, decodes, level(with_level.callers[1].heard()[-8000 * 3 :], 800)))
        finally:
            with_level.close()
    (plain, all_decodes, plain_level), (gated, few_decodes, gated_level) = outcomes
    assert plain == gated
    assert len(plain) >= 7
    assert few_decodes < 0.6 * all_decodes  # half a second of speech and 800 ms until the gate closes, of three
    assert abs(plain_level / gated_level - 1) < 0.1


def test_a_muted_caller_is_not_decoded(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(700), "OPUS"))
    bench.join_all(bench.open_mix(rate=48000))
    bench.run(500)
    bench.set(0, muted=True)
    bench.run(100)
    before = int(bench.counters[counting.DECODES])
    bench.run(2000)
    assert int(bench.counters[counting.DECODES]) == before


def test_of_silence_by_dtx_nothing_is_decoded_and_nothing_clicks(bench: EngineBench) -> None:
    bench.add(FakeCaller(_pauses, "OPUS", opus={"dtx": True}))
    bench.add(FakeCaller(silence, "PCMU"))
    bench.join_all(bench.open_mix(rate=48000))
    bench.run(8000)
    decodes = int(bench.counters[counting.DECODES])
    assert decodes < 400 + 0.75 * 400


def _pauses(t: np.ndarray) -> np.ndarray:
    return tone(800)(t) * (t % 4.0 < 1.0)
