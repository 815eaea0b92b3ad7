"""Latching: whose packets are believed (design 4.2)."""

from collections.abc import Iterator

import pytest

from mirliton.media import counting
from mirliton.media import messages as m
from mirliton.media.sources import find, forget, remember, source_key
from tests.media.bench import LOOPBACK, EngineBench, FakeCaller, level, silence, tone

ELSEWHERE = 0x0A000001


@pytest.fixture
def stranger() -> Iterator[FakeCaller]:
    caller = FakeCaller(tone(1500))
    yield caller
    caller.socket.close()


def test_a_caller_behind_nat_is_heard_from_another_port(bench: EngineBench) -> None:
    caller = FakeCaller(tone(440))
    bench.callers.append(caller)
    bench.apply(bench.connect(0, remote_ip=ELSEWHERE, remote_port=4000, waits=True))
    bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix())
    bench.run(1500)
    assert level(bench.callers[1].heard(last_ms=800), 440) > 6000
    assert caller.packets, "what it hears goes to where it sends from"
    assert m.SourceLatched(0, LOOPBACK, caller.port) in bench.events


def test_after_latching_a_stranger_on_the_same_host_is_not_heard(bench: EngineBench, stranger: FakeCaller) -> None:
    bench.add(FakeCaller(tone(440)), waits=True)
    bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix())
    bench.run(500)
    for _ in range(50):
        bench.send_to(0, stranger.next_packet(), source=stranger.socket)
        bench.run(20)
    heard = bench.callers[1].heard(last_ms=800)
    assert level(heard, 440) > 6000
    assert level(heard, 1500) < 60
    assert not stranger.packets


def test_the_address_of_the_sdp_is_right_though_another_port_was_heard_first(bench: EngineBench) -> None:
    """A phone that says nothing yet, and a dead call of the same host (one address of many calls: a trunk)."""
    late, dead = FakeCaller(tone(440)), FakeCaller(tone(900))
    late.sending = False
    dead.sequence += 500  # with the same SSRC: what comes next would all be too late
    bench.add(late, waits=True)
    bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix())
    for _ in range(10):
        bench.send_to(0, dead.next_packet(), source=dead.socket)
        bench.run(20)
    assert bench.tables.legs[0].remote_port == dead.port
    late.sending = True
    bench.run(200)
    for _ in range(50):
        bench.send_to(0, dead.next_packet(), source=dead.socket)
        bench.run(20)
    heard = bench.callers[1].heard(last_ms=800)
    assert level(heard, 440) > 6000
    assert level(heard, 900) < 60
    assert late.packets
    assert m.SourceLatched(0, LOOPBACK, late.port) in bench.events
    dead.socket.close()
    bench.apply(m.CloseLeg(0))
    bench.apply(m.CloseLeg(1))
    bench.run(2500)
    assert (bench.tables.sources["key"] == -1).all()


def test_an_address_that_was_not_signalled_never_latches(bench: EngineBench, stranger: FakeCaller) -> None:
    bench.callers.append(FakeCaller(silence))
    bench.callers[0].sending = False
    bench.apply(bench.connect(0, remote_ip=ELSEWHERE, remote_port=4000, signalling_ip=ELSEWHERE + 1, waits=True))
    for _ in range(20):
        bench.send_to(0, stranger.next_packet(), source=stranger.socket)
        bench.run(20)
    assert not bench.tables.legs[0].latched
    assert bench.counters[counting.UNKNOWN_SOURCE] == 20


def test_a_new_address_in_a_reinvite_latches_anew(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440)))
    bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix())
    bench.run(500)
    old, moved = bench.callers[0], FakeCaller(tone(900))
    bench.callers[0] = moved
    bench.apply(bench.connect(0))
    bench.run(1500)
    assert level(bench.callers[1].heard(last_ms=800), 900) > 6000
    assert moved.packets
    old.socket.close()


def test_nobody_takes_a_callers_sound_by_naming_its_address(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440)))
    bench.add(FakeCaller(silence), socket=0)
    bench.join_all(bench.open_mix())
    bench.run(300)
    thief = FakeCaller(silence)
    thief.sending = False
    bench.callers.append(thief)
    bench.apply(bench.connect(2, socket=0, remote_port=bench.callers[0].port))
    bench.apply(m.JoinMix(2, -1))
    bench.run(1000)
    assert level(bench.callers[1].heard(last_ms=600), 440) > 6000
    bench.apply(m.CloseLeg(2))
    bench.run(1000)
    assert level(bench.callers[1].heard(last_ms=600), 440) > 6000


def test_the_source_table_finds_what_it_was_told_whatever_came_and_went(bench: EngineBench) -> None:
    t = bench.tables
    known: dict[int, int] = {}
    for n in range(400):
        key = int(source_key(n % 2, LOOPBACK + n % 7, 1000 + n * 37 % 5000))
        if n % 3 == 2 and known:
            gone = next(iter(known))
            forget(t, gone, known.pop(gone))
        if len(known) < 60 and key not in known:
            remember(t, key, n % 64)
            known[key] = n % 64
    assert all(find(t, key) == leg for key, leg in known.items())
    for key, leg in known.items():
        forget(t, key, leg)
    assert (t.sources["key"] == -1).all()


def test_what_a_closed_leg_still_sends_is_not_another_legs_first_packet(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440)), socket=0)
    bench.run(200)
    bench.apply(m.CloseLeg(0))
    newcomer = FakeCaller(silence)
    newcomer.sending = False
    bench.callers.append(newcomer)
    bench.apply(bench.connect(1, socket=0, waits=True))
    bench.run(1000)  # the first phone has not understood yet and goes on
    assert not bench.tables.legs[1].latched
    newcomer.sending = True
    bench.engine.apply(bench.connect(1, socket=0, relatch=False), bench.now)
    for _ in range(20):
        newcomer.socket.sendto(newcomer.next_packet(), bench.sockets[0].getsockname())
        bench.run(20)
    assert bench.tables.legs[1].latched
    assert bench.tables.legs[1].remote_port == newcomer.port


def test_after_a_reinvite_the_old_port_does_not_latch_again(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(440)), waits=True)
    bench.run(300)
    old, moved = bench.callers[0], FakeCaller(tone(900))
    moved.sending = False
    bench.callers[0] = moved
    bench.apply(bench.connect(0, waits=True))
    for _ in range(10):
        bench.send_to(0, old.next_packet(), source=old.socket)
        bench.run(20)
    assert not bench.tables.legs[0].latched
    moved.sending = True
    bench.run(200)
    assert bench.tables.legs[0].remote_port == moved.port
    old.socket.close()


def test_a_retired_source_is_forgotten_after_two_seconds(bench: EngineBench) -> None:
    for _ in range(5):
        bench.add(FakeCaller(silence))
        bench.callers[-1].sending = False
    for leg in range(5):
        bench.apply(m.CloseLeg(leg))
    assert (bench.tables.sources["key"] != -1).sum() == 5
    bench.run(2500)
    assert (bench.tables.sources["key"] == -1).all()
