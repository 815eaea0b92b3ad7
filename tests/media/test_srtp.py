"""Encrypted sound: what is sent, what is believed, and what outlives keys and engines (RFC 3711, RFC 7714)."""

from itertools import pairwise

import msgspec
import pytest
from pylibsrtp import Policy

from mirliton.media import counting
from mirliton.media import messages as m
from mirliton.media.engine import Engine
from mirliton.media.keyring import address_of
from mirliton.media.srtp import begin_at
from mirliton.media.tables import Capacity, make_tables, map_taps
from mirliton.media.types import SrtpKeys
from tests.media.bench import MS, EngineBench, FakeCaller, level, silence, tone
from tests.media.secure_phone import PROFILES, SecureCaller, new_keys

RECEIVER = b"\x81\xc9\x00\x07\x00\x00\x12\x34"
"""How a receiver report of the callers begins."""


def add(bench: EngineBench, caller: SecureCaller, keys: SrtpKeys, **changes: object) -> int:
    return bench.add(caller, srtp=keys, **changes)


def succeed(bench: EngineBench) -> None:
    """Another engine, with nothing but the leg records of the one before."""
    legs, sockets = bench.tables.legs, [s.fileno() for s in bench.sockets]
    taps = map_taps(bench.taps.descriptor, 4, writable=True)
    capacity = Capacity(len(legs), 16, 128, len(sockets), 16)
    bench.tables = make_tables(capacity, legs, bench.counters, bench.clips, sockets, taps)
    bench.engine = Engine(bench.tables, bench.now, resume=True)


def sequence(packet: bytes) -> int:
    return int.from_bytes(packet[2:4], "big")


@pytest.mark.parametrize("profile", PROFILES)
def test_encrypted_and_plain_callers_hear_each_other(bench: EngineBench, profile: str) -> None:
    keys = new_keys(profile)
    secure, plain = SecureCaller(keys, tone(440)), FakeCaller(tone(900))
    add(bench, secure, keys)
    bench.add(plain)
    bench.join_all(bench.open_mix())
    bench.run(2000)  # both sides' sequence numbers begin again: the engine's after 36 packets, the caller's after 6
    assert level(plain.heard(last_ms=500), 440) > 6000
    assert level(secure.heard(last_ms=500), 900) > 6000
    assert secure.unreadable == 0
    assert bench.tables.legs[0].srtp_refused == bench.tables.legs[0].srtp_replayed == 0
    assert secure.sealed[0] != secure.packets[0]


def test_one_encoding_serves_listeners_with_keys_of_their_own(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440)))
    listeners = []
    for profile in PROFILES:
        keys = new_keys(profile)
        listeners.append(SecureCaller(keys, silence))
        add(bench, listeners[-1], keys)
    bench.join_all(bench.open_mix())
    bench.run(1000)
    before = int(bench.counters[counting.ENCODES])
    bench.run(1000)
    assert int(bench.counters[counting.ENCODES]) - before <= 2 * 50, "one for the talker, one for all others"
    for listener in listeners:
        assert level(listener.heard(last_ms=500), 440) > 6000
        assert listener.unreadable == 0
    assert len({listener.packets[-1][12:] for listener in listeners}) == 1


def test_what_is_not_encrypted_with_the_keys_changes_nothing_but_a_count(bench: EngineBench) -> None:
    keys = new_keys()
    caller = SecureCaller(keys, tone(440))
    caller.sending = False
    add(bench, caller, keys, waits=True)
    bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix())
    liar, guesser = FakeCaller(tone(1500)), SecureCaller(new_keys(), tone(1500))
    record = bench.tables.legs[0]
    for _ in range(20):
        bench.send_to(0, liar.next_packet(), source=liar.socket)
        bench.send_to(0, guesser.next_packet(), source=caller.socket)
        bench.run(20)
    assert (record.latched, record.received, record.receiving, record.last_arrival) == (0, 0, 0, 0)
    assert record.srtp_refused == bench.counters[counting.SRTP_REFUSED] == 40
    assert record.remote_port == caller.port, "a stranger gets no sound"
    caller.sending = True
    bench.run(500)
    liar.socket.close()
    guesser.socket.close()
    assert record.latched
    assert level(bench.callers[1].heard(last_ms=200), 440) > 6000
    assert level(bench.callers[1].heard(), 1500) < 60


@pytest.mark.parametrize("profile", PROFILES)
def test_damaged_packets_and_replays_are_told_apart(bench: EngineBench, profile: str) -> None:
    keys = new_keys(profile)
    caller = SecureCaller(keys, tone(440))
    caller.sending = False
    add(bench, caller, keys)
    good, fresh = caller.next_packet(), caller.next_packet()
    for data in (good, good, fresh[:-1] + bytes([fresh[-1] ^ 1]), fresh[:14], fresh[:12]):
        bench.send_to(0, data)
    bench.run(20)
    record = bench.tables.legs[0]
    assert (record.received, record.srtp_replayed, record.srtp_refused) == (1, 1, 3)
    assert bench.counters[counting.SRTP_REPLAYED] == 1


def test_an_old_packet_is_refused_after_the_replay_window(bench: EngineBench) -> None:
    keys = new_keys()
    caller = SecureCaller(keys, tone(440))
    add(bench, caller, keys)
    early = caller.next_packet()
    bench.run(300 * 20)
    bench.send_to(0, early)
    bench.run(20)
    assert bench.tables.legs[0].srtp_replayed == 1


def test_packets_out_of_order_around_the_roll_over_are_heard(bench: EngineBench) -> None:
    keys = new_keys()
    caller = SecureCaller(keys, tone(440))
    caller.sending = False
    add(bench, caller, keys)
    packets = [caller.next_packet() for _ in range(20)]
    for at in range(0, 20, 2):
        bench.send_to(0, packets[at + 1])
        bench.send_to(0, packets[at])
    bench.run(20)
    record = bench.tables.legs[0]
    assert (record.received, record.srtp_refused) == (20, 0)
    assert record.srtp_index == (1 << 16) + sequence(packets[-1])


def test_the_same_keys_again_change_nothing(bench: EngineBench) -> None:
    keys = new_keys()
    caller = SecureCaller(keys, tone(440))
    add(bench, caller, keys)
    bench.run(2000)
    sessions = bench.tables.legs[0].srtp_in, bench.tables.legs[0].srtp_out
    bench.apply(bench.connect(0, srtp=SrtpKeys(keys.profile, keys.key_in, keys.key_out), relatch=False))
    bench.run(1000)
    assert (bench.tables.legs[0].srtp_in, bench.tables.legs[0].srtp_out) == sessions
    assert caller.unreadable == bench.tables.legs[0].srtp_refused == 0


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("profile", PROFILES)
def test_new_keys_leave_no_gap(bench: EngineBench, profile: str, resets: bool) -> None:
    """The other side goes on with the old keys for a moment; its counter then begins at zero, or does not."""
    keys, new = new_keys("AES_CM_128_HMAC_SHA1_80"), new_keys(profile)
    caller, listener = SecureCaller(keys, tone(440)), FakeCaller(silence)
    add(bench, caller, keys)
    bench.add(listener)
    bench.join_all(bench.open_mix())
    caller.sequence = 65530
    bench.run(2000)
    bench.apply(bench.connect(0, srtp=new, relatch=False))
    caller.change(new, send=False)
    _count_from(caller, new, 1000, roc=1, receiving=True)
    bench.run(100)
    caller.change(new, receive=False)
    if not resets:
        _count_from(caller, new, 0x1234, roc=1, receiving=False)
    before = int(bench.tables.legs[0].received)
    bench.run(2900)
    record = bench.tables.legs[0]
    assert record.received - before >= 2900 // 20 - 1
    assert record.srtp_refused <= 1, "at most one packet to find out how the other side counts"
    assert (record.srtp_before, record.srtp_finding) == (0, 0)
    assert record.srtp_index >> 16 == (0 if resets else 1)
    numbers = [sequence(packet) for packet in caller.packets]
    steps = {(b - a) & 0xFFFF for a, b in pairwise(numbers)}
    assert steps == {1}
    assert len({packet[8:12] for packet in caller.packets}) == 1
    assert caller.unreadable == 0
    assert record.concealed <= 20 * 8


def _count_from(caller: SecureCaller, keys: SrtpKeys, ssrc: int, roc: int, *, receiving: bool) -> None:
    """Let one of the caller's fresh sessions begin at this roll-over counter (RFC 3711 3.3.1)."""
    session = caller.receiver if receiving else caller.sender
    key = keys.key_out if receiving else keys.key_in
    session.add_stream(Policy(key, Policy.SSRC_SPECIFIC, ssrc, PROFILES[keys.profile]))
    begin_at(address_of(session), ssrc, roc)


def test_a_successor_of_the_engine_goes_on_with_streams_whose_numbers_began_again(bench: EngineBench) -> None:
    keys = new_keys("AEAD_AES_128_GCM")
    caller, listener = SecureCaller(keys, tone(440)), FakeCaller(silence)
    add(bench, caller, keys)
    bench.add(listener)
    bench.join_all(bench.open_mix())
    bench.run(2000)
    old = caller.next_packet()
    bench.send_to(0, old)
    bench.run(100)
    received = len(caller.packets)
    succeed(bench)
    for leg in range(2):
        bench.apply(bench.connect(leg, srtp=keys if leg == 0 else None))
    bench.open_mix()
    bench.join_all(5)
    bench.send_to(0, old)
    bench.run(1000)
    record = bench.tables.legs[0]
    assert record.srtp_replayed == 1, "what the dead engine heard is not heard again"
    assert record.srtp_refused == caller.unreadable == 0
    assert record.srtp_roc == 1
    assert record.srtp_index >> 16 == 1
    assert level(listener.heard(last_ms=500), 440) > 6000
    numbers = [sequence(packet) for packet in caller.packets[received - 1 :]]
    assert {(b - a) & 0xFFFF for a, b in pairwise(numbers)} == {1}


def test_a_roll_over_that_nobody_saw_is_found(bench: EngineBench) -> None:
    """The caller's numbers begin again just while there is no engine."""
    keys = new_keys()
    caller = SecureCaller(keys, tone(440))
    caller.sequence = 65400
    add(bench, caller, keys)
    bench.run(120 * 20)
    assert bench.tables.legs[0].srtp_index >> 16 == 0
    for _ in range(30):
        caller.next_packet()
    succeed(bench)
    bench.apply(bench.connect(0, srtp=keys))
    bench.run(200)
    record = bench.tables.legs[0]
    assert record.srtp_index >> 16 == 1
    assert record.srtp_refused == record.srtp_replayed == 0


def test_one_side_uses_so_many_ssrcs_and_no_more(bench: EngineBench) -> None:
    keys = new_keys()
    caller = SecureCaller(keys, tone(440))
    caller.sending = False
    add(bench, caller, keys)
    for ssrc in [*range(1, 21), 3]:
        caller.ssrc = ssrc
        bench.send_to(0, caller.next_packet())
    bench.run(20)
    record = bench.tables.legs[0]
    assert record.srtp_refused == 4
    assert record.srtp_ssrc == 3, "a stream that is known goes on"


def test_nothing_of_the_keys_stays_with_a_leg_that_is_closed(bench: EngineBench) -> None:
    keys = new_keys()
    caller = SecureCaller(keys, tone(440))
    add(bench, caller, keys)
    bench.run(100)
    bench.apply(m.CloseLeg(0))
    record = bench.tables.legs[0]
    assert record.srtp_in == record.srtp_out == 0
    bench.apply(bench.connect(0))
    caller.sending = False
    count = len(caller.sealed)
    bench.run(100)
    assert caller.sealed[count][:1] == b"\x80"
    assert len(caller.sealed[count]) == 12 + 160, "plain again"


def test_only_the_keyring_remembers_keys(bench: EngineBench) -> None:
    keys = new_keys()
    add(bench, SecureCaller(keys, silence), keys)
    agreed = bench.engine._sound._agreed
    assert agreed[0].srtp is None
    bench.apply(m.CloseLeg(0))
    assert agreed == {}
    assert bench.engine._keys._sessions == {}


def test_keys_are_not_told_to_whoever_prints_a_command(bench: EngineBench) -> None:
    keys = new_keys()
    bench.add(FakeCaller(silence))
    command = bench.connect(0, srtp=keys)
    assert str(keys.key_in)[2:-1] not in repr(command)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=m.ConnectLeg)
    assert again.srtp == keys


@pytest.mark.parametrize(("profile", "size"), [("AES_CM_128_HMAC_SHA1_80", 29), ("NULL", 30)])
def test_keys_that_cannot_be_used_are_refused_before_the_engine_sees_them(profile: str, size: int) -> None:
    with pytest.raises(ValueError, match=profile):
        SrtpKeys(profile, bytes(size), bytes(size))


def test_padding_and_extensions_are_read_after_the_packet_proved_good(bench: EngineBench) -> None:
    keys = new_keys()
    caller = SecureCaller(keys, silence)
    caller.sending = False
    add(bench, caller, keys)
    plain = FakeCaller.next_packet(caller)
    for change in range(64):
        padded = bytes([0xA0]) + plain[1:2] + (change + 10).to_bytes(2, "big") + plain[4:] + b"\x00\x02"
        bench.send_to(0, caller.sender.protect(padded))
    bench.now += 5 * MS
    bench.engine.step(bench.now)
    assert bench.tables.legs[0].received == 64
    assert bench.counters[counting.NOT_RTP] == 0


def test_reports_go_both_ways_encrypted(bench: EngineBench) -> None:
    keys = new_keys()
    caller = SecureCaller(keys, tone(440))
    add(bench, caller, keys, rtcp_mux=True)
    bench.run(12_000)
    reports = [data for data in caller.sealed if 200 <= data[1] <= 207]
    assert reports
    opened = [caller.receiver.unprotect_rtcp(data) for data in reports]
    assert all(data[1] == 200 for data in opened)
    assert opened[-1][28:32] == b"\x00\x00\x12\x34", "the block is of the caller's stream"
    record = bench.tables.legs[0]
    newest = (int(record.sequence) - 1).to_bytes(4, "big")
    report = RECEIVER + (1000).to_bytes(4, "big") + bytes(4) + newest + bytes(12)
    bench.send_to(0, report)
    bench.send_to(0, caller.sender.protect_rtcp(report))
    bench.run(20)
    assert (record.remote_reports, record.srtp_refused) == (1, 1), "believed only when encrypted"


def test_no_report_of_a_successor_has_the_index_of_one_before(bench: EngineBench) -> None:
    """Else the same key stream would be used twice (RFC 3711 9.1), and a caller would take them for replays."""
    keys = new_keys("AEAD_AES_128_GCM")
    caller = SecureCaller(keys, tone(440))
    add(bench, caller, keys, rtcp_mux=True)
    bench.run(20_000)
    succeed(bench)
    bench.apply(bench.connect(0, srtp=keys, rtcp_mux=True))
    bench.run(12_000)
    indices = [int.from_bytes(data[-4:], "big") & 0x7FFFFFFF for data in caller.sealed if 200 <= data[1] <= 207]
    assert len(indices) >= 4
    assert indices == list(range(1, len(indices) + 1))


def test_who_leaves_is_told_by_an_encrypted_goodbye(bench: EngineBench) -> None:
    keys = new_keys()
    caller = SecureCaller(keys, tone(440))
    add(bench, caller, keys, rtcp_mux=True)
    bench.add(FakeCaller(silence))
    bench.run(200)
    bench.apply(m.CloseLeg(0))
    caller.sending = False
    bench.run(40)
    last = caller.receiver.unprotect_rtcp(caller.sealed[-1])
    assert last[-8:-4] == b"\x81\xcb\x00\x01", "BYE"
