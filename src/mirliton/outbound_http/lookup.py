"""Names to addresses with the system's resolver, which blocks: in threads of our own, as many as are allowed."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

from mirliton.outbound_http.addresses import Address, parsed

Lookup = Callable[[str, int], Awaitable[list[Address]]]
"""(host, port) -> addresses in the order of preference; raises `OSError`."""

MAX_LOOKUPS = 64


class SystemLookup:
    """A `Lookup` whose slow answers hold up nobody else.

    Not the loop's own threads: names that never resolve would fill them, and sounds of calls wait for those. The
    threads are daemons, because a lookup cannot be broken off and a server that ends must not wait for one.
    """

    def __init__(self, limit: int = MAX_LOOKUPS) -> None:
        self._free = asyncio.Semaphore(limit)

    async def __call__(self, host: str, port: int) -> list[Address]:
        """Raises `OSError` (`socket.gaierror`) when the name has no address."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Address]] = loop.create_future()
        thread = threading.Thread(target=self._look_up, args=(loop, answer, host, port), name="lookup", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system gives no more threads
            self._free.release()
            raise OSError(str(error)) from error
        return await answer

    def _look_up(
        self, loop: asyncio.AbstractEventLoop, answer: "asyncio.Future[list[Address]]", host: str, port: int
    ) -> None:
        result: list[Address] | OSError
        try:
            result = _addresses(host, port)
        except OSError as error:
            result = error
        except (ValueError, OverflowError) as error:  # a label that is empty or too long, a port beyond all ports
            result = OSError(f"{host!r}, port {port} is no address: {error}")
        with suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits
            loop.call_soon_threadsafe(self._finish, answer, result)

    def _finish(self, answer: "asyncio.Future[list[Address]]", result: list[Address] | OSError) -> None:
        self._free.release()
        if answer.done():  # nobody waits any more
            return
        if isinstance(result, OSError):
            answer.set_exception(result)
        else:
            answer.set_result(result)


def _addresses(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(parsed(str(address[0])) for *_, address in found))
