"""What the control process sees of the media engine: legs, mixes and clips, and nothing of conferences.

A *leg* is one RTP stream pair. A *mix* is the sum that legs are put into. A *clip* is decoded sound in memory that
the engine can read. These protocols are implemented by `media.link`; tests of the layers above may use fakes.
All calls return at once: the engine applies them in order within a few milliseconds. `MediaEngine.settled` waits
until everything asked so far has taken effect.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """What encrypts one leg's sound (RFC 3711), however it was agreed (SDES, DTLS).

    `profile` is the name that RFC 4568 and RFC 7714 give it, one of `SRTP_KEY_BYTES`, which also says how long keys
    are: the master key and, right after it, the master salt.
    """

    profile: str
    key_in: bytes = field(repr=False)  # of what the other side sends
    key_out: bytes = field(repr=False)  # of what we send

    def __post_init__(self) -> None:
        """Raises `ValueError` for an unknown profile and for keys that are not as long as it wants."""
        wanted = SRTP_KEY_BYTES.get(self.profile)
        if wanted is None:
            raise ValueError(f"unknown SRTP profile {self.profile!r}")
        if len(self.key_in) != wanted or len(self.key_out) != wanted:
            raise ValueError(f"{self.profile}: keys with their salts have {wanted} bytes")


SRTP_KEY_BYTES = {
    "AEAD_AES_128_GCM": 16 + 12,
    "AEAD_AES_256_GCM": 32 + 12,
    "AES_CM_128_HMAC_SHA1_80": 16 + 14,
    "AES_CM_128_HMAC_SHA1_32": 16 + 14,
}
"""Bytes of key and salt of each profile."""


@dataclass(frozen=True, slots=True)
class MediaAgreement:
    """The outcome of one SDP offer/answer exchange (RFC 3264), as the media engine needs it.

    `remote_address` is the connection address of the other side, `signalling_address` the source of its signalling:
    RTP is accepted from either (design 4.2), so that callers behind NAT are heard. Times are milliseconds.
    """

    remote_address: str
    remote_port: int
    signalling_address: str
    codec: str  # "PCMU", "PCMA", "G722", "L16" or "OPUS"
    payload_type: int
    event_payload_type: int | None  # telephone-event (RFC 4733); None: digits are looked for in the sound
    ptime: int = 20
    send: bool = True  # False: the other side does not want to hear us (hold)
    receive: bool = True  # False: the other side does not send
    rate: int = 8000  # Hz: of L16 (8000, 16000 or 48000); of Opus what the other side can play at most
    bits_per_second: int = 0  # of Opus, at most (maxaveragebitrate, RFC 7587); 0: no wish
    fec: bool = False  # useinbandfec
    dtx: bool = False  # usedtx
    constant: bool = False  # cbr
    event_clock: int = 0  # Hz in which telephone events say how long they last; 0: the codec's own
    rtcp_mux: bool = False  # reports use the RTP port (RFC 5761)
    rtcp_port: int = 0  # where the other side wants reports (a=rtcp); 0: the port above
    level_extension: int = 0  # id of the audio level header extension (RFC 6464); 0: not agreed
    srtp: SrtpKeys | None = None  # None: plain RTP


@dataclass(frozen=True, slots=True)
class Clip:
    """Decoded mono sound that lies in the memory shared with the engine, once for each sample rate.

    `parts` maps a rate in Hz to (offset, length), both in samples of 16 bits from the start of the clip memory.
    """

    key: str
    seconds: float
    parts: dict[int, tuple[int, int]] = field(compare=False)
    live: bool = False


class LiveClip(Protocol):
    """A ring of sound that is read by the clock: everybody who plays it hears the same moment of it.

    A queued one is heard for the length of the ring, a looping one until it is stopped.
    """

    clip: Clip

    @property
    def in_use(self) -> bool:
        """Whether somebody plays it, or it waits in a queue."""

    def write(self, at: int, samples_by_rate: Mapping[int, Any]) -> None:
        """Put sound where it will be heard from `at` on (monotonic ns): numpy int16 arrays at 8000 and at 16000 Hz.

        There are exactly twice as many samples at 16000. Nothing clears itself: where nothing is written, what was
        there before is heard again. Raises `ValueError` for more than the ring holds.
        """

    def close(self) -> None:
        """Nothing more will be written: who still plays it hears silence. Repeating is harmless."""


@dataclass(frozen=True, slots=True)
class PlayDone:
    """A sound came to its end (`finished`) or was stopped before."""

    play_id: int
    finished: bool


@dataclass(frozen=True, slots=True)
class LegStatistics:
    """Counters of a leg since it was opened, and its present state. Times in milliseconds."""

    packets_received: int
    packets_sent: int
    packets_lost: int
    packets_late: int
    packets_duplicate: int
    concealed_ms: int
    jitter_ms: float
    playout_delay_ms: float
    silent_for_ms: float  # since the last packet came; RTP time-out is decided from this
    talking: bool
    energy: int  # smoothed score of semantics 3.2
    latched_source: tuple[str, int] | None
    codec: str = ""
    loss_percent: float = 0.0
    packets_recovered: int = 0  # made good by FEC (Opus)
    concealed_long_ms: int = 0  # of `concealed_ms`: in runs of more than 60 ms
    concealed_percent: float = 0.0
    stretched_ms: int = 0
    accelerated_ms: int = 0
    drift_ppm: float | None = None  # how fast the sender's clock goes against ours; None: not known yet
    round_trip_ms: float | None = None  # from the caller's reports, as the rest; None: there were none
    mos: float | None = None  # of what came: see `quality`
    sent_loss_percent: float | None = None
    sent_jitter_ms: float | None = None
    sent_mos: float | None = None
    packets_refused: int = 0  # that were not encrypted with the keys agreed (SRTP)
    packets_replayed: int = 0  # and that were, but had come before


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a tap heard in one tick. `at` is the time of its first sample: monotonic nanoseconds of the engine's clock.

    `samples` is a numpy array of int16, mono, at `rate` Hz; the rate can change from one chunk to the next.
    """

    at: int
    rate: int
    samples: Any


@dataclass(frozen=True, slots=True)
class LentTap:
    """Where another process finds what a tap hears: its number, and the number of the first chunk that it is of."""

    index: int
    next: int


class Tap(Protocol):
    """Sound on its way out of the engine, for a recording. Chunks wait in shared memory, for four seconds or more."""

    @property
    def lost(self) -> int:
        """How many chunks were overwritten before they were read."""

    def lend(self) -> LentTap:
        """Let another process read it from here on; its memory stays, closed or not, until `give_back`."""

    def give_back(self) -> None:
        """The other process reads no more. Repeating is harmless."""

    def read(self) -> list[Chunk]:
        """Everything new, oldest first; never waits. Where nothing was heard there are no chunks, and `at` tells."""

    def close(self) -> None:
        """Tap no more. What came before can be read once more. Repeating is harmless."""


class Mix(Protocol):
    """A room's audio."""

    rate: int
    interval: int
    on_play_done: Callable[[PlayDone], None] | None

    def play(self, clip: Clip, *, loops: int = 1, gain: float = 1.0) -> int:
        """Put a sound at the end of the room's queue; returns its play id. `loops` -1 never ends."""

    def loop(self, clip: Clip | None, *, gain: float = 1.0) -> None:
        """Start, change or (None) stop the room's one looping sound (hold music), beside the queue."""

    def stop_sounds(self) -> None:
        """Throw away the queue; the loop goes on."""

    def tap(self) -> Tap:
        """What somebody who only listens hears. Raises `MediaFull`."""

    def close(self) -> None:
        """Take every leg out and forget the mix."""


class Leg(Protocol):
    """One caller's audio."""

    local_port: int
    on_digit: Callable[[str], None] | None  # "0".."9", "*", "#", "A".."D", once for each key press, at its start
    on_talking: Callable[[bool], None] | None  # on/off always alternate; off is sent when the leg closes
    on_play_done: Callable[[PlayDone], None] | None

    def connect(self, agreement: MediaAgreement) -> None:
        """Start, or change after a re-INVITE, what is sent where and what is accepted from whom."""

    def play(self, clip: Clip, *, loops: int = 1, gain: float = 1.0) -> int:
        """Put a sound at the end of this leg's own queue; returns its play id."""

    def stop_sounds(self) -> None:
        """Throw away the leg's queue (barge-in). Every stopped sound still reports `PlayDone(finished=False)`."""

    def join(
        self,
        mix: Mix,
        *,
        muted: bool = False,
        deaf: bool = False,
        energy_level: int | None = None,
        isolated: bool = False,
        voices_only: bool = False,
    ) -> None:
        """Move into a mix. `energy_level` None takes the mix's.

        `isolated`: neither heard by the members nor hearing them, but hearing the mix's sounds (waiting).
        `voices_only`: hears the members, but not the mix's sounds: another room's server, which has sounds of its own.
        """

    def leave(self) -> None:
        """Back to the leg's own queue; the call goes on."""

    def set(
        self,
        *,
        muted: bool | None = None,
        deaf: bool | None = None,
        held: bool | None = None,
        isolated: bool | None = None,
        voices_only: bool | None = None,
        energy_level: int | None = None,
        input_level: int | None = None,
        output_level: int | None = None,
    ) -> None:
        """Change what is given. Levels are -4..4 (semantics 3.3)."""

    def hear(self, other: "Leg", on: bool) -> None:
        """Whether this leg hears another one of its mix (semantics 3.3); it does until told otherwise.

        Forgotten when either of the two leaves the mix. Raises `MediaFull` when there are too many such pairs.
        """

    def press(self, digit: str) -> bool:
        """Tell the other side of a key (RFC 4733). False: it knows no events, so the key must be played as a tone."""

    def tap(self, *, heard_only: bool = False) -> Tap:
        """What the other side of this leg says, in a mix or not, muted or not. Raises `MediaFull`.

        `heard_only`: nothing while the mix gets nothing of it, because it is muted, held or apart.
        """

    def statistics(self) -> LegStatistics:
        """Read from shared memory: cheap, never waits."""

    def close(self) -> None:
        """Stop sending and free the leg. Repeating is harmless."""


class MediaEngine(Protocol):
    """The control process's hold on the engine process."""

    def open_leg(self, call_id: str) -> Leg:
        """Reserve a leg and a local RTP port. Raises `MediaFull` when the table is full."""

    def open_mix(self, *, rate: int = 8000, interval: int = 20, energy_level: int = 0, comfort_noise: int = 0) -> Mix:
        """A new, empty mix. `comfort_noise` divides full scale: larger is quieter; 0: none. Raises `MediaFull`."""

    def clip(self, key: str, samples_by_rate: "dict[int, Sequence[int]]", owner: str = "") -> Clip:
        """Copy decoded mono 16-bit sound (numpy int16 arrays by rate) into shared memory under `key`.

        An equal key replaces nothing: the clip that is there is returned. Raises `MediaFull` when the memory, or the
        owner's share of it, is used up by clips in use; clips that are not playing are dropped first, oldest use first.
        """

    def live_clip(self, key: str, seconds: float, owner: str = "") -> LiveClip:
        """A ring of silence in shared memory, under a key that nothing has yet. Raises `MediaFull` as `clip` does."""

    async def settled(self) -> None:
        """Return when the engine has applied every call made before this one."""


class MediaFull(Exception):
    """A table of the engine or the clip memory is full; the caller gets 503 with Retry-After."""
