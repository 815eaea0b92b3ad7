"""What the phone hears: packets to a recording that keeps time, and the counts of RFC 3550. Pure; time is passed in."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mirliton.phone.codecs import Codec
from mirliton.phone.rtp import Packet, read_event, read_packet

Samples = npt.NDArray[np.int16]

STRAY_SECONDS = 0.5  # a timestamp further than this from the clock is a new stream, not a late packet


@dataclass(slots=True)
class HearingStatistics:
    """Counters of the packets received. `jitter` in milliseconds (RFC 3550 section 6.4.1)."""

    packets: int = 0
    lost: int = 0
    duplicate: int = 0
    unreadable: int = 0
    other_payload: int = 0
    jitter: float = 0.0


@dataclass(slots=True)
class _Stream:
    """One SSRC: where its time lies in the recording, and which packets came."""

    ssrc: int
    timestamp: int
    position: int
    first: int
    highest: int
    transit: float
    seen: int = 0  # bits: which of the last 64 sequence numbers came
    received: int = 0


class Hearer:
    """Collects one call's incoming sound. `limit_seconds` bounds the recording; later sound is counted, not kept."""

    def __init__(self, codec: Codec, event_payload_type: int | None, limit_seconds: float = 3600.0) -> None:
        self.statistics = HearingStatistics()
        self.digits = ""
        self._codec = codec
        self._event_type = event_payload_type
        self._limit = round(limit_seconds * codec.rate)
        self._recording = np.zeros(codec.rate * 10, np.int16)
        self._length = 0
        self._stream: _Stream | None = None
        self._lost_before = 0
        self._event_timestamp: int | None = None

    def receive(self, data: bytes, seconds: float) -> None:
        """Take a datagram that came `seconds` after the answer. Nonsense is counted."""
        packet = read_packet(data)
        if packet is None:
            self.statistics.unreadable += 1
            return
        stream = self._find_stream(packet, seconds)
        if not self._count(stream, packet, seconds):
            return
        if packet.payload_type == self._codec.payload_type:
            self._keep(stream, packet)
        elif packet.payload_type == self._event_type:
            self._take_event(packet)
        else:
            self.statistics.other_payload += 1

    def recording(self, seconds: float | None = None) -> Samples:
        """What was heard since the answer, at the codec's rate; as long as `seconds` if given. Gaps are silence."""
        wanted = self._length if seconds is None else min(round(seconds * self._codec.rate), self._limit)
        self._make_room(wanted)
        return self._recording[:wanted].copy()

    def _find_stream(self, packet: Packet, seconds: float) -> _Stream:
        stream, now = self._stream, round(seconds * self._codec.rate)
        if stream is not None and stream.ssrc == packet.ssrc:
            if abs(self._place(stream, packet.timestamp) - now) <= STRAY_SECONDS * self._codec.rate:
                return stream
            stream.timestamp, stream.position = packet.timestamp, now
            return stream
        self._lost_before = self.statistics.lost
        self._stream = _Stream(
            packet.ssrc, packet.timestamp, now, packet.sequence, packet.sequence - 1, self._transit(packet, seconds)
        )
        return self._stream

    def _count(self, stream: _Stream, packet: Packet, seconds: float) -> bool:
        """Loss, duplicates and jitter; False for a duplicate."""
        sequence = stream.highest + _signed(packet.sequence - stream.highest, 16)
        ahead = sequence - stream.highest
        if ahead > 0:
            stream.seen = (stream.seen << min(ahead, 64) | 1) & (1 << 64) - 1
            stream.highest = sequence
        else:
            bit = 1 << -ahead
            if -ahead >= 64 or stream.seen & bit:
                self.statistics.duplicate += 1
                return False
            stream.seen |= bit
            stream.first = min(stream.first, sequence)
        stream.received += 1
        self.statistics.packets += 1
        self.statistics.lost = self._lost_before + stream.highest - stream.first + 1 - stream.received
        self._update_jitter(stream, packet, seconds)
        return True

    def _update_jitter(self, stream: _Stream, packet: Packet, seconds: float) -> None:
        if packet.payload_type != self._codec.payload_type:
            return  # the packets of one event share a timestamp and would look like jitter
        transit = self._transit(packet, seconds)
        change = abs(_signed(round(transit - stream.transit), 32)) * 1000 / self._codec.clock
        stream.transit = transit
        if change < STRAY_SECONDS * 1000:
            self.statistics.jitter += (change - self.statistics.jitter) / 16

    def _transit(self, packet: Packet, seconds: float) -> float:
        return seconds * self._codec.clock - packet.timestamp

    def _place(self, stream: _Stream, timestamp: int) -> int:
        """The sample of the recording that a timestamp belongs to."""
        return stream.position + _signed(timestamp - stream.timestamp, 32) * self._codec.rate // self._codec.clock

    def _keep(self, stream: _Stream, packet: Packet) -> None:
        try:
            sound = self._codec.decode(packet.payload)
        except ValueError:
            self.statistics.unreadable += 1
            return
        start = self._place(stream, packet.timestamp)
        end = start + len(sound)
        if start < 0 or end > self._limit:
            return
        self._make_room(end)
        self._recording[start:end] = sound
        self._length = max(self._length, end)

    def _make_room(self, length: int) -> None:
        if length > len(self._recording):
            grown = np.zeros(max(length, 2 * len(self._recording)), np.int16)
            grown[: len(self._recording)] = self._recording
            self._recording = grown

    def _take_event(self, packet: Packet) -> None:
        digit = read_event(packet.payload)
        if digit is not None and packet.timestamp != self._event_timestamp and len(self.digits) < 1000:
            self._event_timestamp = packet.timestamp
            self.digits += digit


def _signed(difference: int, bits: int) -> int:
    """A difference of counters that wrap, as the smaller of the two ways around."""
    half = 1 << bits - 1
    return (difference + half & (1 << bits) - 1) - half
