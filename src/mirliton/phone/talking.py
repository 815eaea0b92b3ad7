"""What the phone sends: sound and digits, a packet for each packet time. Pure; the shell keeps time."""

import random
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mirliton.phone.codecs import Codec
from mirliton.phone.rtp import EVENTS, Packet, event_payload, write_packet
from mirliton.sounds.tones import render_tones

Samples = npt.NDArray[np.int16]

DIGIT_MS, PAUSE_MS = 120, 80
MOST_QUEUED = 10_000


@dataclass(frozen=True, slots=True)
class Press:
    """One key: pressed not before `at` seconds of the call."""

    digit: str
    at: float


class Talker:
    """Makes the packets of one call.

    `event_payload_type` None: digits are sent as sound. Queued sounds follow each other; between them is silence, so
    that the other side always has something to measure. `event_clock`: Hz in which events say how long they last; None:
    that of the codec.
    """

    def __init__(
        self, codec: Codec, ptime: int, event_payload_type: int | None, event_clock: int | None = None
    ) -> None:
        self.codec = codec
        self.ptime = ptime
        self.packets_sent = 0
        self.digits_sent = ""
        self._event_type = event_payload_type
        self._step = codec.clock * ptime // 1000
        self._event_step = (event_clock or codec.clock) * ptime // 1000
        self._frame = codec.rate * ptime // 1000
        self._ssrc = random.getrandbits(32)
        self._sequence = random.getrandbits(15)
        self._origin = random.getrandbits(31)
        self._tick = 0
        self._sounds: deque[tuple[Samples, bool]] = deque()
        self._position = 0
        self._presses: list[Press] = []
        self._event: tuple[str, int] | None = None  # digit, tick of its start
        self._pause_until = 0
        self._spurt = True

    @property
    def seconds(self) -> float:
        """Length of what was sent so far."""
        return self._tick * self.ptime / 1000

    @property
    def silent(self) -> bool:
        """Nothing is left to be said or pressed; a sound that never ends does not count."""
        return not self._presses and self._event is None and not any(not endless for _, endless in self._sounds)

    def say(self, samples: Samples, *, forever: bool = False) -> None:
        """Queue mono sound at the codec's rate. A sound that goes on forever ends when another is queued."""
        if self._sounds and self._sounds[-1][1]:
            self._sounds.pop()
            self._position = 0 if not self._sounds else self._position
        if len(self._sounds) >= MOST_QUEUED:
            raise ValueError("too many sounds are queued for this call")
        if len(samples):
            self._sounds.append((samples, forever))

    def press(self, digits: str, at: float = 0.0) -> None:
        """Queue keys, the first not before `at` seconds of the call. Raises `ValueError` for what is no key."""
        keys = digits.upper()
        if wrong := set(keys) - set(EVENTS):
            raise ValueError(f"{''.join(sorted(wrong))!r} cannot be dialled: use 0-9, *, # and A-D")
        self._presses.extend(Press(digit, at) for digit in keys)
        self._presses.sort(key=lambda press: press.at)

    def skip(self, ticks: int) -> None:
        """The shell was held up: leave a gap in time (and none in the sequence, as a sender that paused)."""
        self._tick += ticks
        self._spurt = True

    def next(self) -> list[bytes]:
        """The packets of this packet time, usually one."""
        packets = self._digit_packets() or [self._sound_packet()]
        self._tick += 1
        self.packets_sent += len(packets)
        return [write_packet(packet) for packet in packets]

    def _digit_packets(self) -> list[Packet]:
        event = self._event or self._start_digit()
        if event is None:
            return []
        digit, start = event
        lasted = (self._tick - start + 1) * self._event_step
        end = (self._tick - start + 1) * self.ptime >= DIGIT_MS
        payload = event_payload(digit, lasted, end=end)
        if end:
            self._event, self._spurt = None, True
            self._pause_until = self._tick + 1 + -(-PAUSE_MS // self.ptime)
        first = self._tick == start
        # The end is sent three times because nobody confirms it (RFC 4733 section 2.5.1.4).
        return [self._packet(self._event_type or 0, start, payload, marker=first) for _ in range(3 if end else 1)]

    def _start_digit(self) -> tuple[str, int] | None:
        """Take the next key when it is due, as an event; or as sound, which goes to the head of the queue."""
        if not self._presses or self._presses[0].at > self.seconds or self._tick < self._pause_until:
            return None
        press = self._presses.pop(0)
        self.digits_sent += press.digit
        if self._event_type is not None:
            self._event = (press.digit, self._tick)
            return self._event
        script = f"{press.digit}({DIGIT_MS},{PAUSE_MS})"
        self._interrupt(render_tones(script, self.codec.rate).samples)
        self._pause_until = self._tick + -(-(DIGIT_MS + PAUSE_MS) // self.ptime)
        return None

    def _interrupt(self, samples: Samples) -> None:
        """Put a sound before what is being said, which goes on afterwards."""
        if self._sounds and self._position:
            rest, endless = self._sounds[0]
            self._sounds[0] = (np.roll(rest, -self._position), True) if endless else (rest[self._position :], False)
        self._sounds.appendleft((samples, False))
        self._position = 0

    def _sound_packet(self) -> Packet:
        marker, self._spurt = self._spurt, False
        payload = self.codec.encode(self._take(self._frame))
        return self._packet(self.codec.payload_type, self._tick, payload, marker=marker)

    def _take(self, count: int) -> Samples:
        """The next samples of the queue; silence when it is empty."""
        frame = np.zeros(count, np.int16)
        filled = 0
        while filled < count and self._sounds:
            sound, endless = self._sounds[0]
            piece = sound[self._position : self._position + count - filled]
            frame[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._position += len(piece)
            if self._position >= len(sound):
                self._position = 0
                if not endless:
                    self._sounds.popleft()
        return frame

    def _packet(self, payload_type: int, tick: int, payload: bytes, *, marker: bool) -> Packet:
        self._sequence += 1
        return Packet(
            payload_type, self._sequence & 0xFFFF, self._origin + tick * self._step, self._ssrc, payload, marker
        )
