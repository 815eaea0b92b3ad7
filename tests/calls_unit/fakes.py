"""A SIP session, a media engine and a sound library in memory; sounds take their time on the (virtual) loop."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mirliton.calls.ports import Account, Route
from mirliton.conference.ports import CallerInfo, Recorded, Sound
from mirliton.conference.profile import Configuration
from mirliton.conference.reading import Document, texts
from mirliton.media.types import Chunk, Clip, LegStatistics, LentTap, LiveClip, MediaAgreement, MediaFull, PlayDone
from mirliton.sip.sdp import make_offer
from mirliton.sip.types import Bridge, Device, Link, SessionEnded
from mirliton.sounds.addresses import SoundNotFound

OFFER = make_offer("192.0.2.7", 40000, 1, 1)


def offer(direction: str = "sendrecv", port: int = 40000) -> bytes:
    return make_offer("192.0.2.7", port, 1, 2, direction=direction)


class FakeSession:
    """An inbound INVITE; the test plays the other side."""

    inbound = True
    device: Device | None = None
    bridge: Bridge | None = None
    link: Link | None = None
    headers: Mapping[str, str] = {}

    def __init__(self, call_id: str = "call-1", user: str = "3000", sdp: bytes | None = OFFER) -> None:
        self.call_id = call_id
        self.request_user = user
        self.request_host = "mirliton.local"
        self.from_number = "100"
        self.from_name = "Ann"
        self.to_number = user
        self.remote_address = ("192.0.2.7", 5060)
        self.offer = sdp
        self.on_media_change: Callable[[bytes | None], bytes | None] | None = None
        self.on_media_answer: Callable[[bytes], bool] | None = None
        self.on_digit: Callable[[str], None] | None = None
        self.on_ended: Callable[[str], None] | None = None
        self.answers: list[bytes] = []
        self.rejections: list[tuple[int, Mapping[str, str] | None]] = []
        self.hang_ups = 0
        self.over: str | None = None

    async def ring(self) -> None:
        raise NotImplementedError

    async def answer(self, sdp: bytes) -> None:
        if self.over is not None:
            raise SessionEnded(self.over)
        self.answers.append(sdp)

    def reject(self, code: int, reason: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        if self.over is None and not self.answers:
            self.rejections.append((code, headers))
            self.end(f"rejected {code}")

    async def reinvite(self, sdp: bytes) -> bytes:
        raise NotImplementedError

    async def hang_up(self) -> None:
        self.hang_ups += 1
        self.end("hung up here")

    def end(self, reason: str = "BYE") -> None:
        if self.over is None:
            self.over = reason
            if self.on_ended is not None:
                self.on_ended(reason)


@dataclass(eq=False)
class FakeMix:
    """Notes what is done to it."""

    rate: int
    interval: int
    log: list[tuple[str, Any]] = field(default_factory=list)
    closed: bool = False
    on_play_done: Callable[[PlayDone], None] | None = None
    members: set["FakeLeg"] = field(default_factory=set)

    def play(self, clip: Clip, *, loops: int = 1, gain: float = 1.0) -> int:
        self.log.append(("play", clip.key))
        return len(self.log)

    def loop(self, clip: Clip | None, *, gain: float = 1.0) -> None:
        self.log.append(("loop", clip.key if clip else None))

    def stop_sounds(self) -> None:
        self.log.append(("stop", None))

    def tap(self) -> "FakeTap":
        return FakeTap()

    def close(self) -> None:
        assert not self.members
        self.closed = True


class FakeTap:
    """Gives what the test puts in."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.lost = 0
        self.closed = False

    def read(self) -> list[Chunk]:
        taken, self.chunks = self.chunks, []
        return taken

    def lend(self) -> LentTap:
        return LentTap(0, 0)

    def give_back(self) -> None:
        """Nobody else uses the memory."""

    def close(self) -> None:
        self.closed = True


class FakeLeg:
    """Plays its queue in virtual time. Using a closed leg is an error."""

    def __init__(self, engine: "FakeEngine", port: int) -> None:
        self.local_port = port
        self.on_digit: Callable[[str], None] | None = None
        self.on_talking: Callable[[bool], None] | None = None
        self.on_play_done: Callable[[PlayDone], None] | None = None
        self.agreements: list[MediaAgreement] = []
        self.heard: list[str] = []
        self.settings: dict[str, Any] = {}
        self.mix: FakeMix | None = None
        self.closed = False
        self.silent_for_ms = 0.0
        self._engine = engine
        self._ids = 0
        self._until = 0.0
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self.events = True  # whether the phone knows RFC 4733
        self.keys = ""
        self.unheard: set[FakeLeg] = set()
        self.relations_left = 100
        self.taps: list[FakeTap] = []

    def connect(self, agreement: MediaAgreement) -> None:
        assert not self.closed
        self.agreements.append(agreement)

    def play(self, clip: Clip, *, loops: int = 1, gain: float = 1.0) -> int:
        assert not self.closed
        assert self.agreements, "a leg that is not connected plays to nobody"
        loop = asyncio.get_running_loop()
        self._ids += 1
        self.heard.append(clip.key)
        self._until = max(self._until, loop.time()) + clip.seconds * loops
        self._timers[self._ids] = loop.call_at(self._until, self._done, self._ids, True)
        return self._ids

    def _done(self, play_id: int, finished: bool) -> None:
        self._timers.pop(play_id).cancel()
        if self.on_play_done is not None:
            self.on_play_done(PlayDone(play_id, finished))

    def stop_sounds(self) -> None:
        assert not self.closed
        self._until = 0.0
        for play_id in list(self._timers):
            asyncio.get_running_loop().call_soon(self._stopped, play_id)

    def _stopped(self, play_id: int) -> None:
        if play_id in self._timers:
            self._done(play_id, False)

    def join(
        self,
        mix: Any,
        *,
        muted: bool = False,
        deaf: bool = False,
        energy_level: int | None = None,
        isolated: bool = False,
        voices_only: bool = False,
    ) -> None:
        assert not self.closed
        assert self.mix is None
        self.mix = mix
        mix.members.add(self)
        self.settings.update(muted=muted, deaf=deaf, isolated=isolated, voices_only=voices_only)

    def leave(self) -> None:
        assert not self.closed
        assert self.mix is not None
        self.mix.members.remove(self)
        self.mix = None

    def set(self, **changes: Any) -> None:
        assert not self.closed
        self.settings.update({key: value for key, value in changes.items() if value is not None})

    def hear(self, other: Any, on: bool) -> None:
        if on:
            self.unheard.discard(other)
        elif not self.relations_left:
            raise MediaFull("all relations are in use")
        else:
            self.unheard.add(other)

    def press(self, digit: str) -> bool:
        self.keys += digit if self.events else ""
        return self.events

    def tap(self, *, heard_only: bool = False) -> FakeTap:
        self.taps.append(FakeTap())
        return self.taps[-1]

    def statistics(self) -> LegStatistics:
        return LegStatistics(0, 0, 0, 0, 0, 0, 0.0, 0.0, self.silent_for_ms, False, 42, None)

    def close(self) -> None:
        assert self.mix is None
        if not self.closed:
            self.closed = True
            self._engine.legs.discard(self)
            for timer in self._timers.values():
                timer.cancel()


class FakeEngine:
    """Hands out legs and mixes, and knows which are still open."""

    def __init__(self, max_legs: int = 100, max_mixes: int = 100) -> None:
        self.legs: set[FakeLeg] = set()
        self.mixes: list[FakeMix] = []
        self.settlings = 0
        self._max_legs = max_legs
        self._max_mixes = max_mixes
        self._ports = iter(range(10000, 60000, 2))

    def open_leg(self, call_id: str) -> FakeLeg:
        if len(self.legs) >= self._max_legs:
            raise MediaFull("no legs left")
        leg = FakeLeg(self, next(self._ports))
        self.legs.add(leg)
        return leg

    def open_mix(
        self, *, rate: int = 8000, interval: int = 20, energy_level: int = 0, comfort_noise: int = 0
    ) -> FakeMix:
        if len(self.open_mixes) >= self._max_mixes:
            raise MediaFull("no mixes left")
        self.mixes.append(FakeMix(rate, interval))
        return self.mixes[-1]

    @property
    def open_mixes(self) -> list[FakeMix]:
        return [mix for mix in self.mixes if not mix.closed]

    def clip(self, key: str, samples_by_rate: dict[int, Sequence[int]], owner: str = "") -> Clip:
        raise NotImplementedError

    def live_clip(self, key: str, seconds: float, owner: str = "") -> LiveClip:
        raise NotImplementedError

    async def settled(self) -> None:
        self.settlings += 1


@dataclass(frozen=True)
class FakeSound:
    """A sound of one second, unless its name says another length: `name/3`."""

    clip: Clip
    loops: int = 1
    gain: float = 1.0


class FakeSounds:
    """Every address is a sound, but those that begin with `no-`; `slow-` ones take a second to be found."""

    async def resolve(self, account_id: str, address: str, language: str) -> FakeSound | None:
        if address.startswith("slow-"):
            await asyncio.sleep(1.0)
        if address.startswith("no-"):
            raise SoundNotFound(address)
        if address.startswith("broken-"):
            raise RuntimeError(address)
        if address in ("", "silence"):
            return None
        _, _, seconds = address.partition("/")
        return FakeSound(Clip(address, float(seconds) if seconds.isdigit() else 1.0, {}))


class FakeNames:
    """Keeps names for a while."""

    def __init__(self, known: str | None = None) -> None:
        self.known_name = known
        self.kept: list[str] = []

    async def known(self, caller: CallerInfo) -> Sound | None:
        return self.known_name

    async def keep(self, caller: CallerInfo, recorded: Recorded) -> Sound:
        self.kept.append(f"name-{caller.call_id}")
        return self.kept[-1]

    async def adopt(self, caller: CallerInfo, sound: Sound) -> bool:
        return False

    async def forget(self, caller: CallerInfo, sound: Sound) -> None:
        self.kept.remove(sound)


class FakeData:
    """One account with conferences and callflows in memory."""

    def __init__(self, *conferences: dict[str, Any], flows: dict[str, Any] | None = None) -> None:
        self._conferences = conferences
        self._flows = flows or {}

    def add_flow(self, number: str, flow: dict[str, Any]) -> None:
        self._flows = {**self._flows, number: flow}

    async def account_for(self, domain: str) -> Account | None:
        return Account("acc", domain) if domain == "mirliton.local" else None

    async def callflow_for(self, account_id: str, number: str) -> Route | None:
        flow = self._flows.get(number)
        return Route({"flow": flow}) if flow and account_id == "acc" else None

    async def callflow(self, account_id: str, callflow_id: str) -> Document | None:
        return None

    async def conference(self, account_id: str, conference_id: str) -> Document | None:
        return next((found for found in self._conferences if found["id"] == conference_id), None)

    async def conferences_by_number(self, account_id: str, number: str) -> Sequence[Document]:
        return [found for found in self._conferences if number in texts(found, "conference_numbers")]

    async def conference_configuration(self, account_id: str) -> Configuration:
        return Configuration()
