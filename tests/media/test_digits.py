"""Digits: as events (RFC 4733) and in the sound."""

import itertools
import struct

import numpy as np
import pytest

from mirliton.media import messages as m
from mirliton.media.engine import EngineFull
from tests.media.bench import EngineBench, FakeCaller, silence, tone

_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_KEYS = ["123A", "456B", "789C", "*0#D"]
_NAMES = "0123456789*#ABCD"


def pressed(bench: EngineBench) -> str:
    return "".join(_NAMES[e.code] for e in bench.events if isinstance(e, m.DigitPressed))


def press(bench: EngineBench, caller: FakeCaller, key: str, lost: frozenset[int] = frozenset()) -> None:
    """One key for 100 ms: five packets, the end three times (RFC 4733 2.5.1.4). `lost` packets are not sent."""
    start = caller.timestamp
    for n in range(8):
        duration = min(n + 1, 5) * 160
        payload = struct.pack("!BBH", _NAMES.index(key), (0x80 if n >= 5 else 0) | 10, duration)
        header = struct.pack("!BBHII", 0x80, 101 | (0x80 if n == 0 else 0), caller.sequence, start, caller.ssrc)
        caller.sequence = (caller.sequence + 1) & 0xFFFF
        if n not in lost:
            bench.send_to(0, header + payload)
        bench.run(20)
    caller.timestamp = (start + 1600) & 0xFFFFFFFF


def quiet_caller(bench: EngineBench) -> FakeCaller:
    caller = FakeCaller(silence)
    caller.sending = False
    bench.add(caller)
    return caller


def test_every_key_is_reported_once(bench: EngineBench) -> None:
    caller = quiet_caller(bench)
    for key in _NAMES:
        press(bench, caller, key)
    assert pressed(bench) == _NAMES


def test_a_key_is_reported_at_its_start(bench: EngineBench) -> None:
    caller = quiet_caller(bench)
    header = struct.pack("!BBHII", 0x80, 101 | 0x80, caller.sequence, caller.timestamp, caller.ssrc)
    bench.send_to(0, header + struct.pack("!BBH", 5, 10, 160))
    bench.run(5)
    bench.run(20)
    assert pressed(bench) == "5"


@pytest.mark.parametrize("lost", [{0}, {0, 1, 2}, {0, 1, 2, 3, 4}, {5, 6, 7}, {1, 3, 5, 6}])
def test_lost_packets_lose_no_key_and_add_none(bench: EngineBench, lost: set[int]) -> None:
    caller = quiet_caller(bench)
    press(bench, caller, "7", frozenset(lost))
    press(bench, caller, "7", frozenset(lost))
    assert pressed(bench) == "77"


def test_an_unknown_event_is_no_key(bench: EngineBench) -> None:
    caller = quiet_caller(bench)
    header = struct.pack("!BBHII", 0x80, 101, caller.sequence, caller.timestamp, caller.ssrc)
    for code in (16, 32, 255):
        bench.send_to(0, header + struct.pack("!BBH", code, 10, 160))
        bench.run(20)
    assert pressed(bench) == ""


def in_band(text: str, on: float = 0.1, off: float = 0.08) -> FakeCaller:
    """A caller without telephone-event who presses keys as sound, from 0.2 s on."""

    def signal(t: np.ndarray) -> np.ndarray:
        out = np.zeros(len(t))
        for n, key in enumerate(text):
            row = next(r for r, keys in enumerate(_KEYS) if key in keys)
            begin = 0.2 + n * (on + off)
            inside = (t >= begin) & (t < begin + on)
            for hertz in (_ROWS[row], _COLUMNS[_KEYS[row].index(key)]):
                out += inside * 5000 * np.sin(2 * np.pi * hertz * t)
        return out

    return FakeCaller(signal, events=False)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722"])
def test_keys_are_found_in_the_sound_where_no_events_were_agreed(bench: EngineBench, codec: str) -> None:
    text = "1234567890*#ABCD"
    caller = in_band(text)
    caller.codec, caller.rate = codec, 16000 if codec == "G722" else 8000
    bench.add(caller)
    bench.run(4000)
    assert pressed(bench) == text


def test_a_muted_member_can_still_press_keys_in_band(bench: EngineBench) -> None:
    bench.add(in_band("*3"))
    bench.join_all(bench.open_mix())
    bench.set(0, muted=True)
    bench.run(1500)
    assert pressed(bench) == "*3"


@pytest.mark.parametrize("hertz", [440, 697, 1336, 1000])
def test_a_single_tone_is_no_key(bench: EngineBench, hertz: float) -> None:
    bench.add(FakeCaller(tone(hertz), events=False))
    bench.run(3000)
    assert pressed(bench) == ""


def test_noise_is_no_key(bench: EngineBench) -> None:
    rng = np.random.default_rng(5)
    bench.add(FakeCaller(lambda t: rng.normal(0, 6000, len(t)), events=False))
    bench.run(10_000)
    assert pressed(bench) == ""


def test_packets_that_are_late_cut_no_key_in_two(bench: EngineBench) -> None:
    text = "1122334455"
    caller = in_band(text)
    caller.sending = False
    bench.add(caller)
    rng = np.random.default_rng(11)
    for _ in range(150):
        waiting = [caller.next_packet() for _ in range(int(rng.integers(1, 4)))]
        bench.run(20 * len(waiting))
        for packet in waiting:
            bench.send_to(0, packet)
    bench.run(200)
    assert pressed(bench) == text


def test_a_key_held_while_its_caller_joins_the_room_counts_once(bench: EngineBench) -> None:
    bench.add(in_band("#", on=0.3))
    mix = bench.open_mix()
    bench.run(350)
    assert pressed(bench) == "#"
    bench.apply(m.JoinMix(0, mix))
    bench.run(600)
    assert pressed(bench) == "#"


def test_a_lost_packet_inside_a_key_press_does_not_double_it(bench: EngineBench) -> None:
    caller = in_band("5", on=0.3)
    caller.drop = {16, 20}
    bench.add(caller)
    bench.run(1000)
    assert pressed(bench) == "5"


def told(caller: FakeCaller) -> list[bytes]:
    """The event packets that a caller got."""
    return [packet for packet in caller.packets if packet[1] & 127 == 101]


@pytest.mark.parametrize("ptime", [10, 20, 60])
def test_keys_that_we_send_are_read_by_our_own_ear(bench: EngineBench, ptime: int) -> None:
    listener = FakeCaller(silence, ptime=ptime)
    bench.add(listener)
    bench.join_all(bench.open_mix())
    bench.run(200)
    for code in (1, 1, 15, 0, 10):
        bench.apply(m.Press(0, code))
    bench.run(3000)
    speaker = FakeCaller(silence)
    speaker.sending = False
    leg = bench.add(speaker)
    for packet in told(listener):
        bench.send_to(leg, packet)
        bench.run(ptime)
    assert pressed(bench) == "11D0*"
    assert sum(packet[1] >> 7 for packet in told(listener)) == 5  # each begins with a mark
    assert not {packet[1] & 127 for packet in listener.packets[-3:]} - {0}  # and then there is sound again


def test_the_clock_of_the_sound_goes_on_while_a_key_is_sent(bench: EngineBench) -> None:
    bench.add(FakeCaller(silence))
    bench.run(200)
    bench.apply(m.Press(0, 7))
    bench.run(1000)
    headers = [struct.unpack("!BBHII", packet[:12]) for packet in bench.callers[0].packets]
    assert len({(later[2] - earlier[2]) & 0xFFFF for earlier, later in itertools.pairwise(headers)}) == 1
    at = {header[3] for header in headers if header[1] & 127 == 101}
    assert len(at) == 1
    durations = [struct.unpack("!BBH", packet[12:])[2] for packet in told(bench.callers[0])]
    assert durations == [160, 320, 480, 640, 800, 960, 1120, 1280, 1280, 1280, 1280][: len(durations)]
    sound = [header[3] for header in headers if header[1] & 127 == 0]
    gap = max((later - earlier) & 0xFFFFFFFF for earlier, later in itertools.pairwise(sound))
    assert gap == 160 * (len(durations) + 1)


def test_keys_for_a_leg_are_bounded(bench: EngineBench) -> None:
    bench.add(FakeCaller(silence))
    for _ in range(12):
        bench.apply(m.Press(0, 15))
    with pytest.raises(EngineFull):
        bench.apply(m.Press(0, 15))
