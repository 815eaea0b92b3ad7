"""Connections that are used again. Each belongs to one request at a time, and ends with it when the request does not
complete: `httpcore`'s own pool keeps some for ever whose requests are cancelled, until it is full."""

import asyncio
import ssl

import httpcore

from mirliton.outbound_http.metering import RADIO, Meter

IDLE_SECONDS = 30.0
"""After this an idle connection is not used again."""


class Connection(httpcore.AsyncHTTPConnection):
    """One that counts what comes before the body."""

    def __init__(self, origin: httpcore.Origin, trust: ssl.SSLContext, meter: Meter) -> None:
        super().__init__(origin, ssl_context=trust, keepalive_expiry=IDLE_SECONDS, network_backend=meter)
        self.meter = meter


class Connections:
    """At most `limit` connections, idle ones included; further requests wait."""

    def __init__(self, limit: int, trust: ssl.SSLContext, backend: httpcore.AsyncNetworkBackend) -> None:
        self.idle: list[Connection] = []  # the one that was used longest ago first
        self.busy = 0
        self._limit = limit
        self._trust = trust
        self._backend = backend
        self._closed = False
        self._free = asyncio.Semaphore(limit)

    async def begin(self, request: httpcore.Request) -> tuple[Connection, httpcore.Response]:
        """Send, and wait for the head of the answer. `end` the connection after the body.

        Raises what `httpcore` raises; the connection is closed then.
        """
        await self._wait(request.extensions.get("timeout", {}).get("pool"))
        self.busy += 1
        connection: Connection | None = None
        try:
            connection = await self._connection(request.url.origin)
            connection.meter.expect_head(radio=bool(request.extensions.get(RADIO)))
            answer = await connection.handle_async_request(request)
            connection.meter.head_came()
            return connection, answer
        except BaseException:
            self._release()
            if connection is not None:
                await connection.aclose()
            raise

    async def end(self, connection: Connection) -> None:
        """The answer was closed. One that was not read to its end has closed the connection with it."""
        self._release()
        if connection.is_idle() and not self._closed:
            self.idle.append(connection)
        else:
            await connection.aclose()

    async def close(self) -> None:
        """Close those that nobody uses; the others close when their requests end."""
        self._closed = True
        while self.idle:
            await self.idle.pop().aclose()

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._free.acquire()
        except TimeoutError:
            raise httpcore.PoolTimeout(f"all {self._limit} connections are in use") from None

    def _release(self) -> None:
        self.busy -= 1
        self._free.release()

    async def _connection(self, origin: httpcore.Origin) -> Connection:
        while self.idle and self.idle[0].has_expired():
            await self.idle.pop(0).aclose()
        while (known := self._taken(origin)) is not None:
            if not known.has_expired():  # nor has the server closed it
                return known
            await known.aclose()
        if self.idle and self.busy + len(self.idle) > self._limit:
            await self.idle.pop(0).aclose()
        return Connection(origin, self._trust, Meter(self._backend))

    def _taken(self, origin: httpcore.Origin) -> Connection | None:
        for place in reversed(range(len(self.idle))):
            if self.idle[place].can_handle_request(origin):
                return self.idle.pop(place)
        return None
