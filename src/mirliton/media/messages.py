"""What the control process tells the engine and hears from it: msgpack arrays over a Unix socket.

Commands carry a number; the engine answers with the number of the last one applied. Everything is idempotent or
harmless to repeat, so that the control process can rebuild a dead engine by saying it all again.
"""

import msgspec

from mirliton.media.types import SrtpKeys

Parts = tuple[int, int, int, bool]
"""A clip as the engine sees it: offset at 8 kHz, at 16 kHz, length in samples at 8 kHz, and whether it is live."""


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Base of all messages."""


class Resume(Message, frozen=True, array_like=True, tag=True):
    """First of all to a successor: leg records are those of an engine that died, streams go on."""


class ConnectLeg(Message, frozen=True, array_like=True, tag=True):
    """Open a leg, or change where it sends, what it accepts and how it sounds."""

    leg: int
    socket: int
    codec: str
    payload_type: int
    event_payload_type: int
    ptime: int
    send: bool
    receive: bool
    remote_ip: int
    remote_port: int
    signalling_ip: int
    ssrc: int
    sequence: int
    timestamp: int
    waits: bool
    relatch: bool
    rate: int = 8000
    """Hz: of L16; of Opus what the other side can play at most."""
    bits_per_second: int = 0
    """Of Opus, at most; 0: as many as the rate of the room asks for."""
    fec: bool = False
    dtx: bool = False
    constant: bool = False
    rtcp_mux: bool = False
    """Reports use the RTP port (RFC 5761)."""
    rtcp_port: int = 0
    """Where the other side wants reports (a=rtcp, RFC 3605); 0: the port above its RTP port."""
    level_extension: int = 0
    """The id of header extensions that tell how loud a packet is (RFC 6464); 0: none."""
    event_clock: int = 0
    """Hz in which telephone events say how long they last; 0: the codec's own."""
    srtp: SrtpKeys | None = None
    """Keys of both directions; the same ones again change nothing. None: plain RTP."""


class CloseLeg(Message, frozen=True, array_like=True, tag=True):
    """Forget a leg."""

    leg: int


class JoinMix(Message, frozen=True, array_like=True, tag=True):
    """Into a mix; -1 is back to its own queue."""

    leg: int
    mix: int


class SetLeg(Message, frozen=True, array_like=True, tag=True):
    """All of a leg's switches."""

    leg: int
    muted: bool
    deaf: bool
    held: bool
    isolated: bool
    energy_level: int
    input_gain: float
    output_gain: float
    voices_only: bool = False


class Hear(Message, frozen=True, array_like=True, tag=True):
    """Whether one leg hears another of its mix. Legs that leave the mix forget it."""

    listener: int
    speaker: int
    on: bool


class Press(Message, frozen=True, array_like=True, tag=True):
    """Tell the other side of a leg of a key (RFC 4733), by its event code 0-15."""

    leg: int
    code: int


class OpenTap(Message, frozen=True, array_like=True, tag=True):
    """Write what a leg says (or, with leg -1, what a mix sounds like) into the shared memory of a tap."""

    tap: int
    leg: int
    mix: int
    heard_only: bool = False
    """Of a leg: nothing while nobody would hear it."""


class CloseTap(Message, frozen=True, array_like=True, tag=True):
    """Write no more into a tap."""

    leg: int
    mix: int


class OpenMix(Message, frozen=True, array_like=True, tag=True):
    """A new mix."""

    mix: int
    rate: int
    interval: int
    energy_level: int
    comfort_noise: int


class CloseMix(Message, frozen=True, array_like=True, tag=True):
    """Send every leg back to its own queue and forget the mix."""

    mix: int


class Play(Message, frozen=True, array_like=True, tag=True):
    """Queue a sound for a leg (or, with leg -1, for a mix)."""

    leg: int
    mix: int
    play_id: int
    parts: Parts
    loops: int
    gain: float


class Loop(Message, frozen=True, array_like=True, tag=True):
    """The mix's hold music; no parts: none."""

    mix: int
    parts: Parts | None
    gain: float


class StopSounds(Message, frozen=True, array_like=True, tag=True):
    """Throw away a queue of a leg, or of a mix."""

    leg: int
    mix: int


Command = (
    Resume
    | ConnectLeg
    | CloseLeg
    | JoinMix
    | SetLeg
    | OpenMix
    | CloseMix
    | Play
    | Loop
    | StopSounds
    | Hear
    | Press
    | OpenTap
    | CloseTap
)


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Commands in order; `number` is that of the last."""

    number: int
    commands: list[Command]


class DigitPressed(Message, frozen=True, array_like=True, tag=True):
    """RFC 4733 event code 0-15."""

    leg: int
    code: int


class TalkingChanged(Message, frozen=True, array_like=True, tag=True):
    """The gate opened or closed."""

    leg: int
    on: bool


class SoundDone(Message, frozen=True, array_like=True, tag=True):
    """A sound ended."""

    play_id: int
    finished: bool


class SourceLatched(Message, frozen=True, array_like=True, tag=True):
    """Where a leg's first packet came from."""

    leg: int
    address: int
    port: int


class Ready(Message, frozen=True, array_like=True, tag=True):
    """Kernels are compiled and sockets are served."""

    seconds: float


class Compiling(Message, frozen=True, array_like=True, tag=True):
    """A cold start: the share of the kernels that is compiled, 0..1."""

    share: float


class Ticked(Message, frozen=True, array_like=True, tag=True):
    """Once a second: tick lateness since the last one (ns) as (count, sum, greatest)."""

    ticks: int
    late_sum: int
    late_most: int


Event = DigitPressed | TalkingChanged | SoundDone | SourceLatched | Ready | Compiling | Ticked


class Report(msgspec.Struct, frozen=True, array_like=True):
    """What happened, and the number of the last command applied before it."""

    applied: int
    events: list[Event]
