"""From a media address to a clip that the engine can play: looks files up, decodes them in worker threads, once.

The clips themselves lie in the engine. What is kept here is a bounded number of decoded sounds, because the engine
forgets clips that nobody plays and must be able to get them again without a delay.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mirliton.media.types import Clip, MediaEngine
from mirliton.sounds.addresses import (
    Address,
    NoSound,
    Parts,
    Prompt,
    SilenceStream,
    SoundNotFound,
    SoundRefused,
    Source,
    StoredMedia,
    ToneScript,
    Variable,
    parse_address,
)
from mirliton.sounds.decoding import decode_file
from mirliton.sounds.languages import language_chain
from mirliton.sounds.prompts import DEFAULT_LANGUAGE, HOLD_MUSIC, shipped_prompts
from mirliton.sounds.silence import render_silence
from mirliton.sounds.tones import ToneLimits, ToneScriptInvalid, render_tones

Samples = npt.NDArray[np.int16]
Rendering = dict[int, Samples]

AccountPrompt = Callable[[str, str, str], Awaitable[Path | None]]
"""(account id, prompt id, language) -> the account's own recording of a prompt, in exactly this language."""
MediaFile = Callable[[str, str], Awaitable[Path | None]]
"""(account id, media id) -> the file of a media document."""

SYSTEM_ACCOUNT = "system_media"


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


@dataclass(slots=True)
class LibraryStatistics:
    """Counters since the start."""

    resolved: int = 0
    decoded: int = 0
    failed: int = 0
    kept_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How to make a sound: an unmistakable key, and work for a thread."""

    key: str
    render: Callable[[], Rendering]


class SoundLibrary:
    """Resolves media addresses for an account and a language.

    `variables`: what `$${name}` stands for, as files; `hold_music` is there by itself.
    """

    def __init__(
        self,
        engine: MediaEngine,
        *,
        account_prompt: AccountPrompt,
        media_file: MediaFile,
        rates: Sequence[int] = (8000, 16000),
        limits: SoundLimits | None = None,
        variables: Mapping[str, Path] | None = None,
        default_language: str = DEFAULT_LANGUAGE,
    ) -> None:
        self.statistics = LibraryStatistics()
        self._engine = engine
        self._account_prompt = account_prompt
        self._media_file = media_file
        self._rates = tuple(rates)
        self._limits = limits or SoundLimits()
        self._variables = {"hold_music": HOLD_MUSIC, **(variables or {})}
        self._default_language = default_language
        self._shipped = shipped_prompts()
        self._kept: OrderedDict[str, Rendering] = OrderedDict()
        self._decoding: dict[str, asyncio.Task[Rendering]] = {}

    async def resolve(self, account_id: str, address: str | None, language: str) -> Sound | None:
        """The sound behind `address`, or None when the address asks for none (empty, `silence`).

        Raises `SoundNotFound` (or a subclass that says it more exactly) with what to do, and `media.types.MediaFull`.
        """
        try:
            parsed = _endless_silence(parse_address(address))
            if isinstance(parsed.source, NoSound):
                return None
            recipe = await self._recipe(parsed.source, account_id, language)
            rendering = await self._rendering(recipe)
        except SoundNotFound:
            self.statistics.failed += 1
            raise
        self.statistics.resolved += 1
        return Sound(self._engine.clip(recipe.key, rendering), parsed.loops, parsed.gain)  # type: ignore[arg-type]

    async def check(self, account_id: str, address: str | None, language: str) -> None:
        """Raise `SoundNotFound` unless the address can be resolved; nothing is decoded."""
        source = parse_address(address).source
        if not isinstance(source, NoSound):
            await self._recipe(source, account_id, language)

    async def _recipe(self, source: Source, account_id: str, language: str) -> _Recipe:
        match source:
            case ToneScript():
                return self._tone_recipe(source)
            case SilenceStream():
                return self._silence_recipe(source)
            case Prompt():
                return self._file_recipe(await self._prompt_file(source, account_id, language))
            case StoredMedia():
                return self._file_recipe(await self._stored_file(source, account_id))
            case Variable():
                return self._file_recipe(self._variable_file(source))
            case Parts():
                return await self._parts_recipe(source, account_id, language)
            case NoSound():
                return _Recipe("nothing", lambda: {rate: np.zeros(0, np.int16) for rate in self._rates})

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

    def _file_recipe(self, path: Path) -> _Recipe:
        """Size and time of change are in the key: a file that was uploaded again is another sound."""
        try:
            status = path.stat()
        except OSError as error:
            raise SoundNotFound(f"{path.name}: the file is gone ({error.strerror}); upload it again") from error
        limits = self._limits
        return _Recipe(
            f"file:{path}:{status.st_mtime_ns}:{status.st_size}",
            lambda: decode_file(path, self._rates, max_seconds=limits.seconds, max_bytes=limits.file_bytes),
        )

    async def _parts_recipe(self, source: Parts, account_id: str, language: str) -> _Recipe:
        recipes = [await self._recipe(part.source, account_id, language) for part in source.addresses]
        parts = list(zip(source.addresses, recipes, strict=True))
        key = "|".join(f"{part.loops},{part.volume},{recipe.key}" for part, recipe in parts)
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

    async def _prompt_file(self, prompt: Prompt, account_id: str, language: str) -> Path:
        """Own recordings before shipped ones, the wanted language before the default (semantics 5.3)."""
        if prompt.account_id not in (None, SYSTEM_ACCOUNT, account_id):
            raise SoundRefused(f"prompt {prompt.prompt_id!r} belongs to another account")
        chain = language_chain(prompt.language or language, self._default_language)
        for languages in (chain, [self._default_language]):
            if prompt.account_id != SYSTEM_ACCOUNT:
                for wanted in languages:
                    if path := await self._account_prompt(account_id, prompt.prompt_id, wanted):
                        return path
            for wanted in languages:
                if path := self._shipped.get(wanted, {}).get(prompt.prompt_id):
                    return path
        raise SoundNotFound(
            f"there is no prompt {prompt.prompt_id!r} in {', '.join(chain)} or {self._default_language}: "
            "check the id, or upload a recording of it under media"
        )

    async def _stored_file(self, media: StoredMedia, account_id: str) -> Path:
        if media.account_id not in (None, account_id):
            raise SoundRefused(f"media {media.media_id} belongs to another account")
        if path := await self._media_file(account_id, media.media_id):
            return path
        raise SoundNotFound(f"the account has no media {media.media_id} with a sound file: upload it to media/ID/raw")

    def _variable_file(self, variable: Variable) -> Path:
        if path := self._variables.get(variable.name):
            return path
        raise SoundNotFound(f"there is no variable $${{{variable.name}}}; known: {', '.join(sorted(self._variables))}")

    async def _rendering(self, recipe: _Recipe) -> Rendering:
        """Decode unless it is kept or already being decoded for somebody else."""
        if (kept := self._kept.get(recipe.key)) is not None:
            self._kept.move_to_end(recipe.key)
            return kept
        task = self._decoding.get(recipe.key)
        if task is None:
            if len(self._decoding) >= self._limits.decoding:
                raise SoundsBusy("too many sounds are being decoded at once: try again in a moment")
            task = asyncio.create_task(self._decode(recipe))
            task.add_done_callback(_seen)
            self._decoding[recipe.key] = task
        # Shielded: a caller who hangs up must not take the sound from others who wait for it.
        return await asyncio.shield(task)

    async def _decode(self, recipe: _Recipe) -> Rendering:
        try:
            rendering = await asyncio.to_thread(recipe.render)
            self.statistics.decoded += 1
            self._keep(recipe.key, rendering)
            return rendering
        finally:
            del self._decoding[recipe.key]

    def _keep(self, key: str, rendering: Rendering) -> None:
        self._kept[key] = rendering
        self.statistics.kept_bytes += _size(rendering)
        while self.statistics.kept_bytes > self._limits.kept_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.statistics.kept_bytes -= _size(oldest)


def _seen(task: "asyncio.Task[Rendering]") -> None:
    """Take the error out of a task whose every waiter hung up meanwhile; those who wait get it themselves."""
    if not task.cancelled():
        task.exception()


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
