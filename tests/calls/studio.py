"""What an address should sound like: rendered by the library of sounds, without a server."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self, cast

import numpy as np

from mirliton.media.types import Clip, MediaEngine
from mirliton.settings import SoundSettings
from mirliton.sounds.library import SoundLibrary

from .measuring import Samples


class _Shelf:
    """Where the engine would keep its clips."""

    def __init__(self) -> None:
        self.samples: dict[str, dict[int, Samples]] = {}

    def clip(self, key: str, samples_by_rate: dict[int, Sequence[int]], owner: str = "") -> Clip:
        self.samples[key] = {rate: np.asarray(wave, np.int16) for rate, wave in samples_by_rate.items()}
        return Clip(key, len(samples_by_rate[8000]) / 8000, {})


class Studio:
    """Use it as an asynchronous context. Knows what ships with Mirliton, and speaks; no account has sounds here."""

    async def __aenter__(self) -> Self:
        self._folder = TemporaryDirectory(prefix="mirliton-studio")
        self._shelf = _Shelf()
        self._library = SoundLibrary(
            cast(MediaEngine, self._shelf),
            account_prompt=_nothing_own,
            media_file=_nothing_uploaded,
            settings=SoundSettings(speech_seconds=60),
            cache=Path(self._folder.name),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._library.close()
        self._folder.cleanup()

    async def sound(self, address: str, language: str = "en-us", rate: int = 8000) -> Samples:
        """Mono samples of one round."""
        sound = await self._library.resolve("", address, language)
        assert sound is not None, f"{address} is no sound"
        return self._shelf.samples[sound.clip.key][rate]


async def _nothing_own(_account_id: str, _prompt_id: str, _language: str) -> Path | None:
    return None


async def _nothing_uploaded(_account_id: str, _media_id: str) -> Path | None:
    return None
