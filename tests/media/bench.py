"""An engine in this process with real loopback sockets and virtual time: callers send tones and are measured."""

import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media import messages as m
from mirliton.media.codecs import g722
from mirliton.media.codecs.g711 import ALAW_DECODE, ALAW_ENCODE, ULAW_DECODE, ULAW_ENCODE
from mirliton.media.engine import Engine
from mirliton.media.kernels import entry
from mirliton.media.records import LEG
from mirliton.media.tables import Capacity, make_tables, map_taps
from mirliton.media.taps import TapMemory
from tests.media.opus_phone import OpusDecoder, OpusEncoder

MS = 1_000_000
LOOPBACK = 0x7F000001
_PAYLOAD_TYPES = {"PCMU": 0, "PCMA": 8, "G722": 9, "OPUS": 111, "L16": 96}

Samples = NDArray[np.int16]


def tone(hertz: float, peak: float = 8000) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """A function of time (s) to samples."""
    return lambda t: peak * np.sin(2 * np.pi * hertz * t)


def silence(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.zeros(len(t))


def _port(number: int = 0) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    try:
        made.bind(("127.0.0.1", number))
    except OSError:
        made.close()
        raise
    return made


def _port_pair() -> tuple[socket.socket, socket.socket]:
    """A port and the one above it."""
    for _ in range(50):
        even = _port()
        try:
            return even, _port(even.getsockname()[1] + 1)
        except OSError:
            even.close()
    raise OSError("no two ports beside each other are free")


def _waiting(source: socket.socket) -> list[bytes]:
    found: list[bytes] = []
    while True:
        try:
            found.append(source.recv(2048))
        except BlockingIOError:
            return found


class FakeCaller:
    """A phone on a loopback socket: sends a signal every packet time, and keeps what it is sent."""

    def __init__(
        self,
        signal: Callable[[NDArray[np.float64]], NDArray[np.float64]] = silence,
        codec: str = "PCMU",
        ptime: int = 20,
        phase_ms: int = 0,
        events: bool = True,
        rate: int = 0,
        opus: dict[str, Any] | None = None,
        with_odd: bool = False,
        alike: bool = False,
    ) -> None:
        """`alike`: every packet sounds like the first, for hours of a signal that fits into one packet."""
        self.odd: socket.socket | None = None
        if with_odd:
            self.socket, self.odd = _port_pair()
        else:
            self.socket = _port()
        self.reports: list[bytes] = []
        self.port: int = self.socket.getsockname()[1]
        self.signal, self.codec, self.ptime, self.phase_ms = signal, codec, ptime, phase_ms
        self.rate = rate or {"G722": 16000, "OPUS": 48000, "L16": 16000}.get(codec, 8000)
        self.clock = {"OPUS": 48, "L16": self.rate // 1000}.get(codec, 8)  # per ms
        self.opus = OpusEncoder(**(opus or {}))
        self.payload_type = 0  # 0: the usual one of the codec
        self.event_payload_type = 101 if events else -1
        self.ssrc, self.sequence, self.timestamp, self.at = 0x1234, 65530, 0xFFFFFF00, 0
        self.sending = True
        self.drop: set[int] = set()
        self.packets: list[bytes] = []
        self.sent = 0
        self._encoder, self._decoder = g722.initial_state(), g722.initial_state()
        self._always = b""
        if alike:
            self._always = self.payload()

    def payload(self) -> bytes:
        if self._always:
            return self._always
        n = self.rate * self.ptime // 1000
        t = (self.at + np.arange(n)) / self.rate
        self.at += n
        pcm = np.clip(self.signal(t), -32768, 32767).astype(np.int16)
        if self.codec == "G722":
            out = np.zeros(n // 2, np.uint8)
            _encode_g722(self._encoder, pcm, n // 2, out, 0)
            return out.tobytes()
        if self.codec == "OPUS":
            return self.opus.encode(pcm)
        if self.codec == "L16":
            return pcm.astype(">i2").tobytes()
        table = ULAW_ENCODE if self.codec == "PCMU" else ALAW_ENCODE
        return bytes(table[pcm.astype(np.int32) + 32768])

    def packet(self, payload: bytes, payload_type: int | None = None, mark: bool = False) -> bytes:
        kind = payload_type or self.payload_type or _PAYLOAD_TYPES[self.codec]
        return (
            struct.pack("!BBHII", 0x80, kind | (mark << 7), self.sequence & 0xFFFF, self.timestamp, self.ssrc) + payload
        )

    def next_packet(self, payload: bytes | None = None) -> bytes:
        data = self.packet(self.payload() if payload is None else payload)
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + self.ptime * self.clock) & 0xFFFFFFFF
        self.sent += 1
        return data

    def collect(self) -> None:
        self.packets += _waiting(self.socket)
        if self.odd is not None:
            self.reports += _waiting(self.odd)

    def heard(self, last_ms: int | None = None) -> Samples:
        """Everything it was sent (or the last part), decoded."""
        payloads = [p[12:] for p in self.packets]
        if self.codec == "OPUS":
            decoder = OpusDecoder()
            out = np.concatenate([np.zeros(0, np.int16), *(decoder.decode(payload) for payload in payloads)])
            return out if last_ms is None else out[-last_ms * 48 :]
        payload = np.frombuffer(b"".join(payloads), np.uint8)
        if self.codec == "L16":
            out = np.frombuffer(payload.tobytes(), ">i2").astype(np.int16)
        elif self.codec == "G722":
            out = np.zeros(2 * len(payload), np.int16)
            _decode_g722(g722.initial_state(), payload, 0, len(payload), out)
        else:
            out = (ULAW_DECODE if self.codec == "PCMU" else ALAW_DECODE)[payload]
        return out if last_ms is None else out[-last_ms * self.rate // 1000 :]


class EngineBench:
    """Time goes in steps of 5 ms; packets are sent and collected on the way."""

    def __init__(
        self, callers: Iterable[FakeCaller] = (), sockets: int = 2, legs: int = 64, mixes: int = 16, odd: bool = False
    ) -> None:
        self.sockets = [_port() for _ in range(sockets)]
        self.odd = [_port() for _ in range(sockets)] if odd else []
        self._addresses = [[s.getsockname() for s in bound] for bound in (self.sockets, self.odd)]
        self.real_offset = 0
        records = np.zeros(legs, LEG).view(np.recarray)
        self.clips = np.zeros(400_000, np.int16)
        self.counters = np.zeros(counting.SIZE, np.int64)
        descriptors = [s.fileno() for s in self.sockets]
        self.taps = TapMemory(4)
        self.tables = make_tables(
            Capacity(legs, mixes, 128, sockets, 16),
            records,
            self.counters,
            self.clips,
            descriptors,
            map_taps(self.taps.descriptor, 4, writable=True),
            [s.fileno() for s in self.odd],
        )
        self.now = 1_000_000 * MS
        self.engine = Engine(self.tables, self.now)
        self.callers: list[FakeCaller] = []
        self.events: list[m.Event] = []
        self._clip_end = 0
        for caller in callers:
            self.add(caller)

    def close(self) -> None:
        theirs = [s for caller in self.callers for s in (caller.socket, caller.odd) if s is not None]
        for s in [*self.sockets, *self.odd, *theirs]:
            s.close()
        self.taps.close()

    def apply(self, command: m.Command) -> None:
        self.engine.apply(command, self.now)

    def connect(self, leg: int, **changes: object) -> m.ConnectLeg:
        """The usual connection of caller number `leg`, with changes."""
        caller = self.callers[leg]
        values: dict[str, object] = {
            "leg": leg,
            "socket": leg % len(self.sockets),
            "codec": caller.codec,
            "payload_type": _PAYLOAD_TYPES[caller.codec],
            "event_payload_type": caller.event_payload_type,
            "ptime": caller.ptime,
            "send": True,
            "receive": True,
            "remote_ip": LOOPBACK,
            "remote_port": caller.port,
            "signalling_ip": LOOPBACK,
            "ssrc": 1000 + leg,
            "sequence": 65500,
            "timestamp": 4294960000,
            "waits": False,
            "relatch": True,
            "rate": caller.rate,
        }
        return m.ConnectLeg(**{**values, **changes})  # type: ignore[arg-type]

    def add(self, caller: FakeCaller, **changes: object) -> int:
        self.callers.append(caller)
        leg = len(self.callers) - 1
        self.apply(self.connect(leg, **changes))
        return leg

    def open_mix(self, mix: int = 5, rate: int = 16000, interval: int = 20, energy: int = 20, noise: int = 0) -> int:
        self.apply(m.OpenMix(mix, rate, interval, energy, noise))
        return mix

    def join_all(self, mix: int) -> None:
        for leg in range(len(self.callers)):
            self.apply(m.JoinMix(leg, mix))

    def set(self, leg: int, **changes: object) -> None:
        values: dict[str, object] = {
            "muted": False, "deaf": False, "held": False, "isolated": False,
            "energy_level": 20, "input_gain": 1.0, "output_gain": 1.0,
        }  # fmt: skip
        self.apply(m.SetLeg(leg, **{**values, **changes}))  # type: ignore[arg-type]

    def clip(self, at_8k: Samples, at_16k: Samples) -> m.Parts:
        first, second = self._clip_end, self._clip_end + len(at_8k)
        self.clips[first:second] = at_8k
        self._clip_end = second + len(at_16k)
        self.clips[second : self._clip_end] = at_16k
        return first, second, len(at_8k), False

    def send_to(self, leg: int, data: bytes, source: socket.socket | None = None, odd: bool = False) -> None:
        address = self._addresses[odd][leg % len(self.sockets)]
        (source or self.callers[leg].socket).sendto(data, address)

    def run(self, ms: int, step: int = 5) -> None:
        """Let `ms` of virtual time pass."""
        for _ in range(ms // step):
            self.now += step * MS
            tick = self.now // MS
            for leg, caller in enumerate(self.callers):
                if caller.sending and (tick - caller.phase_ms) % caller.ptime == 0:
                    data = caller.next_packet()
                    if caller.sent not in caller.drop:
                        self.send_to(leg, data)
            self.engine.step(self.now, self.real_offset)
            self.events.extend(self.engine.events())
            for caller in self.callers:
                caller.collect()


def level(samples: Samples, hertz: float, rate: int = 8000) -> float:
    """The peak amplitude of one frequency in a signal."""
    window = np.hanning(len(samples))
    phase = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / rate)
    return float(2 * abs(np.sum(samples * window * phase)) / window.sum())


_encode_g722: Callable[..., None] = entry(g722.encode)
_decode_g722: Callable[..., None] = entry(g722.decode)
