"""Legs and mixes as the control process holds them: the state that is wanted, from which an engine can be rebuilt."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Protocol

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from mirliton.media import messages as m
from mirliton.media.leg_statistics import read_statistics
from mirliton.media.taps import TapHandle
from mirliton.media.types import Clip, Leg, LegStatistics, MediaAgreement, MediaFull, Mix, PlayDone, Tap

_DIGITS = "0123456789*#ABCD"
GAINS = {-4: 0.2, -3: 0.4, -2: 0.6, -1: 0.8, 0: 1.0, 1: 1.3, 2: 2.3, 3: 3.3, 4: 4.3}
"""Factors of the volume levels, semantics 3.3."""


class Desk(Protocol):
    """What handles need of the link."""

    def tell(self, command: m.Command) -> None:
        """Send a command to the engine."""

    def start_play(self, owner: "LegHandle | MixHandle", clip: Clip, loops: int, gain: float) -> int:
        """Note a sound that will play and send it; returns its id."""

    def drop_sounds(self, owner: "LegHandle | MixHandle") -> None:
        """Report every queued sound of an owner that the engine does not know as stopped."""

    def hold_clip(self, clip: Clip | None, before: Clip | None) -> None:
        """A loop plays `clip` now and no longer `before`."""

    def may_wait(self, leg: "LegHandle", addresses: set[int]) -> bool:
        """See `ports.Ports.may_wait`."""

    def record(self, leg: int) -> NDArray[np.void]:
        """The shared record of a leg."""

    def now(self) -> int:
        """Monotonic nanoseconds."""

    def open_tap(self, owner: "LegHandle | MixHandle", *, heard_only: bool = False) -> TapHandle:
        """A free tap, told to the engine; raises `MediaFull`."""

    def note_unheard(self, change: int) -> None:
        """One more (1) or fewer (-1) pair of legs that do not hear each other; raises `MediaFull` for too many."""

    def forget_leg(self, leg: "LegHandle") -> None:
        """The leg is closed."""

    def forget_mix(self, mix: "MixHandle") -> None:
        """The mix is closed."""


@dataclass(frozen=True, slots=True)
class Playing:
    """A sound between `play` and its `PlayDone`."""

    play_id: int
    clip: Clip
    loops: int
    gain: float


def parts_of(clip: Clip) -> m.Parts:
    """A clip as the engine takes it."""
    return clip.parts[8000][0], clip.parts[16000][0], clip.parts[8000][1], clip.live


class MixHandle:
    """Implements `types.Mix`."""

    def __init__(self, desk: Desk, index: int, rate: int, interval: int, energy_level: int, comfort_noise: int) -> None:
        self.index, self.rate, self.interval, self.energy_level = index, rate, interval, energy_level
        self.members: set[LegHandle] = set()
        self.queue: dict[int, Playing] = {}
        self._desk = desk
        self.on_play_done: Callable[[PlayDone], None] | None = None
        self.tapped: TapHandle | None = None
        self._loop: tuple[Clip, float] | None = None
        self._open = m.OpenMix(index, rate, interval, energy_level, comfort_noise)
        self._closed = False
        desk.tell(self._open)

    def play(self, clip: Clip, *, loops: int = 1, gain: float = 1.0) -> int:
        """See `types.Mix.play`."""
        return self._desk.start_play(self, clip, loops, gain)

    def loop(self, clip: Clip | None, *, gain: float = 1.0) -> None:
        """See `types.Mix.loop`."""
        if self._closed:
            return
        self._desk.hold_clip(clip, self._loop[0] if self._loop else None)
        self._loop = (clip, gain) if clip else None
        self._desk.tell(m.Loop(self.index, parts_of(clip) if clip else None, gain))

    def stop_sounds(self) -> None:
        """See `types.Mix.stop_sounds`."""
        self._desk.tell(m.StopSounds(-1, self.index))

    def tap(self) -> Tap:
        """See `types.Mix.tap`."""
        return self._desk.open_tap(self)

    def tap_command(self, tap: int) -> m.Command:
        """How the engine is told of a tap; -1: none."""
        return m.OpenTap(tap, -1, self.index) if tap >= 0 else m.CloseTap(-1, self.index)

    def close(self) -> None:
        """See `types.Mix.close`."""
        if self._closed:
            return
        self.loop(None)
        if self.tapped is not None:
            self.tapped.close()
        self._closed = True
        for leg in list(self.members):
            leg.leave()
        self._desk.forget_mix(self)

    @property
    def closed(self) -> bool:
        """Whether nothing more is to be heard of it."""
        return self._closed

    @property
    def connected(self) -> bool:
        """Whether the engine knows this mix."""
        return not self._closed

    def play_command(self, playing: Playing) -> m.Play:
        """How the engine is told of a sound."""
        return m.Play(-1, self.index, playing.play_id, parts_of(playing.clip), playing.loops, playing.gain)

    def rebuild(self) -> Iterator[m.Command]:
        """Everything a new engine must know of this mix."""
        yield self._open
        if self._loop:
            yield m.Loop(self.index, parts_of(self._loop[0]), self._loop[1])
        if self.tapped is not None:
            yield self.tap_command(self.tapped.index)
        yield from map(self.play_command, self.queue.values())


class LegHandle:
    """Implements `types.Leg`."""

    def __init__(self, desk: Desk, index: int, port: int, local_port: int) -> None:
        self.index, self.port, self.local_port = index, port, local_port
        self.on_digit: Callable[[str], None] | None = None
        self.on_talking: Callable[[bool], None] | None = None
        self.on_play_done: Callable[[PlayDone], None] | None = None
        self.queue: dict[int, Playing] = {}
        self.closed = False
        self.tapped: TapHandle | None = None
        self._unheard: set[LegHandle] = set()
        self._desk = desk
        self._mix: MixHandle | None = None
        self._talking = False
        self._latched: tuple[str, int] | None = None
        self._opened_at = desk.now()
        self._connect: m.ConnectLeg | None = None
        self._set = m.SetLeg(index, False, False, False, False, 0, 1.0, 1.0)
        self._wire = (secrets.randbits(32), secrets.randbits(15), secrets.randbits(32))

    @property
    def connected(self) -> bool:
        """Whether the engine knows this leg."""
        return self._connect is not None and not self.closed

    @property
    def talks(self) -> bool:
        """Whether it is heard at this moment."""
        return self._talking

    @property
    def codec(self) -> str:
        """As agreed; "" before."""
        return self._connect.codec if self._connect else ""

    # types.Leg

    def connect(self, agreement: MediaAgreement) -> None:
        """See `types.Leg.connect`."""
        if self.closed:
            return
        remote, signalling = (int(IPv4Address(a)) for a in (agreement.remote_address, agreement.signalling_address))
        before = self._connect
        moved = before is None or (before.remote_ip, before.remote_port) != (remote, agreement.remote_port)
        waits = self._desk.may_wait(self, {remote, signalling}) if moved else bool(before and before.waits)
        if moved:
            self._latched = None
        self._connect = m.ConnectLeg(
            leg=self.index,
            socket=self.port,
            codec=agreement.codec,
            payload_type=agreement.payload_type,
            event_payload_type=-1 if agreement.event_payload_type is None else agreement.event_payload_type,
            ptime=agreement.ptime,
            send=agreement.send,
            receive=agreement.receive,
            remote_ip=remote,
            remote_port=agreement.remote_port,
            signalling_ip=signalling,
            ssrc=self._wire[0],
            sequence=self._wire[1],
            timestamp=self._wire[2],
            waits=waits,
            relatch=moved,
            rate=agreement.rate,
            bits_per_second=agreement.bits_per_second,
            fec=agreement.fec,
            dtx=agreement.dtx,
            constant=agreement.constant,
            level_extension=agreement.level_extension,
            event_clock=agreement.event_clock,
            rtcp_mux=agreement.rtcp_mux,
            rtcp_port=agreement.rtcp_port,
            srtp=agreement.srtp,
        )
        for command in self.rebuild() if before is None else (self._connect,):
            self._desk.tell(command)

    def play(self, clip: Clip, *, loops: int = 1, gain: float = 1.0) -> int:
        """See `types.Leg.play`."""
        return self._desk.start_play(self, clip, loops, gain)

    def stop_sounds(self) -> None:
        """See `types.Leg.stop_sounds`."""
        if self.connected:
            self._desk.tell(m.StopSounds(self.index, -1))
        else:
            self._desk.drop_sounds(self)

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
        """See `types.Leg.join`."""
        if not isinstance(mix, MixHandle):
            raise TypeError("a mix of another engine")
        if self.closed:
            return
        if self._mix is not None:
            self._go_out(self._mix)
        self._mix = mix
        mix.members.add(self)
        self._desk.tell(m.JoinMix(self.index, mix.index))
        level = mix.energy_level if energy_level is None else energy_level
        self._change(muted=muted, deaf=deaf, isolated=isolated, energy_level=level, voices_only=voices_only)

    def leave(self) -> None:
        """See `types.Leg.leave`."""
        if self._mix is None:
            return
        self._go_out(self._mix)
        self._desk.tell(m.JoinMix(self.index, -1))
        self._change(
            muted=False,
            deaf=False,
            isolated=False,
            energy_level=0,
            input_gain=1.0,
            output_gain=1.0,
            voices_only=False,
        )

    def _go_out(self, mix: MixHandle) -> None:
        """Nobody's relations outlive their being together."""
        mix.members.discard(self)
        self._mix = None
        for listener, speaker in [(self, other) for other in self._unheard] + [
            (other, self) for other in mix.members if self in other._unheard
        ]:
            listener._unheard.discard(speaker)
            self._desk.note_unheard(-1)

    def hear(self, other: Leg, on: bool) -> None:
        """See `types.Leg.hear`."""
        if not isinstance(other, LegHandle):
            raise TypeError("a leg of another engine")
        if other is self or self._mix is None or other._mix is not self._mix or on == (other not in self._unheard):
            return
        if on:
            self._unheard.discard(other)
            self._desk.note_unheard(-1)
        else:
            self._desk.note_unheard(1)
            self._unheard.add(other)
        self._desk.tell(m.Hear(self.index, other.index, on))

    def press(self, digit: str) -> bool:
        """See `types.Leg.press`."""
        if self._connect is None or self._connect.event_payload_type < 0:
            return False
        if not self.closed:
            self._desk.tell(m.Press(self.index, _DIGITS.index(digit)))
        return True

    def tap(self, *, heard_only: bool = False) -> Tap:
        """See `types.Leg.tap`."""
        if self.closed:
            raise MediaFull("the leg is closed")
        return self._desk.open_tap(self, heard_only=heard_only)

    def tap_command(self, tap: int) -> m.Command:
        """How the engine is told of a tap; -1: none."""
        if tap < 0:
            return m.CloseTap(self.index, -1)
        return m.OpenTap(tap, self.index, -1, bool(self.tapped and self.tapped.heard_only))

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
        """See `types.Leg.set`."""
        self._change(
            muted=muted,
            deaf=deaf,
            held=held,
            isolated=isolated,
            voices_only=voices_only,
            energy_level=energy_level,
            input_gain=None if input_level is None else GAINS[input_level],
            output_gain=None if output_level is None else GAINS[output_level],
        )

    def statistics(self) -> LegStatistics:
        """See `types.Leg.statistics`."""
        return read_statistics(self._desk.record(self.index), self._desk.now(), self._opened_at, self._latched)

    def close(self) -> None:
        """See `types.Leg.close`."""
        if self.closed:
            return
        self.talking(False)
        if self._mix is not None:
            self._go_out(self._mix)
        if self.tapped is not None:
            self.tapped.close()
        self.closed = True
        self._desk.forget_leg(self)

    # what the engine reports

    def digit(self, code: int) -> None:
        """A key was pressed."""
        if self.on_digit and not self.closed:
            self.on_digit(_DIGITS[code])

    def talking(self, on: bool) -> None:
        """The gate opened or closed; repeats are absorbed, so that on and off always alternate."""
        if self.closed or on == self._talking:
            return
        self._talking = on
        if self.on_talking:
            self.on_talking(on)

    def latched(self, address: int, port: int) -> None:
        """The first packet came from here."""
        self._latched = (str(IPv4Address(address)), port)

    def reconsider_waiting(self) -> None:
        """Another leg on this port found its source: may this one now wait for any port of its address?"""
        c = self._connect
        if c is None or self._latched or c.waits or self.closed:
            return
        if self._desk.may_wait(self, {c.remote_ip, c.signalling_ip}):
            self._connect = replace(c, waits=True)
            self._desk.tell(replace(self._connect, relatch=False))

    def play_command(self, playing: Playing) -> m.Play:
        """How the engine is told of a sound."""
        return m.Play(self.index, -1, playing.play_id, parts_of(playing.clip), playing.loops, playing.gain)

    def rebuild(self) -> Iterator[m.Command]:
        """Everything a new engine must know of this leg."""
        if self._connect is None:
            return
        yield self._connect
        if self._mix is not None:
            yield m.JoinMix(self.index, self._mix.index)
        yield self._set
        if self.tapped is not None:
            yield self.tap_command(self.tapped.index)
        yield from map(self.play_command, self.queue.values())

    def rebuild_relations(self) -> Iterator[m.Command]:
        """What a new engine must know once all legs are back."""
        for other in self._unheard:
            yield m.Hear(self.index, other.index, False)

    def _change(self, **changes: bool | int | float | None) -> None:
        given = {name: value for name, value in changes.items() if value is not None}
        self._set = replace(self._set, **given)
        if not self.closed:
            self._desk.tell(self._set)
