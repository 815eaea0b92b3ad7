"""The control process's side of the engine: starts it, tells it what is wanted, hears what happened, and when it dies
builds a new one from the wanted state, on the same ports and with the same streams.
"""

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media import messages as m
from mirliton.media.clips import ClipMemory
from mirliton.media.ended_calls import EndedCalls
from mirliton.media.engine import LOBBIES
from mirliton.media.handles import LegHandle, MixHandle, Playing
from mirliton.media.limits import MAX_INTERVAL
from mirliton.media.live_clips import Ring
from mirliton.media.ports import Ports
from mirliton.media.process import Start
from mirliton.media.spawning import EngineFailed, EngineProcess
from mirliton.media.tables import map_shared, shared_table_bytes
from mirliton.media.taps import TapHandle, TapMemory
from mirliton.media.types import Clip, Leg, LiveClip, MediaFull, Mix, PlayDone
from mirliton.settings import MediaSettings, RtpSettings, split_port_range

_BATCH = 200
_RESTART_PAUSE = 0.05
_log = structlog.get_logger(__name__)


class MediaLink:
    """Implements `types.MediaEngine`. One asyncio loop owns it."""

    def __init__(
        self,
        media: MediaSettings,
        rtp: RtpSettings,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        on_restart: Callable[[], None] | None = None,
        on_compiling: Callable[[float], None] | None = None,
    ) -> None:
        """Binds the RTP ports (`OSError`). `on_compiling` hears the share of a cold start that is done, 0..1."""
        self._media, self._clock = media, clock
        self._on_restart, self._on_compiling = on_restart, on_compiling
        self._ports = Ports(*split_port_range(rtp.listen))
        self._clips = ClipMemory(media.clip_memory_bytes, media.clip_memory_bytes_per_account)
        self._shared = os.memfd_create("mirliton-legs")
        os.ftruncate(self._shared, shared_table_bytes(media.max_legs))
        self._taps = TapMemory(media.max_taps)
        records, self._counters = map_shared(self._shared, media.max_legs, writable=False)
        # Rows of `np.void` give their fields sooner than those of `np.record`.
        self._records = records.view(np.dtype((np.void, records.dtype)), np.ndarray)
        self._legs: dict[int, LegHandle] = {}
        self._mixes: dict[int, MixHandle] = {}
        self._plays: dict[int, tuple[Playing, LegHandle | MixHandle]] = {}
        self._free_legs = deque(range(media.max_legs))
        self._free_mixes = deque(range(LOBBIES, media.max_mixes))
        self._free_taps = deque(range(media.max_taps))
        self._tapped: dict[TapHandle, LegHandle | MixHandle] = {}
        self._unheard = 0
        self._resting: deque[tuple[int, deque[int], int]] = deque()  # ids to reuse once the engine forgot them
        self._play_id = 0
        self._said = self._applied = 0
        self._unsent: list[m.Command] = []
        self._flush_planned = False
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._engine: EngineProcess | None = None
        self._spare: EngineProcess | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._stopping = False
        self.restarts = 0
        self.lateness = m.Ticked(0, 0, 0)
        self.ended = EndedCalls()

    # life

    async def start(self) -> float:
        """Start the engine process; returns the seconds its kernels took to load. Raises `EngineFailed`."""
        self._engine = await self._spawn()
        seconds = await self._engine.ready()
        self._flush()
        self._spare = await self._spawn()
        self._supervisor = asyncio.create_task(self._supervise(), name="engine supervisor")
        return seconds

    async def stop(self) -> None:
        """End the engine processes and free everything."""
        self._stopping = True
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
        if self._spare is not None:
            self._spare.kill()  # it may be busy loading its kernels, and holds nothing
        await asyncio.gather(*(engine.stop() for engine in (self._engine, self._spare) if engine is not None))
        self._ports.close()
        self._clips.close()
        self._taps.close()
        os.close(self._shared)

    @property
    def process_id(self) -> int | None:
        """Of the engine that runs now."""
        return self._engine.pid if self._engine else None

    async def _spawn(self) -> EngineProcess:
        sockets = [port.socket.fileno() for port in self._ports.all]
        odd = [port.odd.fileno() if port.odd else -1 for port in self._ports.all]
        start = Start(
            control=-1,
            shared=self._shared,
            clips=self._clips.descriptor,
            clip_bytes=self._clips.size,
            taps=self._taps.descriptor,
            sockets=sockets,
            odd=odd,
            max_taps=self._media.max_taps,
            max_relations=self._media.max_relations,
            legs=self._media.max_legs,
            mixes=self._media.max_mixes,
            core=self._media.core,
            opus_complexity=self._media.opus_complexity,
            max_jitter_ms=self._media.max_jitter_ms,
        )
        engine = EngineProcess(self._reported)
        inherited = [descriptor for descriptor in (*sockets, *odd) if descriptor >= 0]
        await engine.spawn(start, (self._shared, self._clips.descriptor, self._taps.descriptor, *inherited))
        return engine

    async def _supervise(self) -> None:
        """Whenever the engine dies, the spare, which has its kernels loaded, takes over; then there is a new spare."""
        while self._engine is not None:
            code = await self._engine.ended()
            self._engine.hang_up()
            self.restarts += 1
            _log.error("engine.died", exit_code=code, restarts=self.restarts, legs=len(self._legs))
            began = self._clock()
            try:
                await self._take_over()
            except EngineFailed as failure:
                _log.error("engine.lost", why=str(failure), what="trying again")
                await asyncio.sleep(_RESTART_PAUSE)
                continue
            _log.info("engine.back", after_ms=(self._clock() - began) // 1_000_000)
            if self._on_restart:
                self._on_restart()

    async def _take_over(self) -> None:
        successor = self._spare or await self._spawn()
        self._spare = None
        self._engine = successor
        await successor.ready()
        self._rebuild()
        self._spare = await self._spawn()

    def _rebuild(self) -> None:
        """Say the whole wanted state again. What the dead engine never applied is part of it."""
        self._unsent = [m.Resume()]
        for mix in self._mixes.values():
            self._unsent.extend(mix.rebuild())
        for leg in self._legs.values():
            leg.talking(False)
            self._unsent.extend(leg.rebuild())
        for leg in self._legs.values():
            self._unsent.extend(leg.rebuild_relations())
        self._flush()

    # types.MediaEngine

    def open_leg(self, call_id: str) -> Leg:
        """See `types.MediaEngine.open_leg`."""
        self._reuse_ids()
        if not self._free_legs:
            raise MediaFull(f"all {self._media.max_legs} legs are in use: raise media.max_legs")
        index = self._free_legs.popleft()
        port = self._ports.choose(index)
        leg = LegHandle(self, index, port, self._ports.all[port].number)
        self._legs[index] = leg
        return leg

    def open_mix(self, *, rate: int = 8000, interval: int = 20, energy_level: int = 0, comfort_noise: int = 0) -> Mix:
        """See `types.MediaEngine.open_mix`."""
        self._reuse_ids()
        if not self._free_mixes:
            raise MediaFull(f"all {self._media.max_mixes} mixes are in use: raise media.max_mixes")
        # semantics 3.1: an interval that is no multiple of 10, or too long, is 20
        interval = interval if interval % 10 == 0 and 10 <= interval <= MAX_INTERVAL else 20
        index = self._free_mixes.popleft()
        mix = MixHandle(self, index, min(rate, self._media.max_rate), interval, energy_level, comfort_noise)
        self._mixes[index] = mix
        return mix

    def clip(self, key: str, samples_by_rate: Mapping[int, Any], owner: str = "") -> Clip:
        """See `types.MediaEngine.clip`."""
        return self._clips.put(key, samples_by_rate, owner)

    def live_clip(self, key: str, seconds: float, owner: str = "") -> LiveClip:
        """See `types.MediaEngine.live_clip`."""
        return Ring(self._clips, key, seconds, owner)

    async def settled(self) -> None:
        """See `types.MediaEngine.settled`."""
        self._flush()
        if self._applied >= self._said:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((self._said, waiter))
        await waiter

    def statistics(self) -> dict[str, int]:
        """Counters of the engine (packets, drops by reason, ticks) and of the tables."""
        counted = {name: int(self._counters[at]) for name, at in counting.NAMES.items()}
        return {
            **counted,
            **{f"clip_{name}": value for name, value in self._clips.statistics().items()},
            "legs": len(self._legs),
            "mixes": len(self._mixes),
            "taps": len(self._tapped),
            "relations": self._unheard,
            "restarts": self.restarts,
        }

    def speaking(self) -> Iterator[tuple[str, bool]]:
        """(codec, whether it is heard now) of every call that has sound."""
        return ((codec, leg.talks) for leg in self._legs.values() if (codec := leg.codec))

    def tick_lateness(self) -> tuple[list[tuple[float, int]], float]:
        """How late ticks began since the start: (seconds, ticks that were not later) in rising order, and the sum."""
        counts = accumulate(self._counters[counting.LATE_TICKS : counting.LATE_SUM].tolist())
        bounds = [*(bound / 1e9 for bound in counting.LATE_NS), float("inf")]
        return list(zip(bounds, counts, strict=True)), int(self._counters[counting.LATE_SUM]) / 1e9

    # handles.Desk

    def tell(self, command: m.Command) -> None:
        """See `handles.Desk`: everything said in one turn of the loop goes in one message."""
        self._unsent.append(command)
        if not self._flush_planned:
            self._flush_planned = True
            asyncio.get_running_loop().call_soon(self._flush)

    def start_play(self, owner: LegHandle | MixHandle, clip: Clip, loops: int, gain: float) -> int:
        """See `handles.Desk`."""
        self._play_id += 1
        playing = Playing(self._play_id, clip, loops, gain)
        if not self._clips.holds(clip):
            _log.warning("sound.gone", clip=clip.key, why="it was dropped from the clip memory before it was played")
            asyncio.get_running_loop().call_soon(self._done_for, owner, PlayDone(playing.play_id, False))
            return playing.play_id
        self._clips.use(clip.key, 1)
        self._plays[playing.play_id] = playing, owner
        owner.queue[playing.play_id] = playing
        if owner.connected:
            self.tell(owner.play_command(playing))
        return playing.play_id

    def drop_sounds(self, owner: LegHandle | MixHandle) -> None:
        """See `handles.Desk`."""
        for play_id in list(owner.queue):
            asyncio.get_running_loop().call_soon(self._sound_done, m.SoundDone(play_id, False))

    def hold_clip(self, clip: Clip | None, before: Clip | None) -> None:
        """See `handles.Desk`."""
        if clip is not None and self._clips.holds(clip):
            self._clips.use(clip.key, 1)
        if before is not None and self._clips.holds(before):
            self._clips.use(before.key, -1)

    def may_wait(self, leg: LegHandle, addresses: set[int]) -> bool:
        """See `handles.Desk`."""
        return self._ports.may_wait(leg.port, leg.index, addresses)

    def record(self, leg: int) -> NDArray[np.void]:
        """See `handles.Desk`."""
        return self._records[leg]  # type: ignore[no-any-return]

    def now(self) -> int:
        """See `handles.Desk`."""
        return self._clock()

    @property
    def tap_memory(self) -> tuple[int, int]:
        """For another process that reads what taps hear: the descriptor of their memory, and how many there are."""
        return self._taps.descriptor, self._media.max_taps

    def open_tap(self, owner: LegHandle | MixHandle, *, heard_only: bool = False) -> TapHandle:
        """See `handles.Desk`. One at a time for each leg and each mix."""
        self._reuse_ids()
        if owner.tapped is not None:
            raise MediaFull("it is being recorded already")
        if not self._free_taps:
            raise MediaFull(f"all {self._media.max_taps} taps are in use: raise media.max_taps")
        index = self._free_taps.popleft()
        tap = owner.tapped = TapHandle(self._taps, index, self._close_tap, self._rest_tap, heard_only=heard_only)
        self._tapped[tap] = owner
        if owner.connected:
            self.tell(owner.tap_command(tap.index))
        return tap

    def _close_tap(self, tap: TapHandle) -> None:
        owner = self._tapped.pop(tap)
        owner.tapped = None
        self.tell(owner.tap_command(-1))
        self._flush()

    def _rest_tap(self, tap: TapHandle) -> None:
        self._resting.append((self._said, self._free_taps, tap.index))

    def note_unheard(self, change: int) -> None:
        """See `handles.Desk`."""
        if self._unheard + change > self._media.max_relations:
            raise MediaFull(f"all {self._media.max_relations} relations are in use: raise media.max_relations")
        self._unheard += change

    def forget_leg(self, leg: LegHandle) -> None:
        """See `handles.Desk`. The number is used again only when the engine has forgotten it too."""
        if self._legs.pop(leg.index, None) is None:
            return
        self.ended.note(leg.statistics())
        self._ports.release(leg.port, leg.index)
        self._drop_queue(leg)
        self.tell(m.CloseLeg(leg.index))
        self._flush()
        self._resting.append((self._said, self._free_legs, leg.index))
        self._let_others_wait(leg.port)

    def forget_mix(self, mix: MixHandle) -> None:
        """See `handles.Desk`."""
        if self._mixes.pop(mix.index, None) is None:
            return
        self._drop_queue(mix)
        self.tell(m.CloseMix(mix.index))
        self._flush()
        self._resting.append((self._said, self._free_mixes, mix.index))

    def _drop_queue(self, owner: LegHandle | MixHandle) -> None:
        for play_id in list(owner.queue):
            self._sound_done(m.SoundDone(play_id, False))

    def _reuse_ids(self) -> None:
        while self._resting and self._resting[0][0] <= self._applied:
            _, pool, index = self._resting.popleft()
            pool.append(index)

    # the line

    def _flush(self) -> None:
        self._flush_planned = False
        engine = self._engine
        while self._unsent and engine is not None:
            part = self._unsent[:_BATCH]
            if not engine.send(m.Batch(self._said + len(part), part)):
                engine.when_writable(self._flush)
                return
            self._said += len(part)
            del self._unsent[:_BATCH]

    def _reported(self, report: m.Report) -> None:
        for event in report.events:
            self._happened(event)
        self._note_applied(report.applied)

    def _note_applied(self, number: int) -> None:
        self._applied = max(self._applied, number)
        due = [waiter for said, waiter in self._waiters if said <= self._applied]
        self._waiters = [pair for pair in self._waiters if pair[0] > self._applied]
        for waiter in due:
            if not waiter.done():
                waiter.set_result(None)

    def _happened(self, event: m.Event) -> None:
        match event:
            case m.DigitPressed(leg, code) if leg in self._legs:
                self._legs[leg].digit(code)
            case m.TalkingChanged(leg, on) if leg in self._legs:
                self._legs[leg].talking(on)
            case m.SourceLatched(leg, address, port) if leg in self._legs:
                self._legs[leg].latched(address, port)
                self._ports.latched(self._legs[leg].port, leg)
                self._let_others_wait(self._legs[leg].port)
            case m.SoundDone():
                self._sound_done(event)
            case m.Ticked():
                self.lateness = event
            case m.Compiling(share):
                if self._on_compiling:
                    self._on_compiling(share)
            case _:
                pass  # of a leg that was closed meanwhile

    def _let_others_wait(self, port: int) -> None:
        for leg in list(self._ports.all[port].waiting):
            if leg in self._legs:
                self._legs[leg].reconsider_waiting()

    def _sound_done(self, event: m.SoundDone) -> None:
        entry = self._plays.pop(event.play_id, None)
        if entry is None:
            return
        playing, owner = entry
        owner.queue.pop(event.play_id, None)
        if self._clips.holds(playing.clip):
            self._clips.use(playing.clip.key, -1)
        self._done_for(owner, PlayDone(event.play_id, event.finished))

    def _done_for(self, owner: LegHandle | MixHandle, done: PlayDone) -> None:
        if owner.on_play_done and not owner.closed:
            owner.on_play_done(done)
