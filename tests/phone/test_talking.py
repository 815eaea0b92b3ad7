"""What the phone sends, packet by packet."""

from itertools import pairwise

import numpy as np
import pytest

from mirliton.phone.codecs import open_codec
from mirliton.phone.listening import find_tones, level
from mirliton.phone.playing import tone
from mirliton.phone.rtp import Packet, read_event, read_packet
from mirliton.phone.talking import Talker
from mirliton.sounds.tones import DIGITS

SHORT = np.full(400, 8000, np.int16)


def talker(ptime: int = 20, event_type: int | None = 101, codec: str = "PCMU") -> Talker:
    return Talker(open_codec(codec), ptime, event_type)


def sent(talker: Talker, ticks: int) -> list[Packet]:
    packets = [read_packet(data) for _ in range(ticks) for data in talker.next()]
    return [packet for packet in packets if packet is not None]


def heard(packets: list[Packet], codec: str = "PCMU") -> np.typing.NDArray[np.int16]:
    decoder = open_codec(codec)
    return np.concatenate([decoder.decode(p.payload) for p in packets if p.payload_type == decoder.payload_type])


@pytest.mark.parametrize(("codec", "ptime", "size"), [("PCMU", 20, 160), ("PCMA", 30, 240), ("G722", 20, 160)])
def test_packets_follow_each_other_in_sequence_and_time(codec: str, ptime: int, size: int) -> None:
    packets = sent(talker(ptime, codec=codec), 10)
    first = packets[0]
    assert [len(packet.payload) for packet in packets] == [size] * 10
    assert [packet.sequence - first.sequence for packet in packets] == list(range(10))
    assert [packet.timestamp - first.timestamp for packet in packets] == [n * ptime * 8 for n in range(10)]
    assert [packet.marker for packet in packets] == [True] + [False] * 9
    assert {packet.ssrc for packet in packets} == {first.ssrc}


def test_sounds_follow_each_other_without_a_gap_and_then_there_is_silence() -> None:
    phone = talker()
    phone.say(SHORT)
    phone.say(-SHORT)
    assert not phone.silent
    wave = heard(sent(phone, 10))
    assert np.all(wave[:400] > 7500)
    assert np.all(wave[400:800] < -7500)
    assert not wave[800:].any()
    assert phone.silent


def test_a_tone_goes_on_until_something_else_is_said() -> None:
    phone = talker()
    phone.say(tone(440, 8000).samples, forever=True)
    assert phone.silent
    assert list(find_tones(heard(sent(phone, 100)), 8000, above=-50)) == pytest.approx([440], abs=2)
    phone.say(tone(700, 8000).samples)
    assert list(find_tones(heard(sent(phone, 50)), 8000, above=-50)) == pytest.approx([700], abs=2)
    assert not heard(sent(phone, 5)).any()


def test_a_digit_is_an_event_with_one_timestamp_that_grows_and_ends_three_times() -> None:
    phone = talker()
    phone.press("5", at=0.1)
    packets = sent(phone, 20)
    events = [packet for packet in packets if packet.payload_type == 101]
    assert {read_event(packet.payload) for packet in events} == {"5"}
    assert {packet.timestamp - packets[0].timestamp for packet in events} == {5 * 160}
    assert [int.from_bytes(packet.payload[2:]) for packet in events] == [160, 320, 480, 640, 800, 960, 960, 960]
    assert [packet.payload[1] >> 7 for packet in events] == [0] * 5 + [1] * 3
    assert [packet.marker for packet in events] == [True] + [False] * 7
    after = packets[packets.index(events[-1]) + 1]
    assert (after.payload_type, after.marker, after.timestamp - packets[0].timestamp) == (0, True, 11 * 160)
    assert phone.digits_sent == "5"


@pytest.mark.parametrize("ptime", [10, 20, 30, 60])
def test_keys_are_pressed_in_order_with_a_pause_between(ptime: int) -> None:
    phone = talker(ptime)
    phone.press("24")
    phone.press("68#", at=0.5)
    packets = sent(phone, 2400 // ptime)
    kinds = [(read_event(p.payload), p.timestamp) if p.payload_type == 101 else None for p in packets]
    presses = list(dict.fromkeys(kind for kind in kinds if kind))
    assert "".join(digit or "" for digit, _ in presses) == "2468#"
    starts = [timestamp for _, timestamp in presses]
    assert all(later - earlier >= 1600 for earlier, later in pairwise(starts))
    assert phone.silent


@pytest.mark.parametrize("said", [np.zeros(0, np.int16), tone(990, 8000).samples])
def test_without_events_a_digit_is_sound_and_what_was_said_goes_on_after_it(said: np.typing.NDArray[np.int16]) -> None:
    phone = talker(event_type=None)
    phone.say(said)
    phone.press("7", at=0.2)
    wave = heard(sent(phone, 80))
    digit = wave[1600:2560]
    assert sorted(find_tones(digit, 8000, above=-40)) == pytest.approx(DIGITS["7"], abs=6)
    assert level(wave[2560:3200]) < -60
    assert np.count_nonzero(np.abs(wave) > 0) == pytest.approx(len(said) * 0.9995 + 960, rel=0.05)


def test_a_gap_in_time_is_none_in_the_sequence() -> None:
    phone = talker()
    before = sent(phone, 1)[0]
    phone.skip(50)
    after = sent(phone, 1)[0]
    assert after.sequence - before.sequence == 1
    assert after.timestamp - before.timestamp == 51 * 160
    assert after.marker


def test_what_is_no_key_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be dialled"):
        talker().press("12x")


@pytest.mark.parametrize(("event_clock", "per_ms"), [(None, 48), (8000, 8)])
def test_time_stamps_of_opus_count_at_its_clock_and_keys_at_theirs(event_clock: int | None, per_ms: int) -> None:
    phone = Talker(open_codec("OPUS", 96), 20, 101, event_clock)
    phone.press("7", at=0.1)
    packets = sent(phone, 20)
    events = [packet for packet in packets if packet.payload_type == 101]
    assert [packet.timestamp - packets[0].timestamp for packet in packets[:5]] == [n * 960 for n in range(5)]
    assert {packet.timestamp - packets[0].timestamp for packet in events} == {5 * 960}
    assert int.from_bytes(events[-1].payload[2:]) == 120 * per_ms
    assert {packet.payload_type for packet in packets} == {96, 101}
