"""One file of a web server into a file on disk, within bounds of time, size and kind (semantics 5.3, `http(s)://`)."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import soundfile

from mirliton.outbound_http.lookup import Lookup
from mirliton.settings import SoundSettings
from mirliton.sounds.addresses import WebFile
from mirliton.sounds.asking import FetchFailed, WebServers, check_head, failures_told

LONGEST_NOTE = 500
"""Characters of an ETag or date that are kept; they are sent back with the next request."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The file is there. What the server said about it, to ask about it later (RFC 9110 8.8)."""

    etag: str | None = None
    modified: str | None = None


class Unchanged(Fetched):
    """The copy that we have is still good (304)."""


class Fetcher:
    """Fetches; the connections are opened when first needed."""

    def __init__(self, settings: SoundSettings, lookup: Lookup | None = None) -> None:
        self._settings = settings
        self._servers = WebServers(settings, settings.max_fetches, lookup)

    async def fetch(self, source: WebFile, target: Path, known: Mapping[str, Any]) -> Fetched:
        """Write the file to `target`, unless it is the one that `known` (`etag`, `modified`) describes.

        Raises `FetchFailed`.
        """
        seconds = self._settings.fetch_seconds
        with failures_told(source, seconds):
            async with asyncio.timeout(seconds):
                async with self._servers.answer(source, _conditions(known)) as response:
                    if response.status_code == 304 and known:
                        return Unchanged()
                    await self._receive(source, response, target)
                await asyncio.to_thread(_check, source, target)
        return Fetched(_note(response, "ETag"), _note(response, "Last-Modified"))

    async def close(self) -> None:
        """Close all connections."""
        await self._servers.close()

    async def _receive(self, source: WebFile, response: httpx.Response, target: Path) -> None:
        """Check the head of the answer, then write its body as it comes in."""
        most = self._settings.max_fetch_bytes
        check_head(source, response)
        announced = response.headers.get("Content-Length", "")
        size = 0
        with _writing(target) as file:
            async for part in response.aiter_raw():
                size += len(part)
                if size > most or (announced.isdecimal() and len(announced) < 20 and int(announced) > most):
                    text = f"{source.shown} has more than {most} bytes (sounds.max_fetch_bytes)"
                    raise FetchFailed("size", text)
                file.write(part)


@contextmanager
def _writing(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("wb") as file:
            yield file
    except TimeoutError:  # of the network; it counts as an `OSError`
        raise
    except OSError as error:
        text = f"a fetched sound cannot be written to {path.parent} ({error.strerror})"
        raise FetchFailed("disk", text) from error


def _check(source: WebFile, path: Path) -> None:
    """Only what looks like sound is kept: it may have replaced a copy that was good. Blocking."""
    try:
        soundfile.info(path)
    except (soundfile.LibsndfileError, OSError):
        text = f"{source.shown} is not sound that can be played; have it offer WAV, FLAC, Ogg or MP3"
        raise FetchFailed("content", text) from None


def _conditions(known: Mapping[str, Any]) -> dict[str, str]:
    names = {"etag": "If-None-Match", "modified": "If-Modified-Since"}
    return {header: str(known[note]) for note, header in names.items() if known.get(note)}


def _note(response: httpx.Response, header: str) -> str | None:
    value = response.headers.get(header)
    return value if value and len(value) <= LONGEST_NOTE and value.isascii() else None
