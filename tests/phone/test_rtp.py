"""RTP as bytes: what is written is read back, and nonsense is nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.phone.rtp import Packet, event_payload, read_event, read_packet, write_packet

PACKET = Packet(0, 65535, 0xFFFF_FFFE, 7, b"sound", marker=True)


def test_a_packet_is_read_back() -> None:
    assert read_packet(write_packet(PACKET)) == PACKET


def test_sources_extension_and_padding_are_taken_off() -> None:
    plain = write_packet(PACKET)
    dressed = bytes([0x80 | 0x20 | 0x10 | 1]) + plain[1:12] + b"CSRC" + b"\xbe\xde\0\1extn" + b"sound" + b"\0\0\3"
    assert read_packet(dressed) == PACKET


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80" * 11,
        b"\x00" + write_packet(PACKET)[1:],
        bytes([0x8F]) + write_packet(PACKET)[1:],
        bytes([0x90]) + write_packet(PACKET)[1:12],
        bytes([0xA0]) + write_packet(PACKET)[1:] + b"\xff",
        b"\x80\xc8" + bytes(30),
    ],
)
def test_what_is_no_rtp_is_nothing(data: bytes) -> None:
    assert read_packet(data) is None


@given(st.binary(max_size=64))
def test_any_bytes_are_a_packet_or_nothing(data: bytes) -> None:
    packet = read_packet(data)
    assert packet is None or len(packet.payload) <= len(data) - 12


@pytest.mark.parametrize("digit", "0123456789*#ABCD")
def test_events_carry_each_key(digit: str) -> None:
    payload = event_payload(digit, 99_999, end=True)
    assert read_event(payload) == digit
    assert payload[1] == 0x80 | 10
    assert payload[2:] == b"\xff\xff"


def test_other_events_are_no_key() -> None:
    assert read_event(b"\x10\x0a\0\0") is None
    assert read_event(b"\1") is None
