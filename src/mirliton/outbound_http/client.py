"""An `httpx` client that connects to exactly the addresses that were checked, so that a name which changes between
check and connection ("DNS rebinding") gains nothing."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Network

import httpcore
import httpx

from mirliton.outbound_http.addresses import Address, allowed
from mirliton.outbound_http.connections import Connection, Connections
from mirliton.outbound_http.lookup import Lookup, SystemLookup
from mirliton.outbound_http.metering import RADIO, Pieces

MAX_ADDRESSES = 4
"""Of one host that are tried, one after the other."""

_SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


def client(
    allowed_networks: Sequence[IPv4Network],
    *,
    timeout: float,
    max_connections: int,
    lookup: Lookup | None = None,
) -> httpx.AsyncClient:
    """A client for addresses that tenants choose. Close it at the end.

    Follows no redirects, reads neither proxies nor passwords from the environment, keeps no cookies, asks for bodies
    as they are. `timeout` (s) bounds each single wait; bound the whole with `asyncio.timeout`, and read bodies with
    `aiter_raw` and a limit. Besides what `httpx` raises: `AddressNotAllowed` when a host is in a private network that
    is not in `allowed_networks`. `lookup` is for tests.
    """
    checked = CheckedConnections(allowed_networks, lookup or SystemLookup())
    return httpx.AsyncClient(
        transport=Transport(checked, max_connections),
        timeout=timeout,
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"Accept-Encoding": "identity", "User-Agent": "Mirliton"},
    )


class CheckedConnections(httpcore.AsyncNetworkBackend):
    """Looks the host up once, checks, and connects to what it found."""

    def __init__(self, networks: Sequence[IPv4Network], lookup: Lookup) -> None:
        self._networks = networks
        self._lookup = lookup
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore has it
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to one of the host's addresses. Raises `AddressNotAllowed`, and what `httpcore` raises.

        The waits for the lookup and all addresses share `timeout`.
        """
        if not 0 < port < 65536:  # the system's resolver would take it modulo 65536
            raise httpcore.ConnectError(f"{port} is no port")
        end = None if timeout is None else time.monotonic() + timeout
        addresses = await self._found(host, port, timeout)
        for tries_left in range(len(addresses), 0, -1):
            address = addresses[-tries_left]
            share = None if end is None else max(0.0, end - time.monotonic()) / tries_left
            try:
                return await self._plain.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if tries_left == 1:
                    raise
        raise httpcore.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore has it
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never: raises `httpcore.ConnectError`."""
        raise httpcore.ConnectError(f"{path}: sockets of this machine are nobody's to reach")

    async def sleep(self, seconds: float) -> None:
        """Between attempts of `httpcore`."""
        await self._plain.sleep(seconds)

    async def _found(self, host: str, port: int, seconds: float | None) -> list[Address]:
        try:
            async with asyncio.timeout(seconds):
                addresses = await self._lookup(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"the address of {host} was not found in time") from None
        except OSError as error:
            raise httpcore.ConnectError(f"the address of {host} was not found: {error.strerror or error}") from error
        return allowed(host, addresses, self._networks)[:MAX_ADDRESSES]


class Transport(httpx.AsyncBaseTransport):
    """Requests of `httpx` over connections of `httpcore` that are made by `checked`."""

    def __init__(self, checked: CheckedConnections, max_connections: int) -> None:
        self.connections = Connections(max_connections, _trust(), checked)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request; see `httpx.AsyncBaseTransport`."""
        if not isinstance(request.stream, httpx.AsyncByteStream):
            raise TypeError("the body of a request must be readable without blocking")
        url = request.url
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        if url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(f"{url.scheme!r} is neither http nor https")
        with _named_as_httpx_does():
            connection, answer = await self.connections.begin(asked)
        body = _Body(self.connections, connection, answer, paced=bool(request.extensions.get(RADIO)))
        return httpx.Response(answer.status, headers=answer.headers, stream=body, extensions=answer.extensions)

    async def aclose(self) -> None:
        """Close all connections that are not in use."""
        await self.connections.close()


class _Body(httpx.AsyncByteStream):
    def __init__(
        self, connections: Connections, connection: Connection, answer: httpcore.Response, *, paced: bool
    ) -> None:
        self._connections = connections
        self._paced = paced
        self._connection = connection
        self._answer = answer
        self._open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _named_as_httpx_does():
            pieces = Pieces()
            async for part in self._answer.aiter_stream():
                if not self._paced:
                    pieces.add(len(part))
                yield part

    async def aclose(self) -> None:
        if not self._open:
            return
        self._open = False
        try:
            with _named_as_httpx_does():
                await self._answer.aclose()
        finally:
            await self._connections.end(self._connection)


@contextmanager
def _named_as_httpx_does() -> Iterator[None]:
    """The two libraries have the same exceptions under the same names."""
    try:
        yield
    except _FAILURES as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error


_FAILURES = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    httpcore.ProxyError,
)


@cache
def _trust() -> ssl.SSLContext:
    """The authorities that come with `httpx`, and those that the operator gave the system; slow to read."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context
