"""Questions to the web servers that tenants name: over checked connections, through redirects, with failures in words
(semantics 5.3)."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx

from mirliton.outbound_http import AddressNotAllowed, client
from mirliton.outbound_http.lookup import Lookup
from mirliton.settings import SoundSettings
from mirliton.sounds.addresses import Radio, WebFile

MOST_REDIRECTS = 3
MOST_FAILURES_REMEMBERED = 1000
_PAGES = ("text/html", "application/xhtml+xml")


class FetchFailed(Exception):
    """No sound came. `kind` is the counter's name; `final`: the server is well, and an old copy is not to be used."""

    def __init__(self, kind: str, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.kind = kind
        self.final = final


class RecentFailures:
    """A server that failed is not asked again for each caller: what failed in the last `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._failed: OrderedDict[str, tuple[float, FetchFailed]] = OrderedDict()

    def lately(self, name: str, now: float) -> FetchFailed | None:
        """The failure, if it is still to be gone by."""
        until, failure = self._failed.get(name, (0.0, None))
        return failure if now < until else None

    def remember(self, name: str, failure: FetchFailed, now: float) -> None:
        """Note a failure; of too many the oldest is forgotten."""
        self._failed.pop(name, None)
        self._failed[name] = (now + self._seconds, failure)
        if len(self._failed) > MOST_FAILURES_REMEMBERED:
            self._failed.popitem(last=False)


class WebServers:
    """Asks; the connections, `max_connections` at most, are opened when first needed."""

    def __init__(self, settings: SoundSettings, max_connections: int, lookup: Lookup | None = None) -> None:
        self._settings = settings
        self._max_connections = max_connections
        self._lookup = lookup
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def answer(
        self, source: WebFile | Radio, headers: Mapping[str, str], extensions: Mapping[str, Any] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """The answer of the last server in a chain of redirects, its body unread.

        Raises `FetchFailed`, and what `httpx` raises. Passwords in the address go to its own server only, not to where
        that redirects.
        """
        http = await self._opened()
        request = http.build_request("GET", source.url, headers=dict(headers), extensions=dict(extensions or {}))
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

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _opened(self) -> httpx.AsyncClient:
        """The client. Reading the certificates of all authorities takes so long that it is done in a thread."""
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(
                    client,
                    self._settings.fetch_networks,
                    timeout=self._settings.fetch_seconds,
                    max_connections=self._max_connections,
                    lookup=self._lookup,
                )
            return self._client


@contextmanager
def failures_told(source: WebFile | Radio, seconds: float) -> Iterator[None]:
    """Whatever goes wrong on the way to a web server as `FetchFailed`."""
    try:
        yield
    except (TimeoutError, httpx.TimeoutException):
        text = f"{source.shown} did not come within {seconds:g} s (sounds.fetch_seconds)"
        raise FetchFailed("time", text) from None
    except AddressNotAllowed as error:
        text = f"{source.shown}: {error}; the operator can allow networks in sounds.fetch_networks"
        raise FetchFailed("address", text, final=True) from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        reason = str(error) or type(error).__name__
        raise FetchFailed("connection", f"{source.shown} cannot be fetched: {reason}") from error


def check_head(source: WebFile | Radio, response: httpx.Response) -> None:
    """Whether the body may be sound. Raises `FetchFailed`."""
    status = response.status_code
    if status != 200:
        # An answer in 400..499 is about the address; too many requests and a slow request are about the moment.
        final = 400 <= status < 500 and status not in (408, 425, 429)
        raise FetchFailed("status", f"{source.shown}: the web server answers {status}; check the address", final=final)
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise FetchFailed("content", f"{source.shown} comes compressed, unasked; have the server send it as it is")
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() in _PAGES:
        raise FetchFailed("content", f"{source.shown} is a web page; give the address of the sound file itself")
