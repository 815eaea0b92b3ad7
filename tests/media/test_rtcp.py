"""Reports of both sides (RFC 3550 section 6): what we tell, what we are told, and what is not believed."""

import ctypes
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media import messages as m
from mirliton.media.codecs import opus
from tests.media.bench import LOOPBACK, MS, EngineBench, FakeCaller, silence, tone

OUR_SSRC, THEIR_SSRC = 1000, 0x1234
REAL = 1_700_000_000_000_000_000
NTP_EPOCH = 2_208_988_800


@dataclass(frozen=True)
class Report:
    """SR or RR of one datagram, and what came behind it."""

    kind: int
    ssrc: int
    sender: tuple[int, ...]  # NTP seconds, fraction, RTP timestamp, packets, octets
    block: tuple[int, ...]  # SSRC, fraction, lost, highest, jitter, LSR, DLSR
    name: bytes
    goodbye: bool


def reports(packets: list[bytes]) -> list[Report]:
    return [read(packet) for packet in packets if 200 <= packet[1] <= 207]


def read(packet: bytes) -> Report:
    kind, (ssrc,) = packet[1], struct.unpack_from("!I", packet, 4)
    sender = struct.unpack_from("!5I", packet, 8) if kind == 200 else ()
    block: tuple[int, ...] = ()
    if packet[0] & 31:
        source, loss, *rest = struct.unpack_from("!6I", packet, 28 if kind == 200 else 8)
        block = (source, loss >> 24, loss & 0xFFFFFF, *rest)
    at = 4 * (struct.unpack_from("!H", packet, 2)[0] + 1)
    assert packet[at + 1] == 202
    assert packet[at + 8] == 1
    name = packet[at + 10 : at + 10 + packet[at + 9]]
    at += 4 * (struct.unpack_from("!H", packet, at + 2)[0] + 1)
    goodbye = at < len(packet)
    assert not goodbye or (packet[at + 1] == 203 and struct.unpack_from("!I", packet, at + 4)[0] == ssrc)
    return Report(kind, ssrc, sender, block, name, goodbye)


def receiver_report(
    highest: int, ssrc: int = OUR_SSRC, fraction: int = 0, lost: int = 0, jitter: int = 0, lsr: int = 0, dlsr: int = 0
) -> bytes:
    block = struct.pack("!6I", ssrc, fraction << 24 | lost & 0xFFFFFF, highest, jitter, lsr, dlsr)
    return struct.pack("!BBHI", 0x81, 201, 7, THEIR_SSRC) + block


def sender_report(seconds: int, fraction: int = 0, ssrc: int = THEIR_SSRC) -> bytes:
    return struct.pack("!BBHI5I", 0x80, 200, 6, ssrc, seconds, fraction, 0, 10, 1600)


@pytest.fixture
def pair(bench: EngineBench) -> EngineBench:
    """A caller who agreed to reports on the RTP port hears another who talks."""
    bench.add(FakeCaller(silence), rtcp_mux=True)
    bench.add(FakeCaller(tone(600)), rtcp_mux=True)
    bench.join_all(bench.open_mix())
    return bench


def our_last_sequence(bench: EngineBench, leg: int = 0) -> int:
    return int(bench.tables.legs[leg].sequence) - 1


def test_each_side_is_told_every_few_seconds_what_was_sent_and_what_was_heard(pair: EngineBench) -> None:
    pair.callers[0].drop = set(range(1000, 1050))
    pair.run(60_000)
    told = reports(pair.callers[0].packets)
    assert 60 / 7.5 - 1 <= len(told) <= 60 / 2.5
    assert {report.kind for report in told} == {200}
    assert {(report.ssrc, report.block[0]) for report in told} == {(OUR_SSRC, THEIR_SSRC)}
    last = told[-1]
    assert last.block[2] == 50
    assert max(report.block[1] for report in told) in range(256 * 50 // 400, 256 * 50 // 120)
    assert sum(report.block[1] > 0 for report in told) in (1, 2)
    assert last.sender[3] * 160 == last.sender[4]


def test_the_extended_sequence_number_counts_the_turns_of_the_senders(pair: EngineBench) -> None:
    pair.run(20_000)
    last, caller = reports(pair.callers[0].packets)[-1], pair.callers[0]
    assert last.block[3] >> 16 == 1, "it began at 65530"
    assert 0 <= (caller.sequence - (last.block[3] & 0xFFFF)) & 0xFFFF < 8000 / 20


def test_a_senders_report_tells_which_timestamp_its_time_has(pair: EngineBench) -> None:
    pair.real_offset = REAL - pair.now
    pair.run(20_000)
    for at, packet in enumerate(pair.callers[0].packets):
        if packet[1] != 200:
            continue
        report = read(packet)
        (next_one,) = [p for p in pair.callers[0].packets[at + 1 :] if p[1] < 200][:1] or [b""]
        if not next_one:
            continue
        seconds = report.sender[0] - NTP_EPOCH + report.sender[1] / 2**32
        assert REAL / 1e9 <= seconds <= REAL / 1e9 + 20.1
        ahead = (struct.unpack_from("!I", next_one, 4)[0] - report.sender[2]) & 0xFFFFFFFF
        assert 0 <= ahead <= 160, "the next packet begins within 20 ms"


def test_the_name_is_random_and_lasts(pair: EngineBench) -> None:
    pair.run(20_000)
    names = [{report.name for report in reports(caller.packets)} for caller in pair.callers]
    assert [len(known) for known in names] == [1, 1]
    assert not names[0] & names[1]
    assert all(len(name) == 16 and name.isascii() for name in names[0])


def test_a_leg_that_ends_says_goodbye(pair: EngineBench) -> None:
    pair.run(1000)
    pair.apply(m.CloseLeg(0))
    pair.run(20)
    assert [report.goodbye for report in reports(pair.callers[0].packets)] == [True]
    pair.run(10_000)
    assert len(reports(pair.callers[0].packets)) == 1, "and nothing any more"


def test_legs_that_came_at_once_report_one_after_the_other() -> None:
    bench = EngineBench(sockets=2, legs=64)
    try:
        for _ in range(60):
            bench.add(FakeCaller(silence), rtcp_mux=True)
            bench.callers[-1].sending = False
        most = last = 0
        for _ in range(5000):
            bench.run(5)
            most, last = (
                max(most, int(bench.counters[counting.RTCP_OUT]) - last),
                int(bench.counters[counting.RTCP_OUT]),
            )
        assert last >= 60 * 25 / 7.5 - 60
        assert most <= 6
    finally:
        bench.close()


def test_loss_jitter_and_round_trip_are_taken_from_the_other_sides_reports(pair: EngineBench) -> None:
    pair.real_offset = REAL - pair.now
    pair.run(10_000)
    packet = next(packet for packet in reversed(pair.callers[0].packets) if packet[1] == 200)
    seconds, fraction = read(packet).sender[:2]
    lsr = (seconds & 0xFFFF) << 16 | fraction >> 16
    age = ((pair.now + pair.real_offset) / 1e9 + NTP_EPOCH - seconds - fraction / 2**32) * 1000
    report = receiver_report(
        our_last_sequence(pair), fraction=26, lost=20, jitter=80, lsr=lsr, dlsr=round((age - 120) * 65.536)
    )
    leg = pair.tables.legs[0]
    sent = int(leg.packets_sent)
    pair.send_to(0, report)
    pair.run(5)
    assert (leg.remote_reports, leg.remote_lost, leg.remote_jitter) == (1, 20, 80)
    assert leg.remote_expected == sent
    assert 115 * MS < leg.round_trip < 135 * MS


def test_the_time_since_their_report_is_in_ours(pair: EngineBench) -> None:
    pair.run(1000)
    pair.send_to(0, sender_report(0x11112222, 0x33334444))
    pair.run(5)
    since = pair.now
    while not (told := [r for r in reports(pair.callers[0].packets) if r.block and r.block[5]]):
        pair.run(20)
    assert told[0].block[5] == 0x22223333
    assert abs(told[0].block[6] / 65.536 - (pair.now - since) / MS) < 45


HOSTILE = {
    "cut off": receiver_report(0)[:-4],
    "longer than it says": receiver_report(0) + b"\0\0\0\0",
    "more blocks than there are": b"\x9f" + receiver_report(0)[1:],
    "half a word": receiver_report(0) + b"\0\0",
    "no report first": struct.pack("!BBHI", 0x81, 203, 1, THEIR_SSRC),
    "padding first": b"\xa1" + receiver_report(0)[1:] + struct.pack("!BBHI", 0x81, 203, 1, THEIR_SSRC),
    "padding of everything": b"\xa1" + receiver_report(0)[1:-1] + b"\xfc",
    "another version": b"\x41" + receiver_report(0)[1:],
    "goodbyes without names": receiver_report(0) + struct.pack("!BBHI", 0x9F, 203, 1, THEIR_SSRC),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_compound_packet_is_counted_and_changes_nothing(pair: EngineBench, data: bytes) -> None:
    pair.run(200)
    before = pair.tables.legs[0].tobytes()
    pair.callers[0].sending = pair.callers[1].sending = False
    pair.send_to(0, data)
    pair.engine.step(pair.now)
    assert pair.tables.legs[0].tobytes() == before
    assert pair.counters[counting.RTCP_MALFORMED] == 1


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        (counting.RTCP_OTHER_SSRC, receiver_report(65510, ssrc=OUR_SSRC + 1, fraction=200)),
        (counting.RTCP_OTHER_SSRC, sender_report(77, ssrc=THEIR_SSRC + 1)),
        (counting.RTCP_IMPLAUSIBLE, receiver_report(20_000, fraction=200)),
        (counting.RTCP_IMPLAUSIBLE, receiver_report(65505, fraction=200, lost=0x7FFFFF)),
    ],
    ids=["not our stream", "not their stream", "a packet never sent", "more lost than sent"],
)
def test_what_cannot_be_true_is_counted_and_changes_nothing(pair: EngineBench, reason: int, data: bytes) -> None:
    pair.run(200)
    before = pair.tables.legs[0].tobytes()
    pair.callers[0].sending = pair.callers[1].sending = False
    pair.send_to(0, data)
    pair.engine.step(pair.now)
    assert pair.tables.legs[0].tobytes() == before
    assert pair.counters[reason] == 1


def test_reports_of_strangers_are_dropped_and_never_latch(bench: EngineBench) -> None:
    bench.add(FakeCaller(silence), waits=True, rtcp_mux=True)
    bench.callers[0].sending = False
    stranger = FakeCaller(silence)
    for _ in range(5):
        bench.send_to(0, receiver_report(65500, fraction=255), source=stranger.socket)
        bench.run(20)
    stranger.socket.close()
    assert bench.counters[counting.RTCP_UNKNOWN_SOURCE] == 5
    assert not bench.tables.legs[0].latched
    assert not bench.tables.legs[0].remote_reports


@pytest.fixture
def odd_bench() -> Iterator[EngineBench]:
    bench = EngineBench(odd=True)
    yield bench
    bench.close()


def test_without_mux_reports_go_from_our_odd_port_to_the_port_above_and_back(odd_bench: EngineBench) -> None:
    bench = odd_bench
    caller = FakeCaller(silence, with_odd=True)
    bench.add(caller)
    bench.run(10_000)
    told = reports(caller.reports)
    assert told
    assert not reports(caller.packets)
    assert caller.odd is not None
    bench.send_to(0, receiver_report(our_last_sequence(bench), lost=3), source=caller.odd, odd=True)
    bench.run(40)
    assert bench.tables.legs[0].remote_lost == 3


def test_a_port_that_was_named_for_reports_is_used_both_ways(odd_bench: EngineBench) -> None:
    bench, elsewhere = odd_bench, FakeCaller(silence)
    bench.add(FakeCaller(silence), rtcp_port=elsewhere.port)
    bench.run(10_000)
    elsewhere.collect()
    assert reports(elsewhere.packets)
    bench.send_to(0, receiver_report(our_last_sequence(bench), lost=3), source=elsewhere.socket, odd=True)
    bench.run(40)
    assert bench.tables.legs[0].remote_lost == 3
    bench.apply(m.CloseLeg(0))
    bench.run(2500)
    assert (bench.tables.sources["key"] == -1).all()
    elsewhere.socket.close()


def test_drift_of_a_senders_clock_is_found(bench: EngineBench) -> None:
    """Timestamps that go on 200 ppm too fast."""
    caller = FakeCaller(silence)
    bench.add(caller)
    caller.sending = False
    bench.join_all(bench.open_mix())
    for second in range(90):
        for _ in range(50):
            data = caller.next_packet()
            bench.send_to(0, data)
            bench.run(20)
        if second % 2 == 0:
            caller.timestamp += 3  # 3 of 16000
    assert abs(bench.tables.legs[0].drift - 187.5) < 25


def test_the_wheel_holds_only_legs_that_there_are(bench: EngineBench) -> None:
    for _ in range(20):
        bench.add(FakeCaller(silence), rtcp_mux=True)
        bench.callers[-1].sending = False
    bench.run(6000)
    for leg in range(0, 20, 2):
        bench.apply(m.CloseLeg(leg))
    found = []
    for place in range(len(bench.tables.reports) - 1):
        leg = int(bench.tables.reports[place])
        while leg >= 0:
            found.append(leg)
            leg = int(bench.tables.legs[leg].report_next)
    assert sorted(found) == list(range(1, 20, 2))
    assert LOOPBACK


def repetitions(packets: list[bytes]) -> int:
    """How many packets of Opus repeat the one before (RFC 6716 2.1.7)."""
    return sum(opus_packet_has_lbrr(packet[12:], len(packet) - 12) > 0 for packet in packets if packet[1] < 200)


def opus_packet_has_lbrr(payload: bytes, size: int) -> int:
    return int(opus._library.opus_packet_has_lbrr(payload, ctypes.c_int(size)))


def tell_of_loss(bench: EngineBench, leg: int, percent: int, seconds: int = 15) -> list[bytes]:
    """A listener reports every 5 s; returns what it was sent meanwhile."""
    before = len(bench.callers[leg].packets)
    for _ in range(seconds // 5):
        report = receiver_report(our_last_sequence(bench, leg), ssrc=1000 + leg, fraction=percent * 256 // 100)
        bench.send_to(leg, report)
        bench.run(5000)
    return bench.callers[leg].packets[before:]


def syllables(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """A voice, four times a second: what stays as it is counts as noise, which libopus does not repeat."""
    voice = sum(np.sin(2 * np.pi * 140 * harmonic * t) / harmonic for harmonic in range(1, 12))
    return np.asarray(5000 * voice * np.maximum(0, np.sin(2 * np.pi * 4 * t)))


@pytest.fixture
def opus_room(bench: EngineBench) -> EngineBench:
    """One who talks, three who listen: two know FEC."""
    for signal in (syllables, silence, silence):
        bench.add(FakeCaller(signal, "OPUS"), fec=True)
    bench.add(FakeCaller(silence, "OPUS"))
    bench.join_all(bench.open_mix(rate=16000))
    bench.run(1000)
    return bench


def test_packets_are_repeated_while_a_listener_tells_of_loss_and_no_longer(opus_room: EngineBench) -> None:
    assert repetitions(opus_room.callers[1].packets) == 0
    assert repetitions(tell_of_loss(opus_room, 1, percent=12)) > 200
    assert repetitions(opus_room.callers[3].packets) == 0, "it did not agree to it"
    assert repetitions(tell_of_loss(opus_room, 1, percent=0)[-200:]) == 0


@pytest.mark.parametrize(("bits", "dtx", "cheap"), [(0, False, True), (32_000, False, False), (0, True, False)])
def test_celt_alone_is_used_at_full_rate_until_a_listener_tells_of_loss(
    bench: EngineBench, bits: int, dtx: bool, cheap: bool
) -> None:
    bench.add(FakeCaller(syllables, "OPUS"), fec=True)
    bench.add(FakeCaller(silence, "OPUS"), fec=True, bits_per_second=bits, dtx=dtx)
    bench.join_all(bench.open_mix(rate=48000))
    bench.run(1000)
    assert by_celt(bench.callers[1].packets[-20:]) == (20 if cheap else 0)
    assert by_celt(tell_of_loss(bench, 1, percent=12)[-20:]) == 0
    assert repetitions(bench.callers[1].packets[-200:]) > 50
    assert by_celt(tell_of_loss(bench, 1, percent=0)[-20:]) == (20 if cheap else 0)


def by_celt(packets: list[bytes]) -> int:
    """How many packets of Opus have no SILK in them (RFC 6716 3.1)."""
    return sum(packet[12] >> 3 >= 16 for packet in packets if packet[1] < 200)


def test_an_encoder_that_is_shared_prepares_for_the_worst_of_its_listeners(opus_room: EngineBench) -> None:
    tell_of_loss(opus_room, 1, percent=12, seconds=5)
    assert repetitions(tell_of_loss(opus_room, 2, percent=0)[-200:]) > 50
    opus_room.apply(m.CloseLeg(1))
    assert repetitions(tell_of_loss(opus_room, 2, percent=0)[-200:]) == 0


def test_a_listener_who_begins_to_talk_is_protected_by_its_own_loss_and_not_by_that_of_others(
    opus_room: EngineBench,
) -> None:
    tell_of_loss(opus_room, 1, percent=12, seconds=5)
    for leg in (1, 2):
        opus_room.callers[leg].signal = syllables
    opus_room.run(3000)
    counts = [repetitions(caller.packets[-100:]) for caller in opus_room.callers[:3]]
    assert counts[1] > 25
    assert counts[0] == counts[2] == 0
