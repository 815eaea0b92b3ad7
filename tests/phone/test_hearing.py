"""What is recorded and counted of packets that are late, lost, doubled or foreign."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.phone.codecs import open_codec
from mirliton.phone.hearing import Hearer
from mirliton.phone.listening import gaps, tone_level
from mirliton.phone.playing import tone
from mirliton.phone.rtp import Packet, event_payload, write_packet
from mirliton.phone.talking import Talker


def talk(count: int, codec: str = "PCMU") -> list[bytes]:
    """Packets of 20 ms of a 440 Hz tone."""
    talker = Talker(open_codec(codec), 20, 101)
    talker.say(tone(440, talker.codec.rate).samples, forever=True)
    return [data for _ in range(count) for data in talker.next()]


def hear(packets: list[tuple[float, bytes]], codec: str = "PCMU") -> Hearer:
    """Give (seconds, packet) to a phone."""
    hearer = Hearer(open_codec(codec), 101)
    for seconds, data in packets:
        hearer.receive(data, seconds)
    return hearer


def on_time(packets: list[bytes], start: float = 0.0) -> list[tuple[float, bytes]]:
    return [(start + n * 0.02, data) for n, data in enumerate(packets)]


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722"])
def test_a_steady_stream_is_recorded_whole(codec: str) -> None:
    hearer = hear(on_time(talk(100, codec)), codec)
    rate = open_codec(codec).rate
    wave = hearer.recording()
    assert len(wave) == 2 * rate
    assert tone_level(wave, rate, 440) == pytest.approx(-15, abs=0.5)
    assert gaps(wave[rate // 10 :], rate) == []
    assert (hearer.statistics.packets, hearer.statistics.lost) == (100, 0)
    assert hearer.statistics.jitter == pytest.approx(0, abs=0.2)


def test_sound_lies_where_the_clock_was_and_a_gap_is_silence() -> None:
    packets = on_time(talk(100), start=0.5)
    wave = hear(packets[:25] + packets[50:]).recording()
    assert gaps(wave, 8000) == [(0.0, 0.5), (1.0, 1.5)]
    assert len(hear(packets).recording(seconds=4.0)) == 32_000


def test_jitter_and_order_do_not_change_the_recording() -> None:
    packets = talk(100)
    times = [n * 0.02 + (0.05 if n % 3 == 0 else 0) for n in range(100)]
    shaken = sorted(zip(times, packets, strict=True))
    shaken = [(seconds + 0.05, data) for seconds, data in shaken]
    hearer = hear([(0.05, packets[0]), *shaken])
    steady = hear(on_time(packets, start=0.05))
    assert np.array_equal(hearer.recording(), steady.recording())
    assert (hearer.statistics.lost, hearer.statistics.duplicate) == (0, 1)
    assert hearer.statistics.jitter > 5


def test_loss_is_counted_and_late_packets_are_not_lost() -> None:
    packets = on_time(talk(50))
    assert hear(packets[:10] + packets[13:]).statistics.lost == 3
    late = hear([*packets[:10], *packets[11:20], (0.42, packets[10][1]), *packets[20:]])
    assert (late.statistics.lost, late.statistics.duplicate) == (0, 0)


def test_a_new_source_or_a_leap_in_time_goes_on_at_the_clock() -> None:
    first, second = talk(10), talk(10)
    hearer = hear(on_time(first) + on_time(second, start=1.0))
    assert hearer.statistics.lost == 0
    assert gaps(hearer.recording(), 8000) == [(0.2, 1.0)]


def test_digits_are_taken_once_each_and_nonsense_is_counted() -> None:
    hearer = Hearer(open_codec("PCMU"), 101)
    for sequence, timestamp in enumerate([0, 0, 0, 1600, 1600]):
        hearer.receive(write_packet(Packet(101, sequence, timestamp, 1, event_payload("5", 160, end=False))), 0.0)
    hearer.receive(b"hello", 0.1)
    hearer.receive(write_packet(Packet(33, 5, 0, 1, b"?")), 0.1)
    assert hearer.digits == "55"
    assert (hearer.statistics.unreadable, hearer.statistics.other_payload) == (1, 1)


def test_the_recording_is_bounded() -> None:
    hearer = Hearer(open_codec("PCMU"), None, limit_seconds=1.0)
    for seconds, data in on_time(talk(100)):
        hearer.receive(data, seconds)
    assert len(hearer.recording()) == 8000
    assert hearer.statistics.packets == 100


@given(st.lists(st.tuples(st.floats(0, 5), st.binary(max_size=40)), max_size=30))
def test_no_packet_does_harm(packets: list[tuple[float, bytes]]) -> None:
    hearer = Hearer(open_codec("PCMU"), 101, limit_seconds=10.0)
    for seconds, data in packets:
        hearer.receive(data, seconds)
        hearer.receive(b"\x80\x00" + data, seconds)
    assert len(hearer.recording()) <= 80_000
