"""The jitter buffer under loss, lateness, repetition and restarts; hostile packets."""

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirliton.media import counting
from mirliton.media import messages as m
from mirliton.media.buffers import is_present, payload_of
from tests.media.bench import MS, EngineBench, FakeCaller, level, silence, tone


def pair(bench: EngineBench, talker: FakeCaller) -> FakeCaller:
    """A talker and a listener in a room; returns the listener."""
    bench.add(talker)
    bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix())
    return bench.callers[1]


def gaps(samples: np.ndarray, below: int = 200, shortest: int = 40) -> int:
    """How many times the sound is (almost) silent for 5 ms or more."""
    quiet = np.abs(samples.astype(int)) < below
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(int), [0]])))
    return int(sum(end - start >= shortest for start, end in zip(edges[::2], edges[1::2], strict=True)))


def test_sequence_numbers_and_timestamps_may_wrap(bench: EngineBench) -> None:
    talker = FakeCaller(tone(440))
    listener = pair(bench, talker)
    bench.run(2000)  # the fake caller starts six packets before both wrap
    assert talker.sequence < 1000
    assert gaps(listener.heard(last_ms=1700)) == 0
    assert bench.tables.legs[0].received == talker.sent


def test_a_lost_packet_is_concealed_and_counted(bench: EngineBench) -> None:
    talker = FakeCaller(tone(500))
    talker.drop = {60, 75, 76, 90}
    listener = pair(bench, talker)
    bench.run(3000)
    heard = listener.heard(last_ms=2300)
    assert gaps(heard) == 0
    assert level(heard, 500) > 6000
    record = bench.tables.legs[0]
    assert record.highest - record.lowest + 1 - record.received == 4
    assert 60 <= record.concealed / 8 <= 120


def test_loss_does_not_leave_delay_behind(bench: EngineBench) -> None:
    talker = FakeCaller(tone(500))
    talker.drop = {n for n in range(50, 200) if n % 9 == 0}
    pair(bench, talker)
    bench.run(1000)
    before = bench.tables.legs[0].highest_ts - bench.tables.legs[0].position
    bench.run(5000)
    after = bench.tables.legs[0].highest_ts - bench.tables.legs[0].position
    assert after - before <= 160


def test_packets_in_the_wrong_order_play_in_the_right_one(bench: EngineBench) -> None:
    talker = FakeCaller(tone(500))
    talker.sending = False
    listener = pair(bench, talker)
    for _ in range(60):
        first, second = talker.next_packet(), talker.next_packet()
        bench.send_to(0, second)
        bench.send_to(0, first)
        bench.run(40)
    assert gaps(listener.heard(last_ms=1800)) == 0
    assert bench.tables.legs[0].late == 0


def test_a_packet_that_comes_twice_counts_once(bench: EngineBench) -> None:
    talker = FakeCaller(tone(500))
    talker.sending = False
    pair(bench, talker)
    for _ in range(50):
        packet = talker.next_packet()
        bench.send_to(0, packet)
        bench.send_to(0, packet)
        bench.run(20)
    assert bench.tables.legs[0].duplicate == 50
    assert bench.tables.legs[0].received == 50


def test_jitter_of_sixty_milliseconds_is_ridden_out(bench: EngineBench) -> None:
    talker = FakeCaller(tone(500))
    talker.sending = False
    listener = pair(bench, talker)
    rng = np.random.default_rng(3)
    due = sorted((20 * n + float(rng.uniform(0, 60)), n) for n in range(500))
    packets = [talker.next_packet() for _ in range(500)]
    at = 0
    for tick in range(0, 10_000, 5):
        while at < len(due) and due[at][0] <= tick:
            bench.send_to(0, packets[due[at][1]])
            at += 1
        bench.run(5)
    settled = listener.heard(last_ms=7000)
    assert gaps(settled) <= 2
    assert bench.tables.legs[0].jitter / 8 > 10


def test_delay_from_a_storm_is_given_back_when_the_talker_pauses(bench: EngineBench) -> None:
    spoken = {"on": True}
    talker = FakeCaller(lambda t: tone(500)(t) if spoken["on"] else silence(t))
    pair(bench, talker)
    bench.run(1000)
    talker.sending = False
    held = []
    for _ in range(20):
        held.append(talker.next_packet())
        bench.run(20)
    for packet in held:  # 400 ms come at once
        bench.send_to(0, packet)
    talker.sending = True
    bench.run(500)
    record = bench.tables.legs[0]
    spoken["on"] = False
    bench.run(5000)
    assert record.highest_ts - record.position <= 3 * 160


def test_a_new_ssrc_goes_on_at_once(bench: EngineBench) -> None:
    talker = FakeCaller(tone(440))
    listener = pair(bench, talker)
    bench.run(1000)
    talker.ssrc, talker.sequence, talker.timestamp = 0xABCD, 17, 99
    bench.run(1000)
    assert level(listener.heard(last_ms=600), 440) > 6000
    record = bench.tables.legs[0]
    assert record.received_before + record.received == talker.sent


def test_a_restarted_sequence_is_believed_at_the_second_packet(bench: EngineBench) -> None:
    talker = FakeCaller(tone(440))
    listener = pair(bench, talker)
    bench.run(1000)
    talker.sequence = (talker.sequence + 20_000) & 0xFFFF
    bench.run(1000)
    assert level(listener.heard(last_ms=600), 440) > 6000


def test_a_pause_of_the_sender_does_not_come_out_as_delay(bench: EngineBench) -> None:
    talker = FakeCaller(tone(440))
    pair(bench, talker)
    bench.run(1000)
    talker.sending = False
    bench.run(3000)
    talker.timestamp = (talker.timestamp + 3000 * 8) & 0xFFFFFFFF
    talker.sending = True
    bench.run(500)
    record = bench.tables.legs[0]
    assert record.highest_ts - record.position <= 3 * 160


def test_on_hold_nothing_is_sent_and_the_clock_goes_on(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440)))
    bench.add(FakeCaller(tone(700)))
    bench.join_all(bench.open_mix())
    bench.run(1000)
    held = bench.callers[1]
    count = len(held.packets)
    bench.apply(bench.connect(1, send=False, relatch=False))
    bench.run(1000)
    assert len(held.packets) == count
    bench.apply(bench.connect(1, send=True, relatch=False))
    bench.run(500)
    before, after = (struct.unpack("!BBHI", p[:8]) for p in held.packets[count - 1 : count + 1])
    assert (after[2] - before[2]) & 0xFFFF == 1
    assert ((after[3] - before[3]) & 0xFFFFFFFF) // 8 == pytest.approx(1020, abs=40)
    assert after[1] & 0x80, "the first packet after a pause is marked"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_arbitrary_bytes_change_nothing_but_counters(bench: EngineBench, data: bytes) -> None:
    if not bench.callers:
        pair(bench, FakeCaller(tone(440)))
    before = len(bench.callers[1].packets)
    bench.send_to(0, data)
    bench.run(20)
    assert len(bench.callers[1].packets) == before + 1


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.integers(0, 255),
    second=st.sampled_from([0, 13, 101, 128, 229]),
    rest=st.binary(min_size=10, max_size=600),
)
def test_almost_valid_packets_are_survived(bench: EngineBench, first: int, second: int, rest: bytes) -> None:
    if not bench.callers:
        pair(bench, FakeCaller(tone(440)))
    before = len(bench.callers[1].packets)
    bench.send_to(0, bytes([first, second]) + rest)
    bench.run(20)
    assert len(bench.callers[1].packets) == before + 1


def test_a_flood_of_a_stranger_does_not_stop_the_room(bench: EngineBench) -> None:
    listener = pair(bench, FakeCaller(tone(440)))
    stranger = FakeCaller(silence)
    bench.run(500)
    for _ in range(200):
        for _ in range(50):
            bench.send_to(0, stranger.next_packet(), source=stranger.socket)
        bench.run(5)
    stranger.socket.close()
    assert gaps(listener.heard(last_ms=800)) == 0
    assert bench.counters[counting.UNKNOWN_SOURCE] > 5000


def test_after_a_long_stop_the_clock_is_set_forward(bench: EngineBench) -> None:
    listener = pair(bench, FakeCaller(tone(440)))
    bench.run(500)
    count = len(listener.packets)
    bench.now += 2000 * MS
    bench.run(500)
    assert len(listener.packets) - count < 40, "two seconds of packets are not sent in one burst"
    assert bench.counters[counting.SKIPPED_TICKS] > 0


def test_statistics_of_a_closed_leg_are_not_those_of_the_next(bench: EngineBench) -> None:
    pair(bench, FakeCaller(tone(440)))
    bench.run(500)
    bench.apply(m.CloseLeg(0))
    assert bench.tables.legs[0].received == 0
    bench.apply(bench.connect(0))
    bench.run(20)
    assert bench.tables.legs[0].packets_sent <= 2


@pytest.mark.parametrize("burst", [4, 9, 12, 16, 24, 30])
@pytest.mark.parametrize("first", range(8))
def test_what_comes_at_once_after_a_stall_is_all_kept(bench: EngineBench, first: int, burst: int) -> None:
    """Whatever the number of the packet that comes first: 600 ms of G.711 fit."""
    generator = np.random.default_rng(burst)
    bench.add(FakeCaller(lambda t: generator.normal(0, 3000, len(t))))
    bench.join_all(bench.open_mix())
    bench.run(1000 + 20 * first)
    caller = bench.callers[0]
    caller.sending = False
    bench.run(40)
    payloads = [caller.payload() for _ in range(burst)]
    for payload in payloads:
        bench.send_to(0, caller.next_packet(payload))
    bench.engine.step(bench.now)
    newest = int(bench.tables.legs[0].highest)
    head = int(bench.tables.legs[0].head)
    assert newest - head >= burst - 2
    for sequence in range(head, newest + 1):
        assert is_present(bench.tables, 0, sequence)
        assert bytes(payload_of(bench.tables, 0, sequence)[:160]) == payloads[burst - 1 - (newest - sequence)]
