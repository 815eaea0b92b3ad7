"""The engine without its process: tables, the commands that change them, and the step that lets time pass.

Runs on the interpreter only when something changes (a leg joins, a prompt is queued) or is reported. Time is given,
so a test can run minutes of a room in a moment. `process` puts it behind a socket.
"""

import math
import secrets
from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media import messages as m
from mirliton.media.gate import close_gate, quiet_level
from mirliton.media.keyring import Keyring
from mirliton.media.limits import MOST_JITTER
from mirliton.media.lookback import forget_said
from mirliton.media.places import places_of
from mirliton.media.playout import ignore
from mirliton.media.records import CONNECTED, DIGIT, FREE, LATCHED, LEG, OPEN, PLAY_DONE, TALKING
from mirliton.media.reporting import say_goodbye, schedule, unschedule
from mirliton.media.running import run, step
from mirliton.media.sounding import Sounding, clock_of, silence
from mirliton.media.sources import (
    RETIRED,
    forget,
    remember,
    retire,
    set_remote,
    source_key,
    start_waiting,
    stop_waiting,
)
from mirliton.media.tables import Tables

LOBBIES = 4
"""Mixes 0..3 are lobbies: legs outside any room, spread over four phases of a 20 ms tick."""
_PHASE = 5_000_000
"""Mixes tick in so many turns: half as many legs at a time stay in the cache from the first look to the last."""
_MOST_KEYS = 12
"""Keys that wait to be told to one leg: what 5 bits each leave room for."""
_RETIRED_NS = 2_000_000_000
_KEPT = (
    "ssrc", "sequence", "timestamp", "packets_sent", "octets_sent", "name_1", "name_2",
    "send_failures", "latched", "remote_ip", "remote_port",
    "received_before", "lost_before", "late", "duplicate", "malformed", "concealed", "concealed_long",
    "stretched", "accelerated", "next_read",
    "gaps", "recovered",
    "srtp_roc", "srtcp_sent", "srtp_index", "srtp_ssrc", "srtp_streams", "srtp_refused", "srtp_replayed",
)  # fmt: skip
"""Fields that outlive an engine process, so that its successor goes on where it stopped."""


_NOWHERE = ("mix", "previous", "group", "queue_head", "queue_tail", "unheard", "tap")
"""Fields of a leg that point to something, and to nothing at first (-1)."""


class EngineFull(Exception):
    """A table of the engine is used up."""


class Engine:
    """Owns the tables. Every method corresponds to one command of `messages`."""

    def __init__(
        self,
        tables: Tables,
        now: int,
        *,
        resume: bool = False,
        opus_complexity: int = 5,
        max_jitter_ms: int = 500,
    ) -> None:
        """`now`: monotonic ns. `resume`: the leg records are those of an engine that died."""
        self._t = tables
        self._places = places_of(tables)
        self._now = now
        self._resume = resume
        self._most_delay = min(max_jitter_ms, MOST_JITTER) * 8
        self._sound = Sounding(tables, opus_complexity)
        self._keys = Keyring(tables)
        self._refused: list[m.SoundDone] = []
        self._retired: deque[tuple[int, int]] = deque()
        self._free_relations = list(range(len(tables.relations) - 1, -1, -1))
        self._unheard: dict[tuple[int, int], int] = {}  # (listener, speaker) -> entry of the table
        self._free_plays = list(range(len(tables.plays) - 1, -1, -1))
        self._clear_legs()
        for lobby in range(LOBBIES):
            self._open_mix(lobby, 8000, 20, 0, 0, lobby=1)

    def _clear_legs(self) -> None:
        legs = self._t.legs
        kept = {name: legs[name].copy() for name in _KEPT} if self._resume else {}
        legs.view(np.ndarray).view(np.uint8)[:] = 0
        for name, values in kept.items():
            legs[name] = values
        for name in _NOWHERE:
            legs[name] = -1

    def apply(self, command: m.Command, now: int) -> None:
        """Carry out one command. Unknown legs and mixes are ignored: they may have gone meanwhile."""
        self._now = now
        match command:
            case m.Resume():
                pass  # was considered when the engine was made
            case m.ConnectLeg():
                self._connect(command)
            case m.CloseLeg():
                self._close_leg(command.leg)
            case m.JoinMix():
                self._join(command.leg, command.mix)
            case m.SetLeg():
                self._set(command)
            case m.OpenMix():
                self._open_mix(command.mix, command.rate, command.interval, command.energy_level, command.comfort_noise)
            case m.CloseMix():
                self._close_mix(command.mix)
            case m.Play():
                self._play(command)
            case m.Loop():
                self._loop(command)
            case m.StopSounds():
                self._stop(command.leg, command.mix)
            case m.Hear(listener, speaker, on):
                self._hear(listener, speaker, on)
            case m.Press(leg, code):
                self._press(leg, code)
            case m.OpenTap(tap, leg, mix, heard_only):
                self._tap(tap, leg, mix)
                if leg >= 0:
                    self._t.legs[leg].tap_heard_only = heard_only
            case m.CloseTap(leg, mix):
                self._tap(-1, leg, mix)

    def step(self, now: int, real_offset: int = 0) -> int:
        """Let time pass: read, mix, send. Returns when the next tick is due (ns), -1 when nothing runs."""
        self._forget_the_past(now)
        return step(self._t, self._places, now, real_offset)

    def run(self, descriptor: int, due: int, now: int, until: int) -> int:
        """Step on time, as `running.run_tables` says. `now`: of the system's clock, ns."""
        self._forget_the_past(now)
        return run(self._t, self._places, descriptor, due, until)

    def _forget_the_past(self, now: int) -> None:
        self._now = now
        while self._retired and self._retired[0][0] < now:
            forget(self._t, self._retired.popleft()[1], RETIRED)
        self._keys.expire(now)

    @property
    def counters(self) -> NDArray[np.int64]:
        """See `counting`."""
        return self._t.counters

    @property
    def has_news(self) -> bool:
        """Whether `events` has something to give."""
        return bool(self._refused) or bool(self._t.counters[counting.EVENTS])

    def events(self) -> Iterator[m.Event]:
        """What happened since the last call, in order."""
        t = self._t
        yield from self._refused
        self._refused.clear()
        count = int(t.counters[counting.EVENTS])
        if not count:
            return
        rows = t.events[:count].tolist()
        t.counters[counting.EVENTS] = 0
        for kind, leg, first, second in rows:
            if kind == DIGIT:
                yield m.DigitPressed(leg, first)
            elif kind == TALKING:
                yield m.TalkingChanged(leg, bool(first))
            elif kind == LATCHED:
                yield m.SourceLatched(leg, first, second)
            elif kind == PLAY_DONE:
                play_id = int(t.plays[first].play_id)
                self._release(first)
                yield m.SoundDone(play_id, bool(second))

    # legs

    def _connect(self, c: m.ConnectLeg) -> None:
        record = self._t.legs[c.leg]
        fresh = record.state == FREE
        if fresh:
            self._begin_leg(c)
        self._sound.agree(c, fresh=fresh)
        self._keys.agree(c.leg, c.srtp, self._now)
        record.payload_type, record.event_payload_type = c.payload_type, c.event_payload_type
        record.may_send, record.may_receive = int(c.send), int(c.receive)
        record.event_step = c.event_clock // 8000 or clock_of(c)
        record.level_extension = c.level_extension
        if not fresh and c.relatch:
            self._forget_offered(c.leg)
        self._agree_on_reports(c)
        record.allowed_ip_1, record.allowed_ip_2 = c.remote_ip, c.signalling_ip
        record.offered_port = c.remote_port
        if not (self._resume and fresh and record.latched) and (fresh or c.relatch):
            self._await_source(c)
        elif fresh:
            set_remote(self._t, c.leg, record.remote_ip, record.remote_port)
            for address, port in ((record.remote_ip, record.remote_port), (c.remote_ip, c.remote_port)):
                remember(self._t, source_key(record.socket, address, port), c.leg)
        elif c.waits and not record.latched:
            start_waiting(self._t, c.leg)
        if fresh:
            self._link(c.leg, c.leg % LOBBIES)
            schedule(self._t, c.leg, self._now, True)

    def _agree_on_reports(self, c: m.ConnectLeg) -> None:
        """Where they go; where they come from when that is a port of its own."""
        record = self._t.legs[c.leg]
        self._forget_reports(c.leg)
        record.muxed = int(c.rtcp_mux)
        odd = int(self._t.sockets[c.socket].odd)
        if odd >= 0 and not c.rtcp_mux and c.rtcp_port not in (0, c.remote_port + 1):
            record.reports_port = c.rtcp_port
            remember(self._t, source_key(odd, c.remote_ip, c.rtcp_port), c.leg)

    def _forget_reports(self, leg: int) -> None:
        record = self._t.legs[leg]
        if record.reports_port:
            odd = self._t.sockets[record.socket].odd
            forget(self._t, source_key(odd, record.allowed_ip_1, record.reports_port), leg)
            record.reports_port = 0

    def _begin_leg(self, c: m.ConnectLeg) -> None:
        record = self._t.legs[c.leg]
        record.state, record.socket = CONNECTED, c.socket
        record.input_gain = record.output_gain = record.limiter_gain = 1.0
        record.mark_next = 1
        record.energy_level = 0
        record.most_delay = self._most_delay
        if self._resume and record.ssrc == c.ssrc:
            silent = max(0, self._now - int(record.next_read)) // 1_000_000
            record.timestamp = (int(record.timestamp) + silent * 8 * clock_of(c)) & 0xFFFFFFFF
        else:
            record.ssrc, record.sequence, record.timestamp = c.ssrc, c.sequence, c.timestamp
            record.latched = record.srtp_streams = record.srtp_roc = record.srtcp_sent = 0
            record.name_1, record.name_2 = secrets.randbits(48), secrets.randbits(48)

    def _await_source(self, c: m.ConnectLeg) -> None:
        """Until the first packet: send to the SDP's address, and take what comes from it as this leg."""
        t = self._t
        record = t.legs[c.leg]
        if record.remote_port:
            self._retire(c.leg)
        record.latched = 0
        set_remote(t, c.leg, c.remote_ip, c.remote_port)
        remember(t, source_key(c.socket, c.remote_ip, c.remote_port), c.leg)
        if c.waits:
            start_waiting(t, c.leg)

    def _forget_offered(self, leg: int) -> None:
        """The address of the SDP, where something else was heard instead of it."""
        record = self._t.legs[leg]
        if (record.allowed_ip_1, record.offered_port) != (record.remote_ip, record.remote_port):
            forget(self._t, source_key(record.socket, record.allowed_ip_1, record.offered_port), leg)

    def _retire(self, leg: int) -> None:
        """What is still on its way from this leg's source is nobody's, for a while."""
        record = self._t.legs[leg]
        key = int(source_key(record.socket, record.remote_ip, record.remote_port))
        retire(self._t, key, leg)
        self._retired.append((self._now + _RETIRED_NS, key))
        while self._retired[0][0] < self._now or len(self._retired) > len(self._t.legs):
            forget(self._t, self._retired.popleft()[1], RETIRED)

    def _close_leg(self, leg: int) -> None:
        t = self._t
        record = t.legs[leg]
        if record.state == FREE:
            return
        close_gate(t, leg)
        say_goodbye(t, leg)
        unschedule(t, leg)
        self._stop(leg, -1)
        self._unlink(leg)
        stop_waiting(t, leg)
        self._forget_reports(leg)
        self._forget_offered(leg)
        self._retire(leg)
        self._keys.forget(leg)
        self._sound.forget(leg)
        t.legs.view(np.ndarray)[leg] = np.zeros((), LEG)
        for name in _NOWHERE:
            record[name] = -1

    def _set(self, c: m.SetLeg) -> None:
        record = self._t.legs[c.leg]
        if record.state == FREE:
            return
        record.muted, record.deaf, record.held = int(c.muted), int(c.deaf), int(c.held)
        record.isolated, record.energy_level = int(c.isolated), c.energy_level
        record.voices_only = int(c.voices_only)
        record.input_gain, record.output_gain = c.input_gain, c.output_gain
        record.quiet_level = quiet_level(c.energy_level, c.input_gain)
        record.quiet_run = 0
        if c.muted or c.held or c.isolated:
            close_gate(self._t, c.leg)

    # mixes

    def _open_mix(
        self, mix: int, rate: int, interval: int, energy_level: int, comfort_noise: int, lobby: int = 0
    ) -> None:
        t = self._t
        record = t.mixes[mix]
        if record.state != FREE:
            return
        record.state, record.lobby = OPEN, lobby
        record.ceiling, record.rate, record.interval = rate, 8000, interval
        record.energy_level, record.comfort_noise = energy_level, comfort_noise
        record.first = record.queue_head = record.queue_tail = record.loop = record.tap = -1
        record.legs = record.wide_legs = record.full_legs = record.ticks = record.voices = 0
        record.groups, record.wants, record.sounded = -1, 0, 0
        phases = max(1, interval * 1_000_000 // _PHASE)
        record.due = self._now - self._now % (interval * 1_000_000) + (mix % phases) * _PHASE
        self._sound.forget_signal(mix)

    def _close_mix(self, mix: int) -> None:
        t = self._t
        record = t.mixes[mix]
        if record.state == FREE or record.lobby:
            return
        while record.first >= 0:
            self._join(int(record.first), -1)
        self._stop(-1, mix)
        self._drop_loop(mix)
        record.state = FREE

    def _join(self, leg: int, mix: int) -> None:
        t = self._t
        record = t.legs[leg]
        if record.state == FREE or record.mix == mix or (mix >= 0 and t.mixes[mix].state == FREE):
            return
        if mix < 0 and t.mixes[record.mix].lobby:
            return
        close_gate(t, leg)
        self._unlink(leg)
        self._link(leg, mix if mix >= 0 else leg % LOBBIES)
        ignore(t, leg)
        record.contributes = record.heard = 0
        record.missed = 0
        forget_said(t, leg)
        silence(t.lines[leg].in_history)
        silence(t.lines[leg].in_wide_history)
        record.energy_level = t.mixes[record.mix].energy_level
        record.quiet_level = quiet_level(int(record.energy_level), float(record.input_gain))
        record.quiet_run = 0

    def _link(self, leg: int, mix: int) -> None:
        t = self._t
        record, room = t.legs[leg], t.mixes[mix]
        if room.first < 0:
            self._catch_up_clock(mix)
        record.mix, record.previous, t.next_leg[leg] = mix, -1, room.first
        if room.first >= 0:
            t.legs[room.first].previous = leg
        room.first = leg
        room.legs += 1
        self._sound.enter(leg)

    def _catch_up_clock(self, mix: int) -> None:
        """An empty mix does not tick; its clock starts at the next time that is its own."""
        room = self._t.mixes[mix]
        period = int(room.interval) * 1_000_000
        behind = self._now - int(room.due)
        if behind > 0:
            room.due += math.ceil(behind / period) * period

    def _unlink(self, leg: int) -> None:
        t = self._t
        record = t.legs[leg]
        mix = int(record.mix)
        if mix < 0:
            return
        for pair in [pair for pair in self._unheard if leg in pair]:
            self._hear(*pair, True)
        self._sound.leave(leg)
        following = int(t.next_leg[leg])
        if record.previous >= 0:
            t.next_leg[record.previous] = following
        else:
            t.mixes[mix].first = following
        if following >= 0:
            t.legs[following].previous = record.previous
        record.mix = record.previous = t.next_leg[leg] = -1
        t.mixes[mix].legs -= 1

    # who hears whom, and who listens in

    def _hear(self, listener: int, speaker: int, on: bool) -> None:
        t, pair = self._t, (listener, speaker)
        if on == (pair not in self._unheard):
            return
        record = t.legs[listener]
        if on:
            gone = self._unheard.pop(pair)
            before, at = -1, int(record.unheard)
            while at != gone:
                before, at = at, int(t.relations[at].next)
            if before < 0:
                record.unheard = t.relations[gone].next
            else:
                t.relations[before].next = t.relations[gone].next
            self._free_relations.append(gone)
        elif record.mix >= 0 and record.mix == t.legs[speaker].mix:
            if not self._free_relations:
                raise EngineFull("all entries of the table of relations are in use")
            index = self._unheard[pair] = self._free_relations.pop()
            t.relations[index].speaker, t.relations[index].next = speaker, record.unheard
            record.unheard = index

    def _press(self, leg: int, code: int) -> None:
        record = self._t.legs[leg]
        if record.state == FREE:
            return
        waiting = int(record.keys)
        if waiting >> _MOST_KEYS * 5 - 5:
            raise EngineFull(f"leg {leg}: {_MOST_KEYS} keys wait already")
        record.keys = waiting | (code + 1) << 5 * -(-waiting.bit_length() // 5)

    def _tap(self, tap: int, leg: int, mix: int) -> None:
        owner = self._t.legs[leg] if leg >= 0 else self._t.mixes[mix]
        if owner.state != FREE:
            owner.tap = tap

    # sounds

    def _take(self, play_id: int, leg: int, parts: m.Parts, loops: int, gain: float) -> int:
        if not self._free_plays:
            raise EngineFull("all entries of the table of playing sounds are in use")
        index = self._free_plays.pop()
        record = self._t.plays[index]
        record.state, record.play_id, record.leg, record.next = OPEN, play_id, leg, -1
        record.offset_8k, record.offset_16k, record.length, record.live = parts
        record.phase = 0
        record.at, record.loops, record.gain = 0, loops if loops != 0 else 1, gain
        return index

    def _release(self, index: int) -> None:
        self._t.plays[index].state = FREE
        self._free_plays.append(index)

    def _play(self, c: m.Play) -> None:
        t = self._t
        owner = t.legs[c.leg] if c.leg >= 0 else t.mixes[c.mix]
        if owner.state == FREE:
            self._refused.append(m.SoundDone(c.play_id, False))
            return
        if c.leg < 0 and owner.first < 0 and owner.queue_head < 0:
            self._catch_up_clock(c.mix)
        index = self._take(c.play_id, c.leg, c.parts, c.loops, c.gain)
        if owner.queue_tail >= 0:
            t.plays[owner.queue_tail].next = index
        else:
            owner.queue_head = index
        owner.queue_tail = index

    def _loop(self, c: m.Loop) -> None:
        self._drop_loop(c.mix)
        if c.parts is not None and self._t.mixes[c.mix].state != FREE:
            self._t.mixes[c.mix].loop = self._take(0, -1, c.parts, -1, c.gain)

    def _drop_loop(self, mix: int) -> None:
        record = self._t.mixes[mix]
        if record.loop >= 0:
            self._release(int(record.loop))
            record.loop = -1

    def _stop(self, leg: int, mix: int) -> None:
        t = self._t
        owner = t.legs[leg] if leg >= 0 else t.mixes[mix]
        index = int(owner.queue_head)
        while index >= 0:
            following = int(t.plays[index].next)
            at = int(t.counters[counting.EVENTS])
            if at < len(t.events):
                t.events[at] = PLAY_DONE, leg, index, 0
                t.counters[counting.EVENTS] = at + 1
            else:
                self._release(index)
            index = following
        owner.queue_head = owner.queue_tail = -1
