"""What a few callers sent and received, packet by packet, and what follows: who hears somebody, and how late.

The delay that a bridge adds from mouth to ear is told from the sound itself. The packets that a talker sent have known
times and known samples; in what a listener received, the same samples are found by correlation. A listener who plays
each packet as it arrives would hear a sample this much later than one who has no bridge between: a bridge that sends
every packet back at once adds nothing. Waiting for a packet to be full, which every phone does, is not part of it; the
look-ahead of the bridge's own encoder is.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mirliton.benchmark.voices import Coding, Samples, said, talker_of

_RECORD = struct.Struct("<6I")
_RTP_BYTES = 12
_WINDOW_MS = 500
MOST_MS = 1500
"""Longer delays are not found: the caller counts as one who does not hear the talker."""
_EARLY_MS = 5
_LEAST_LIKENESS = 0.3
"""A window with other talkers in it is like one of them by one over the root of their number; chance gives 0.15."""
_LISTENED_PACKETS = 8
_LOUD = 200.0
"""Root mean square of 16-bit samples: talkers have about 2000, comfort noise is far below."""

Times = NDArray[np.float64]


@dataclass(slots=True)
class Probe:
    """One call. `sent`: (frame, ms) of each packet; `received`: (ms, RTP packet), in the order of arrival."""

    sent: list[tuple[int, float]] = field(default_factory=list)
    received: list[tuple[float, bytes]] = field(default_factory=list)


class UnreadableProbes(ValueError):
    """The file is not what `rtpload` writes."""


def read_probes(data: bytes) -> dict[int, Probe]:
    """By call. Times are milliseconds since the first record. Raises `UnreadableProbes`."""
    probes: dict[int, Probe] = {}
    at, epoch = 0, None
    while at < len(data):
        if len(data) - at < _RECORD.size:
            raise UnreadableProbes("the last record is not whole")
        kind, call, low, high, frame, size = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        nanoseconds = high << 32 | low
        epoch = nanoseconds if epoch is None else epoch
        probe, time = probes.setdefault(call, Probe()), (nanoseconds - epoch) / 1e6
        if kind == 0:
            probe.sent.append((frame, time))
        else:
            probe.received.append((time, data[at : at + size]))
        at += size
    return probes


def hears_somebody(probe: Probe, coding: Coding) -> bool:
    """Whether the last packets that a call got are loud."""
    payloads = [packet[_RTP_BYTES:] for _, packet in probe.received[-_LISTENED_PACKETS:]]
    decoded = [part for part in coding.decode(payloads) if len(part)]
    if not decoded:
        return False
    sound = np.concatenate(decoded).astype(np.float64)
    return float(np.sqrt(np.mean(sound**2))) > _LOUD


def delays(probes: Mapping[int, Probe], pairs: Sequence[tuple[int, int]], coding: Coding) -> list[float]:
    """Milliseconds that were added to each packet that listeners got, for pairs of (talker, listener)."""
    found: list[float] = []
    loops: dict[int, Samples] = {}
    for talker, listener in pairs:
        if talker in probes and listener in probes:
            if talker not in loops:
                loops[talker] = said(coding, talker_of(talker))
            found += _delays(probes[talker], probes[listener], loops[talker], coding)
    return found


def _delays(talker: Probe, listener: Probe, loop: Samples, coding: Coding) -> list[float]:
    mouth, ear = _Mouth.of(talker, coding), _Ear.of(listener, coding)
    if mouth is None or ear is None:
        return []
    return list(_matched(mouth, ear, loop.astype(np.float64), coding.rate))


@dataclass(frozen=True, slots=True)
class _Mouth:
    """When each sample was said: `at[k]` is the time (ms) of the first sample of frame `first` + k."""

    first: int
    at: Times
    frame: int

    @staticmethod
    def of(probe: Probe, coding: Coding) -> "_Mouth | None":
        if len(probe.sent) < 2:
            return None
        frames = np.array([frame for frame, _ in probe.sent])
        times = np.array([time for _, time in probe.sent])
        every = np.arange(frames[0], frames[-1] + 1)
        return _Mouth(int(frames[0]), np.interp(every, frames, times), coding.frame)

    def sample_at(self, time: float, rate: int) -> int:
        """The number of the sample that is said at a time, counted from the start of frame 0."""
        k = int(np.searchsorted(self.at, time, "right")) - 1
        k = min(max(k, 0), len(self.at) - 1)
        return (self.first + k) * self.frame + round((time - float(self.at[k])) * rate / 1000)

    def time_of(self, sample: int, rate: int) -> float:
        """When a sample was said; later and earlier than what is known at the nominal pace."""
        k = min(max(sample // self.frame - self.first, 0), len(self.at) - 1)
        return float(self.at[k]) + (sample - (self.first + k) * self.frame) * 1000 / rate


@dataclass(frozen=True, slots=True)
class _Ear:
    """What was heard, in the order of RTP's timestamps. `starts`: of each packet in `sound`; `arrivals` in ms."""

    sound: NDArray[np.float64]
    starts: NDArray[np.int64]
    arrivals: Times

    @staticmethod
    def of(probe: Probe, coding: Coding) -> "_Ear | None":
        packets = sorted(_unwrapped(probe.received))
        if not packets:
            return None
        decoded = coding.decode([payload for _, _, payload in packets])
        starts = np.array([stamp - packets[0][0] for stamp, _, _ in packets])
        longest = int(starts[-1]) + len(decoded[-1])
        if longest > len(packets) * coding.frame * 4:  # its timestamps jump: there is no time line to listen along
            return None
        sound = np.zeros(longest)
        for start, part in zip(starts, decoded, strict=True):
            piece = part[: longest - start]
            sound[start : start + len(piece)] = piece
        return _Ear(sound, starts, np.array([arrival for _, arrival, _ in packets]))


def _unwrapped(received: Sequence[tuple[float, bytes]]) -> Iterator[tuple[int, float, bytes]]:
    """(timestamp that does not wrap, arrival, payload) of packets in the order of arrival."""
    last: int | None = None
    for arrival, packet in received:
        stamp = int.from_bytes(packet[4:8], "big")
        step = 0 if last is None else (stamp - last + (1 << 31)) % (1 << 32) - (1 << 31)
        last = stamp if last is None else last + step
        yield last, arrival, packet[_RTP_BYTES:]


def _matched(mouth: _Mouth, ear: _Ear, loop: NDArray[np.float64], rate: int) -> Iterator[float]:
    window = rate * _WINDOW_MS // 1000
    for start in range(0, len(ear.sound) - window + 1, window):
        inside = np.flatnonzero((ear.starts >= start) & (ear.starts < start + window))
        if len(inside) == 0:
            continue
        first = inside[0]
        # The sample that is said while the window's first packet arrives would be heard without any delay.
        now = mouth.sample_at(float(ear.arrivals[first]), rate) - int(ear.starts[first] - start)
        behind = _behind(ear.sound[start : start + window], loop, now, rate)
        if behind is None:
            continue
        for k in inside:
            sample = now - behind + int(ear.starts[k] - start)
            yield float(ear.arrivals[k]) - mouth.time_of(sample, rate)


def _behind(heard: NDArray[np.float64], loop: NDArray[np.float64], now: int, rate: int) -> int | None:
    """By how many samples what was heard is behind sample `now` of a loop that repeats; None: it is not in there."""
    early, most = rate * _EARLY_MS // 1000, rate * MOST_MS // 1000
    first = now - most
    said = loop[np.arange(first, now + early + len(heard)) % len(loop)]
    size = 1 << int(np.ceil(np.log2(len(said) + len(heard))))
    spectrum = np.fft.rfft(said, size) * np.conj(np.fft.rfft(heard, size))
    products = np.fft.irfft(spectrum, size)[: most + early + 1]
    squares = np.concatenate([[0.0], np.cumsum(said**2)])
    energy = squares[len(heard) :][: len(products)] - squares[: len(products)]
    likeness = products / np.sqrt(np.maximum(energy, 1.0) * max(float(np.sum(heard**2)), 1.0))
    best = int(np.argmax(likeness))
    return most - best if likeness[best] >= _LEAST_LIKENESS else None
