"""From a media address to a clip that the engine can play: files are found, decoded in worker threads, once.

The clips themselves lie in the engine. What is kept here is a bounded number of decoded sounds, because the engine
forgets clips that nobody plays and must be able to get them again without a delay.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mirliton.media.types import Clip, MediaEngine
from mirliton.outbound_http.lookup import Lookup
from mirliton.settings import SoundSettings
from mirliton.sounds.addresses import (
    Address,
    AddressInvalid,
    NoSound,
    Parts,
    Radio,
    SilenceStream,
    SoundNotFound,
    Source,
    ToneScript,
    parse_address,
)
from mirliton.sounds.cache import SoundCache
from mirliton.sounds.decoding import decode_file
from mirliton.sounds.finding import AccountPrompt, Elsewhere, FoundFile, MediaFile, SoundFiles
from mirliton.sounds.prompts import DEFAULT_LANGUAGE, FOLDER
from mirliton.sounds.radio import Stations
from mirliton.sounds.shared_work import SharedWork, TooMuchWork, Turns
from mirliton.sounds.silence import render_silence
from mirliton.sounds.speech import Speech
from mirliton.sounds.statistics import LibraryStatistics
from mirliton.sounds.tones import ToneLimits, ToneScriptInvalid, render_tones
from mirliton.sounds.web import WebSounds

Samples = npt.NDArray[np.int16]
Rendering = dict[int, Samples]


class SoundsBusy(SoundNotFound):
    """More sounds are being decoded than allowed; the one asked for is left out."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What to hand to a player: `leg.play(sound.clip, loops=sound.loops, gain=sound.gain)`."""

    clip: Clip
    loops: int = 1
    gain: float = 1.0


@dataclass(frozen=True, slots=True)
class SoundLimits:
    """Bounds on one sound and on all of them. Sizes in bytes."""

    seconds: float = 600.0
    file_bytes: int = 32_000_000
    tones: ToneLimits = field(default_factory=ToneLimits)
    kept_bytes: int = 64 * 1024 * 1024
    decoding: int = 64
    decoding_of_account: int = 16
    decoding_of_account_at_a_time: int = 2


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How to make a sound: an unmistakable key, and work for a thread.

    `ours`: it ships with Mirliton; then nobody waits for other sounds of the account that asks first.
    """

    key: str
    render: Callable[[], Rendering]
    ours: bool = False


class SoundLibrary:
    """Resolves media addresses for an account and a language; `calls.ports.SoundLibrary` is what calls see of it.

    `settings`: where sounds may come from. `cache`: the folder for fetched and spoken sounds; without one, there are
    none. `default_language`: tried when there is no prompt in the wanted one, and before `en-us`, which ships.
    """

    def __init__(
        self,
        engine: MediaEngine,
        *,
        account_prompt: AccountPrompt,
        media_file: MediaFile,
        rates: Sequence[int] = (8000, 16000),
        limits: SoundLimits | None = None,
        settings: SoundSettings | None = None,
        cache: Path | None = None,
        default_language: str = DEFAULT_LANGUAGE,
        lookup: Lookup | None = None,
    ) -> None:
        """`lookup`: how names of web servers become addresses, for tests."""
        self.statistics = LibraryStatistics()
        self._engine = engine
        self._rates = tuple(rates)
        self._limits = limits or SoundLimits()
        settings = settings or SoundSettings()
        self._elsewhere = _elsewhere(settings, cache, self.statistics, lookup) if cache else None
        self._stations = Stations(engine, settings, self.statistics, lookup=lookup)
        self._files = SoundFiles(
            self.statistics,
            account_prompt=account_prompt,
            media_file=media_file,
            elsewhere=self._elsewhere,
            streams=settings.streams,
            default_language=default_language,
        )
        self._kept: OrderedDict[str, Rendering] = OrderedDict()
        self._decoding: SharedWork[Rendering] = SharedWork(self._limits.decoding)
        # Decoding long files takes threads that all accounts share: each account waits for its own files only.
        self._turns = Turns(self._limits.decoding_of_account_at_a_time, self._limits.decoding_of_account)

    async def close(self) -> None:
        """Give up what is being fetched, spoken, decoded and listened to."""
        await self._stations.close()
        if self._elsewhere is not None:
            await self._elsewhere.close()
        await self._decoding.close()

    async def resolve(self, account_id: str, address: str | None, language: str) -> Sound | None:
        """The sound behind `address`, or None when the address asks for none (empty, `silence`).

        Raises `SoundNotFound` (or a subclass that says it more exactly) with what to do, and `media.types.MediaFull`.
        """
        try:
            parsed = _endless_silence(parse_address(address))
            if isinstance(parsed.source, NoSound):
                return None
            clip = await self._clip(parsed.source, account_id, language)
        except SoundNotFound:
            self.statistics.failed += 1
            raise
        self.statistics.resolved += 1
        return Sound(clip, parsed.loops, parsed.gain)

    async def _clip(self, source: Source, account_id: str, language: str) -> Clip:
        if isinstance(source, Radio):
            return await self._stations.clip(source, account_id)
        recipe = await self._recipe(source, account_id, language)
        rendering = await self._rendering(recipe, account_id)
        return self._engine.clip(recipe.key, rendering, account_id)  # type: ignore[arg-type]

    async def _recipe(self, source: Source, account_id: str, language: str) -> _Recipe:
        match source:
            case ToneScript():
                return self._tone_recipe(source)
            case SilenceStream():
                return self._silence_recipe(source)
            case Parts():
                return await self._parts_recipe(source, account_id, language)
            case Radio():
                raise AddressInvalid("a radio station cannot be a part of something else")
            case NoSound():
                return _Recipe("nothing", lambda: {rate: np.zeros(0, np.int16) for rate in self._rates})
        return self._file_recipe(await self._files.find(source, account_id, language))

    def _tone_recipe(self, source: ToneScript) -> _Recipe:
        def render() -> Rendering:
            try:
                return {rate: render_tones(source.script, rate, self._limits.tones).samples for rate in self._rates}
            except ToneScriptInvalid as error:
                raise SoundNotFound(str(error)) from error

        return _Recipe(f"tone:{source.script}", render)

    def _silence_recipe(self, source: SilenceStream) -> _Recipe:
        if source.milliseconds > self._limits.seconds * 1000:
            raise SoundNotFound(f"silence_stream:// is longer than {self._limits.seconds:g} s; -1 never ends")
        return _Recipe(
            f"silence:{source.milliseconds},{source.divisor}",
            lambda: {rate: render_silence(source.milliseconds, source.divisor, rate) for rate in self._rates},
        )

    def _file_recipe(self, found: FoundFile) -> _Recipe:
        """Size and time of change are in the key: a file that was uploaded again is another sound."""
        path, limits = found.path, self._limits
        try:
            status = path.stat()
        except OSError as error:
            raise SoundNotFound(
                f"{found.called}: the file is gone ({error.strerror}); upload it again, or try again"
            ) from error
        return _Recipe(
            f"file:{path}:{status.st_mtime_ns}:{status.st_size}",
            lambda: decode_file(
                path, self._rates, max_seconds=limits.seconds, max_bytes=limits.file_bytes, called=found.called
            ),
            ours=path.is_relative_to(FOLDER),
        )

    async def _parts_recipe(self, source: Parts, account_id: str, language: str) -> _Recipe:
        recipes = [await self._recipe(part.source, account_id, language) for part in source.addresses]
        parts = list(zip(source.addresses, recipes, strict=True))
        # With their lengths: scripts may hold any text, and no list of one tenant shall have the key of another's.
        key = "|".join(f"{part.loops},{part.volume},{len(recipe.key)}:{recipe.key}" for part, recipe in parts)
        return _Recipe(f"parts:{key}", lambda: self._concatenate(parts))

    def _concatenate(self, parts: list[tuple[Address, _Recipe]]) -> Rendering:
        rendered: list[Rendering] = []
        seconds = 0.0
        for part, recipe in parts:
            rendering = recipe.render()
            seconds += part.loops * len(rendering[self._rates[0]]) / self._rates[0]
            if seconds > self._limits.seconds:
                raise SoundNotFound(f"file_string:// makes more than {self._limits.seconds:g} s: leave parts out")
            rendered.append({rate: _louder(np.tile(wave, part.loops), part.gain) for rate, wave in rendering.items()})
        if seconds == 0:
            raise SoundNotFound("file_string:// holds no sound")
        return {rate: np.concatenate([rendering[rate] for rendering in rendered]) for rate in self._rates}

    async def _rendering(self, recipe: _Recipe, account_id: str) -> Rendering:
        """Decode unless it is kept or already being decoded for somebody else."""
        if (kept := self._kept.get(recipe.key)) is not None:
            self._kept.move_to_end(recipe.key)
            return kept
        try:
            return await self._decoding.result(recipe.key, lambda: self._decode_in_turn(recipe, account_id))
        except TooMuchWork:
            raise SoundsBusy("too many sounds are being decoded at once: try again in a moment") from None

    async def _decode_in_turn(self, recipe: _Recipe, account_id: str) -> Rendering:
        if recipe.ours:
            return await self._decode(recipe)
        async with self._turns.one(account_id):
            return await self._decode(recipe)

    async def _decode(self, recipe: _Recipe) -> Rendering:
        rendering = await asyncio.to_thread(recipe.render)
        self.statistics.decoded += 1
        self._keep(recipe.key, rendering)
        return rendering

    def _keep(self, key: str, rendering: Rendering) -> None:
        self._kept[key] = rendering
        self.statistics.kept_bytes += _size(rendering)
        while self.statistics.kept_bytes > self._limits.kept_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.statistics.kept_bytes -= _size(oldest)


def _elsewhere(
    settings: SoundSettings, folder: Path, statistics: LibraryStatistics, lookup: Lookup | None
) -> Elsewhere:
    cache = SoundCache(folder, settings.cache_bytes, statistics)
    return Elsewhere(WebSounds(settings, cache, statistics, lookup=lookup), Speech(settings, cache, statistics))


def _endless_silence(address: Address) -> Address:
    """A silence that never ends is a short one that is looped."""
    source = address.source
    if isinstance(source, SilenceStream) and source.milliseconds < 0:
        return replace(address, loops=-1)
    return address


def _louder(wave: Samples, gain: float) -> Samples:
    return wave if gain == 1 else np.asarray(np.clip(np.round(wave * gain), -32768, 32767), np.int16)


def _size(rendering: Rendering) -> int:
    return sum(wave.nbytes for wave in rendering.values())
