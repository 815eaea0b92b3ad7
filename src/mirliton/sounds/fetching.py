"""One file of a web server into a file on disk, within bounds of time, size and kind (semantics 5.3, `http(s)://`)."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import soundfile

from mirliton.outbound_http import AddressNotAllowed, client
from mirliton.outbound_http.lookup import Lookup
from mirliton.settings import SoundSettings
from mirliton.sounds.addresses import WebFile

MOST_REDIRECTS = 3
LONGEST_NOTE = 500
"""Characters of an ETag or date that are kept; they are sent back with the next request."""
_PAGES = ("text/html", "application/xhtml+xml")


class FetchFailed(Exception):
    """No sound came. `kind` is the counter's name; `final`: the server is well, and an old copy is not to be used."""

    def __init__(self, kind: str, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.kind = kind
        self.final = final


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
        self._lookup = lookup
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def fetch(self, source: WebFile, target: Path, known: Mapping[str, Any]) -> Fetched:
        """Write the file to `target`, unless it is the one that `known` (`etag`, `modified`) describes.

        Raises `FetchFailed`. Passwords in the address go to its own server only, not to where that redirects.
        """
        seconds = self._settings.fetch_seconds
        try:
            async with asyncio.timeout(seconds):
                async with self._answer(source, known) as response:
                    if response.status_code == 304 and known:
                        return Unchanged()
                    await self._receive(source, response, target)
                await asyncio.to_thread(_check, source, target)
        except (TimeoutError, httpx.TimeoutException):
            text = f"{source.shown} did not come within {seconds:g} s (sounds.fetch_seconds)"
            raise FetchFailed("time", text) from None
        except AddressNotAllowed as error:
            text = f"{source.shown}: {error}; the operator can allow networks in sounds.fetch_networks"
            raise FetchFailed("address", text, final=True) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            reason = str(error) or type(error).__name__
            raise FetchFailed("connection", f"{source.shown} cannot be fetched: {reason}") from error
        return Fetched(_note(response, "ETag"), _note(response, "Last-Modified"))

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _opened(self) -> httpx.AsyncClient:
        """The client. Reading the certificates of all authorities takes so long that it is done in a thread."""
        async with self._opening:
            if self._client is None:
                settings = self._settings
                self._client = await asyncio.to_thread(
                    client,
                    settings.fetch_networks,
                    timeout=settings.fetch_seconds,
                    max_connections=settings.max_fetches,
                    lookup=self._lookup,
                )
            return self._client

    @asynccontextmanager
    async def _answer(self, source: WebFile, known: Mapping[str, Any]) -> AsyncIterator[httpx.Response]:
        """The answer of the last server in a chain of redirects, its body unread."""
        http = await self._opened()
        request = http.build_request("GET", source.url, headers=_conditions(known))
        for _ in range(MOST_REDIRECTS + 1):
            if request.url.scheme not in ("http", "https"):
                raise FetchFailed("address", f"{source.shown} redirects to {request.url.scheme}:, which is not fetched")
            response = await http.send(request, stream=True)
            try:
                if response.next_request is None:
                    yield response
                    return
                request = response.next_request
            finally:
                await response.aclose()
        raise FetchFailed("address", f"{source.shown} redirects more than {MOST_REDIRECTS} times")

    async def _receive(self, source: WebFile, response: httpx.Response, target: Path) -> None:
        """Check the head of the answer, then write its body as it comes in."""
        most = self._settings.max_fetch_bytes
        _check_head(source, response)
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


def _check_head(source: WebFile, response: httpx.Response) -> None:
    status = response.status_code
    if status != 200:
        # An answer in 400..499 is about the address; too many requests and a slow request are about the moment.
        final = 400 <= status < 500 and status not in (408, 425, 429)
        raise FetchFailed("status", f"{source.shown}: the web server answers {status}; check the address", final=final)
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise FetchFailed("content", f"{source.shown} comes compressed, unasked; have the server send it as it is")
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() in _PAGES:
        raise FetchFailed("content", f"{source.shown} is a web page; give the address of the sound file itself")


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
