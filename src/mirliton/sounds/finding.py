"""Which file on disk a media address stands for (semantics 5.3): recordings, prompts, music, and what is fetched or
spoken for it. Files are made here if need be; none is read."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from mirliton.sounds.addresses import (
    LocalStream,
    Prompt,
    SoundNotFound,
    SoundRefused,
    StoredMedia,
    Variable,
    WebFile,
)
from mirliton.sounds.addresses import Speech as SpokenText
from mirliton.sounds.languages import language_rounds, same_tongue
from mirliton.sounds.prompts import DEFAULT_LANGUAGE, HOLD_MUSIC, prompt_texts, shipped_prompts
from mirliton.sounds.speech import Speech
from mirliton.sounds.statistics import LibraryStatistics
from mirliton.sounds.web import WebSounds

_log = structlog.get_logger(__name__)

AccountPrompt = Callable[[str, str, str], Awaitable[Path | None]]
"""(account id, prompt id, language) -> the account's own recording of a prompt, in exactly this language."""
MediaFile = Callable[[str, str], Awaitable[Path | None]]
"""(account id, media id) -> the file of a media document."""

FileSource = Prompt | StoredMedia | Variable | LocalStream | WebFile | SpokenText

SYSTEM_ACCOUNT = "system_media"
MUSIC_NAMES = ("hold_music", "moh", "default")
MOST_LANGUAGES_TOLD = 1000


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file, and what to call it in messages to those who named it."""

    path: Path
    called: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where sounds come from that are neither uploaded nor shipped; closed with the library."""

    web: WebSounds
    speech: Speech

    async def close(self) -> None:
        """Give up what is under way."""
        await self.web.close()
        await self.speech.close()


class SoundFiles:
    """Finds the file of one source for an account, in a language. Every method raises `SoundNotFound`."""

    def __init__(
        self,
        statistics: LibraryStatistics,
        *,
        account_prompt: AccountPrompt,
        media_file: MediaFile,
        elsewhere: Elsewhere | None,
        streams: Mapping[str, Path],
        default_language: str,
    ) -> None:
        self._statistics = statistics
        self._account_prompt = account_prompt
        self._media_file = media_file
        self._elsewhere = elsewhere
        self._streams = {**dict.fromkeys(MUSIC_NAMES, HOLD_MUSIC), **streams}
        self._default_language = default_language
        self._shipped = shipped_prompts()
        self._texts = prompt_texts()
        self._told: set[str] = set()

    async def find(self, source: FileSource, account_id: str, language: str) -> FoundFile:
        """The file. Web servers are asked and speech is rendered when need be."""
        match source:
            case Prompt():
                return await self._prompt(source, account_id, language)
            case StoredMedia():
                return _named(await self._stored(source, account_id))
            case Variable() | LocalStream():
                return _named(self._stream(source))
            case WebFile():
                return FoundFile(await self._somewhere().web.file(source, account_id), source.shown)
            case SpokenText():
                languages = [one for chain in self._rounds(language) for one in chain]
                return FoundFile(
                    await self._somewhere().speech.file(source.text, languages, account_id), "the spoken text"
                )

    def _somewhere(self) -> Elsewhere:
        if self._elsewhere is None:
            raise SoundRefused("this server has no folder for fetched and spoken sounds; upload a recording to media")
        return self._elsewhere

    async def _stored(self, media: StoredMedia, account_id: str) -> Path:
        if media.account_id not in (None, account_id):
            raise SoundRefused(f"media {media.media_id} belongs to another account")
        if path := await self._media_file(account_id, media.media_id):
            return path
        raise SoundNotFound(f"the account has no media {media.media_id} with a sound file: upload it to media/ID/raw")

    def _stream(self, source: Variable | LocalStream) -> Path:
        if path := self._streams.get(source.name):
            return path
        known = ", ".join(sorted(self._streams))
        raise SoundNotFound(
            f"there is no sound named {source.name!r}; known: {known}; the operator adds others to sounds.streams"
        )

    # prompts

    def _rounds(self, language: str) -> list[list[str]]:
        return language_rounds(language, self._default_language, DEFAULT_LANGUAGE)

    async def _prompt(self, prompt: Prompt, account_id: str, language: str) -> FoundFile:
        """Own recordings, then shipped ones, then speech; and all that in the wanted language before any other."""
        if prompt.account_id not in (None, SYSTEM_ACCOUNT, account_id):
            raise SoundRefused(f"prompt {prompt.prompt_id!r} belongs to another account")
        wanted = prompt.language or language
        rounds = self._rounds(wanted)
        for chain in rounds:
            if path := await self._prompt_in(prompt, account_id, chain):
                if not same_tongue(chain[0], rounds[0][0]):
                    self._fell_back(rounds[0][0], chain[0])
                return FoundFile(path, prompt.prompt_id)
        raise SoundNotFound(
            f"there is no prompt {prompt.prompt_id!r} in {', '.join(one for chain in rounds for one in chain)}: "
            "check the id, or upload a recording of it under media"
        )

    async def _prompt_in(self, prompt: Prompt, account_id: str, chain: list[str]) -> Path | None:
        if prompt.account_id != SYSTEM_ACCOUNT:
            for language in chain:
                if path := await self._account_prompt(account_id, prompt.prompt_id, language):
                    return path
        for language in chain:
            if path := self._shipped.get(language, {}).get(prompt.prompt_id):
                return path
        return await self._spoken_prompt(prompt.prompt_id, chain)

    async def _spoken_prompt(self, prompt_id: str, chain: list[str]) -> Path | None:
        """The prompt rendered from its text, where there is a text and an engine; None leads on to other languages."""
        text = next((self._texts[one][prompt_id] for one in chain if prompt_id in self._texts.get(one, {})), None)
        if text is None or self._elsewhere is None or not self._elsewhere.speech.installed:
            return None
        try:
            return await self._elsewhere.speech.file(text, chain, SYSTEM_ACCOUNT)
        except SoundNotFound as error:
            _log.warning("prompt not spoken", prompt=prompt_id, language=chain[0], reason=str(error))
            return None

    def _fell_back(self, wanted: str, instead: str) -> None:
        """Counted each time; said once for each language."""
        self._statistics.language_fallbacks += 1
        if wanted in self._told or len(self._told) >= MOST_LANGUAGES_TOLD:
            return
        self._told.add(wanted)
        installed = self._elsewhere is not None and self._elsewhere.speech.installed
        _log.warning(
            "prompts are played in another language",
            wanted=wanted,
            instead=instead,
            advice="upload recordings of the prompts as media"
            if installed
            else "pip install 'mirliton[speech]' speaks them in many languages, or upload recordings of them as media",
        )


def _named(path: Path) -> FoundFile:
    return FoundFile(path, path.name)
