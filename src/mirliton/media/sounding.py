"""How legs and mixes sound: which codec at which rate, the rate of a mix, and who shares an encoder.

These change when somebody comes, goes or renegotiates, so it is the interpreter's work; kernels find the outcome in
the tables. A mix has the highest rate that anybody in it can use, up to its ceiling: 8, 16 or 48 kHz. Opus is decoded
and encoded at the rate of the mix; nothing else ever changes its rate.
"""

from typing import Any, NamedTuple

from msgspec.structs import replace
from numpy.typing import NDArray

from mirliton.media import messages as m
from mirliton.media.buffers import history_of
from mirliton.media.codecs import g722, opus
from mirliton.media.expected_loss import count_listener
from mirliton.media.limits import SLOTS, SMALL_ARENA_BYTES
from mirliton.media.opus_states import borrow, give_back, state_of
from mirliton.media.records import CODEC_RATES, CODECS, G722, L16, LINE, OPUS, WANTS
from mirliton.media.tables import Tables

_LOBBY_RATE = 16000
"""Before the room a caller with Opus hears prompts, which have no more."""
_BITS = {8000: 14_000, 16000: 24_000, 48000: 40_000}
_FEC_BITS = {8000: 21_000, 16000: 36_000, 48000: 48_000}
"""What is repeated needs room."""
_CELT_BITS = 40_000
"""From here on speech is as good without SILK, with twice the complexity and half the work (docs/performance.md)."""
_MOST_BITS = 510_000
_OPUS_PTIMES = (60, 40, 20, 10)
_MOST_OPUS_BYTES = 1275
_ARENA_BYTES = LINE.fields["arena"][0].itemsize  # type: ignore[index]


class _Kind(NamedTuple):
    """What listeners must have in common to share an encoder."""

    mix: int
    codec: int
    rate: int
    ptime: int
    widest: int
    most_bits: int
    fec: bool
    dtx: bool
    constant: bool


def clock_of(c: m.ConnectLeg) -> int:
    """RTP clock units in 1/8 ms (RFC 3551; RFC 7587 section 4.1)."""
    return {L16: c.rate // 8000, OPUS: 6}.get(CODECS[c.codec], 1)


class Sounding:
    """The only writer of codecs, rates and encoders."""

    def __init__(self, tables: Tables, opus_complexity: int) -> None:
        self._t = tables
        self._complexity = opus_complexity
        self._agreed: dict[int, m.ConnectLeg] = {}
        self._groups: dict[_Kind, int] = {}
        self._kinds: dict[int, _Kind] = {}  # by encoder
        self._free = list(range(len(tables.encoders) - 1, len(tables.legs) - 1, -1))

    def agree(self, c: m.ConnectLeg, *, fresh: bool) -> None:
        """Codec, packet time and the like, at the beginning or by a new agreement."""
        t, record = self._t, self._t.legs[c.leg]
        before = None if fresh else self._agreed.get(c.leg)
        self._agreed[c.leg] = replace(c, srtp=None)  # keys are the keyring's alone
        if before is not None and _same_sound(before, c):
            return
        mix = int(record.mix)
        if mix >= 0:
            self.leave(c.leg)
        record.codec, record.ptime, record.ts_step = CODECS[c.codec], c.ptime, clock_of(c)
        record.widest = c.rate if record.codec in (L16, OPUS) else CODEC_RATES[int(record.codec)]
        if record.codec == OPUS:
            record.widest = 48000 if c.rate > 16000 else 16000 if c.rate > 8000 else 8000
            record.ptime = next((known for known in _OPUS_PTIMES if known <= c.ptime), _OPUS_PTIMES[-1])
        record.rate = 0
        record.arena_bytes = _ARENA_BYTES if record.codec == L16 else SMALL_ARENA_BYTES
        record.arena_used = 0
        t.slots["seq"][c.leg * SLOTS : (c.leg + 1) * SLOTS] = -1
        silence(t.lines[c.leg].tone_state)
        if mix >= 0:
            self.enter(c.leg)

    def forget(self, leg: int) -> None:
        """The leg is gone."""
        self._agreed.pop(leg, None)
        give_back(self._t, leg)

    def enter(self, leg: int) -> None:
        """A leg stands in the list of its mix now."""
        record = self._t.legs[leg]
        self._count(int(record.mix), int(record.widest), 1)
        if not self._choose_rate(int(record.mix)):
            self._tune(leg)

    def leave(self, leg: int) -> None:
        """A leg is about to leave its mix."""
        record = self._t.legs[leg]
        self._ungroup(leg)
        self._count(int(record.mix), int(record.widest), -1)
        widest, record.widest = record.widest, 0
        self._choose_rate(int(record.mix), without=leg)
        record.widest = widest

    def forget_signal(self, mix: int) -> None:
        """What a mix was, is not to be heard in what it becomes."""
        room = self._t.mixes[mix]
        for name in ("out_tails", "out_history", "out_wide_history", "sound_history"):
            room[name][:] = 0
        room.limiter_gains[:] = 1

    def _count(self, mix: int, widest: int, change: int) -> None:
        room = self._t.mixes[mix]
        room.wide_legs += change * (widest == 16000)
        room.full_legs += change * (widest == 48000)

    def _choose_rate(self, mix: int, without: int = -1) -> bool:
        """Whether the rate changed; then every leg was tuned to it."""
        t, room = self._t, self._t.mixes[mix]
        wanted = 48000 if room.full_legs else 16000 if room.wide_legs else 8000
        rate = 8000 if room.lobby else max(known for known in WANTS if known <= max(8000, min(wanted, room.ceiling)))
        if rate == room.rate:
            return False
        room.rate = rate
        self.forget_signal(mix)
        leg = int(room.first)
        while leg >= 0:
            if leg != without:
                self._tune(leg)
            leg = int(t.next_leg[leg])
        return True

    def _tune(self, leg: int) -> None:
        """Set a leg to the rate of its mix, and find it an encoder to share."""
        t = self._t
        record, line, room = t.legs[leg], t.lines[leg], t.mixes[t.legs[leg].mix]
        rate = int(record.widest) if record.codec != OPUS else _LOBBY_RATE if room.lobby else int(room.rate)
        for name in ("in_history", "in_wide_history", "out_history", "out_wide_history", "sound_history"):
            silence(line[name])
        silence(t.near[leg].out_tail)
        if rate != record.rate:
            self._ungroup(leg)
            record.rate, record.ready, record.conceal_run = rate, 0, 0
            silence(history_of(t, leg))
            if record.codec == OPUS:
                opus.begin_decoder(t.opus_decoders[leg], rate)
            if record.codec == G722:
                g722.reset(line.g722_decode)
            self._begin(leg, self._kind(leg))
            record.private = 1
        elif record.group < 0 and record.codec == OPUS and t.encoders[leg].state == 0:
            self._begin(leg, self._kind(leg))  # what it heard with others ends here
        if record.group < 0 and not room.lobby:
            self._group(leg)

    def _kind(self, leg: int) -> _Kind:
        record, c = self._t.legs[leg], self._agreed[leg]
        codec, rate, ptime = int(record.codec), int(record.rate), int(record.ptime)
        if codec != OPUS:
            return _Kind(int(record.mix), codec, rate, ptime, 0, 0, fec=False, dtx=False, constant=False)
        most = max(6000, c.bits_per_second) if c.bits_per_second else _MOST_BITS
        return _Kind(int(record.mix), codec, rate, ptime, c.rate, most, c.fec, c.dtx, c.constant)

    def _group(self, leg: int) -> None:
        """Into the encoder of its kind. When there is none left, the leg stays with its own."""
        t, kind = self._t, self._kind(leg)
        group = self._groups.get(kind)
        if group is None:
            if not self._free:
                return
            group = self._free.pop()
            self._begin(group, kind)
            room = t.mixes[kind.mix]
            t.encoders[group].next, room.groups = room.groups, group
            room.wants |= WANTS[kind.rate]
            self._groups[kind], self._kinds[group] = group, kind
        t.encoders[group].legs += 1
        t.legs[leg].group = group
        count_listener(t, group, int(t.legs[leg].loss_class), 1)
        t.encoders[leg].used = t.encoders[group].used
        t.fifos[leg, : t.encoders[group].used] = 0

    def _ungroup(self, leg: int) -> None:
        t, group = self._t, int(self._t.legs[leg].group)
        if group < 0:
            return
        t.legs[leg].group, t.legs[leg].private = -1, 1
        count_listener(t, group, int(t.legs[leg].loss_class), -1)
        t.encoders[group].legs -= 1
        if t.encoders[group].legs == 0:
            self._end(group)

    def _end(self, group: int) -> None:
        t, kind = self._t, self._kinds.pop(group)
        del self._groups[kind]
        self._free.append(group)
        give_back(t, group)
        room, wants, before, at = t.mixes[kind.mix], 0, -1, int(t.mixes[kind.mix].groups)
        while at >= 0:
            following = int(t.encoders[at].next)
            if at != group:
                wants |= WANTS[int(t.encoders[at].rate)]
                before = at
            elif before < 0:
                room.groups = following
            else:
                t.encoders[before].next = following
            at = following
        room.wants = wants

    def _begin(self, index: int, kind: _Kind) -> None:
        """A fresh encoder."""
        encoder = self._t.encoders[index]
        encoder.codec, encoder.rate, encoder.next, encoder.legs = kind.codec, kind.rate, -1, 0
        encoder.packet, encoder.span = kind.rate * kind.ptime // 1000, kind.ptime * 8
        encoder.used, encoder.wanted, encoder.most_bytes = 0, 1, _MOST_OPUS_BYTES
        encoder.fec, encoder.prepared, encoder.listeners[:] = int(kind.fec), 0, 0
        encoder.bits = min(_BITS[kind.rate], kind.most_bits)
        encoder.fec_bits = min(_FEC_BITS[kind.rate], kind.most_bits)
        by_celt = bool(encoder.bits >= _CELT_BITS and not kind.dtx)
        encoder.plain_signal = opus.MUSIC if by_celt else opus.VOICE
        encoder.complexity = self._complexity
        encoder.plain_complexity = min(10, 2 * self._complexity) if by_celt else self._complexity
        encoder.loss_class = self._t.legs[index].loss_class if index < len(self._t.legs) else 0
        give_back(self._t, index)
        if kind.codec == G722:
            g722.reset(encoder.g722)
        elif kind.codec == OPUS:
            borrow(self._t, index)
            opus.begin_encoder(
                state_of(self._t, index),
                kind.rate,
                bits_per_second=int(encoder.bits),
                complexity=int(encoder.plain_complexity),
                signal=int(encoder.plain_signal),
                widest=kind.widest,
                dtx=kind.dtx,
                constant=kind.constant,
            )


def silence(run: NDArray[Any]) -> None:
    """Make a run of samples zeros.

    What was never written is not written now: the page may not exist yet, and most legs never need it.
    """
    if run.any():
        run[:] = 0


def _same_sound(first: m.ConnectLeg, second: m.ConnectLeg) -> bool:
    def sound(c: m.ConnectLeg) -> tuple[object, ...]:
        return c.codec, c.rate, c.ptime, c.bits_per_second, c.fec, c.dtx, c.constant

    return sound(first) == sound(second)
