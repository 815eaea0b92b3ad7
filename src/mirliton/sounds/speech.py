"""Text to speech (`tts://text`, `say:text`, and prompts in languages without recordings; semantics 5.3).

Each text is rendered once, by a process of its own (`mirliton.sounds.speaking`), and kept on disk. Needs the extra
`mirliton[speech]`; without it each text is refused with the command that installs it.
"""

import asyncio
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import soundfile

from mirliton.settings import SoundSettings
from mirliton.sounds.addresses import SoundNotFound
from mirliton.sounds.cache import SoundCache
from mirliton.sounds.loudness import Silent, even_out
from mirliton.sounds.shared_work import SharedWork, Shares, TooMuchWork
from mirliton.sounds.speaking import Exit
from mirliton.sounds.statistics import LibraryStatistics

AT_A_TIME = 2
"""Processes; more would take the processor from calls and speak no sooner."""
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*")


class SpeechMissing(SoundNotFound):
    """The extra is not installed."""


class NotSpoken(SoundNotFound):
    """The text cannot be spoken; says why."""


class Speech:
    """Texts as files on disk."""

    def __init__(
        self,
        settings: SoundSettings,
        cache: SoundCache,
        statistics: LibraryStatistics,
        *,
        installed: bool | None = None,
    ) -> None:
        """`installed` None: look whether the extra is there."""
        self.installed = find_spec("espeakng_loader") is not None if installed is None else installed
        self._settings = settings
        self._cache = cache
        self._statistics = statistics
        self._work: SharedWork[Path] = SharedWork(settings.max_speaking)
        self._shares = Shares(settings.max_speaking_per_account)
        self._free = asyncio.Semaphore(AT_A_TIME)

    async def file(self, text: str, languages: Sequence[str], account_id: str) -> Path:
        """The text spoken with the voice of the first of the languages that has one. Raises `SoundNotFound`.

        `account_id`: on whose account; for prompts, that of the system.
        """
        if not self.installed:
            self._statistics.speech_failed["missing"] += 1
            raise SpeechMissing("text is spoken only after `pip install 'mirliton[speech]'` on the server")
        if len(text) > (most := self._settings.max_speech_characters):
            raise self._failed("length", f"the text has more than {most} characters (sounds.max_speech_characters)")
        voices = [language for language in languages if _LANGUAGE.fullmatch(language)]
        name = f"speech:{','.join(voices)}:{text}"
        if cached := self._cache.get(name):
            self._statistics.cached += 1
            return cached.path
        try:
            return await self._work.result(name, lambda: self._render(name, text, voices, account_id))
        except TooMuchWork:
            reason = "more texts wait to be spoken than sounds.max_speaking allows: try again in a moment"
            raise self._failed("busy", reason) from None

    async def close(self) -> None:
        """Give up what is being spoken."""
        await self._work.close()

    async def _render(self, name: str, text: str, voices: list[str], account_id: str) -> Path:
        spoken, levelled = self._cache.partial(), self._cache.partial()
        try:
            with self._shares.one(account_id):
                async with self._free:
                    self._check(await self._run(spoken, text, voices), voices)
                    await asyncio.to_thread(even_out, spoken, levelled)
            path = self._cache.keep(name, levelled, {}).path
        except TooMuchWork:
            reason = "more texts wait to be spoken than sounds.max_speaking_per_account allows: try again in a moment"
            raise self._failed("busy", reason) from None
        except Silent:
            raise self._failed("engine", "the text has nothing in it that can be spoken") from None
        except (OSError, soundfile.LibsndfileError) as error:
            raise self._failed("engine", f"the text was not spoken: {error}") from error
        finally:
            for partial in (spoken, levelled):
                partial.unlink(missing_ok=True)
        self._statistics.spoken += 1
        return path

    async def _run(self, target: Path, text: str, voices: list[str]) -> int:
        """Exit code of the process; it is killed when it takes too long, or when nobody waits any more."""
        process = await asyncio.create_subprocess_exec(
            # -I: nothing from the folder the server was started in, or from its environment, is run.
            *(sys.executable, "-I", "-m", "mirliton.sounds.speaking", str(target), *voices),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if not name.startswith("MIRLITON_")},  # passwords
        )
        try:
            async with asyncio.timeout(self._settings.speech_seconds):
                await process.communicate(text.encode())
        except TimeoutError:
            reason = f"the text was not spoken within {self._settings.speech_seconds:g} s (sounds.speech_seconds)"
            raise self._failed("time", reason) from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return process.returncode if process.returncode is not None else Exit.ENGINE_FAILED

    def _check(self, exit_code: int, voices: list[str]) -> None:
        match exit_code:
            case Exit.SPOKEN:
                return
            case Exit.NO_VOICE:
                raise self._failed("voice", f"there is no voice for the language {', '.join(voices) or 'given'}")
            case Exit.NOTHING_SAID:
                raise self._failed("engine", "the text has nothing in it that can be spoken")
        raise self._failed("engine", f"the speech engine failed (exit {exit_code}); reinstall `mirliton[speech]`")

    def _failed(self, reason: str, text: str) -> NotSpoken:
        self._statistics.speech_failed[reason] += 1
        return NotSpoken(text)
