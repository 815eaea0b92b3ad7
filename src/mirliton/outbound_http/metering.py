"""How much an answer may cost to read: a server that sends nothing but interim answers (1xx), or bodies byte by byte,
would otherwise keep the whole process busy for as long as a request may take."""

import ssl
from collections.abc import Iterable

import httpcore

RADIO = "mirliton.radio"
"""An extension of a request to a radio station. Its body never ends, and whoever reads it paces the pieces; the answer
may begin with `ICY`, as that of a Shoutcast server does, in place of the version of HTTP."""
LONGEST_HEAD = 65_536
"""Bytes of everything before the body, interim answers included."""
HEAD_READ = 4096
"""Bytes that are read at a time before the body: others get their turn in between."""
FREE_PIECES = 1000
_ICY, _HTTP = b"ICY ", b"HTTP/1.0 "
SMALLEST_PIECE = 512
"""Bytes that the pieces of a body have on average, once there are more than `FREE_PIECES`."""

_SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class Meter(httpcore.AsyncNetworkBackend):
    """The network of one connection. `expect_head` when a request is sent, `head_came` when its answer begins."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend
        self._left: int | None = None
        self._may_be_icy = False

    def expect_head(self, *, radio: bool = False) -> None:
        """From now on what is read is counted. `radio`: see `RADIO`."""
        self._left = LONGEST_HEAD
        self._may_be_icy = radio

    def head_came(self) -> None:
        """What is read from now on is the body, whose reader has a limit of its own."""
        self._left = None

    def allowance(self, most: int) -> int:
        """Bytes to read next."""
        return most if self._left is None else min(most, HEAD_READ)

    def count(self, size: int) -> None:
        """Bytes were read. Raises `httpcore.ReadError` when there are too many."""
        if self._left is None:
            return
        self._left -= size
        if self._left < 0:
            raise httpcore.ReadError(f"more than {LONGEST_HEAD} bytes came before the answer began")

    def as_http(self, data: bytes) -> bytes:
        """What was read, in a form that parsers of HTTP know."""
        icy, self._may_be_icy = self._may_be_icy and data.startswith(_ICY), False
        return _HTTP + data.removeprefix(_ICY) if icy else data

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore has it
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """See `httpcore.AsyncNetworkBackend`."""
        return _Metered(await self._backend.connect_tcp(host, port, timeout, local_address, socket_options), self)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore has it
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """See `httpcore.AsyncNetworkBackend`."""
        return _Metered(await self._backend.connect_unix_socket(path, timeout, socket_options), self)

    async def sleep(self, seconds: float) -> None:
        """See `httpcore.AsyncNetworkBackend`."""
        await self._backend.sleep(seconds)


class _Metered(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        data = await self._stream.read(self._meter.allowance(max_bytes), timeout)
        self._meter.count(len(data))
        return self._meter.as_http(data)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return _Metered(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._meter)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class Pieces:
    """Counts the pieces of one body."""

    def __init__(self) -> None:
        self._count = self._bytes = 0

    def add(self, size: int) -> None:
        """One more piece. Raises `httpcore.ReadError` when they are many and small."""
        self._count += 1
        self._bytes += size
        if self._count > FREE_PIECES and self._bytes < self._count * SMALLEST_PIECE:
            raise httpcore.ReadError("the body comes in too many small pieces")
