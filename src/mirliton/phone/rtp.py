"""RTP packets (RFC 3550 section 5.1) and telephone events (RFC 4733 section 2.3) as the phone writes and reads them."""

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("!BBHII")
_EVENT = struct.Struct("!BBH")
EVENTS = "0123456789*#ABCD"
EVENT_VOLUME = 10  # -dBm0


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. `timestamp` counts at the RTP clock of the codec."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False


def write_packet(packet: Packet) -> bytes:
    """The packet as bytes; sequence and timestamp are taken modulo their size."""
    return (
        _HEADER.pack(
            0x80,
            packet.marker << 7 | packet.payload_type,
            packet.sequence & 0xFFFF,
            packet.timestamp & 0xFFFF_FFFF,
            packet.ssrc,
        )
        + packet.payload
    )


def read_packet(data: bytes) -> Packet | None:
    """The packet, or None when these bytes are no RTP: wrong version, too short, or lengths that do not fit."""
    if len(data) < 12 or data[0] >> 6 != 2 or 64 <= data[1] & 0x7F < 96:  # 64..95: RTCP on the same port (RFC 5761)
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    start, end = 12 + 4 * (first & 0x0F), len(data)
    if first & 0x10:
        if end < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if first & 0x20:
        end -= data[-1]
    if end < start:
        return None
    return Packet(second & 0x7F, sequence, timestamp, ssrc, data[start:end], bool(second & 0x80))


def event_payload(digit: str, duration: int, *, end: bool) -> bytes:
    """A telephone event: `duration` in RTP clock units, at most 65535."""
    return _EVENT.pack(EVENTS.index(digit), end << 7 | EVENT_VOLUME, min(duration, 0xFFFF))


def read_event(payload: bytes) -> str | None:
    """The digit of a telephone event, None when it is something else."""
    if len(payload) < 4 or payload[0] >= len(EVENTS):
        return None
    return EVENTS[payload[0]]
