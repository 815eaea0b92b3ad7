"""Names to addresses with the system's resolver, which blocks: in threads of our own, as many as are allowed."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

from mirliton.outbound_http.addresses import Address, parsed

Lookup = Callable[[str, int], Awaitable[list[Address]]]
"""(host, port) -> addresses in the order of preference; raises `OSError`."""

MAX_LOOKUPS = 256
"""At the same time. A name that nobody answers for keeps one until the system gives up (ten seconds and more)."""

_Place = tuple[str, int]


class SystemLookup:
    """A `Lookup` whose slow answers hold up nobody else.

    Not the loop's own threads: names that never resolve would fill them, and sounds of calls wait for those. The
    threads are daemons, because a lookup cannot be broken off and a server that ends must not wait for one. Who asks
    for a name that is being looked up waits with the others, so that asking again and again costs nothing.
    """

    def __init__(self, limit: int = MAX_LOOKUPS) -> None:
        self._limit = limit
        self._running: dict[_Place, asyncio.Future[list[Address]]] = {}

    async def __call__(self, host: str, port: int) -> list[Address]:
        """Raises `OSError` when the name has no address (`socket.gaierror`), or too many are looked up now."""
        answer = self._running.get((host, port)) or self._begin((host, port))
        return await asyncio.shield(answer)

    def _begin(self, place: _Place) -> "asyncio.Future[list[Address]]":
        if len(self._running) >= self._limit:
            raise OSError(f"{self._limit} other names are being looked up: try again later")
        loop = asyncio.get_running_loop()
        try:
            threading.Thread(target=self._look_up, args=(loop, place), name="lookup", daemon=True).start()
        except RuntimeError as error:  # the system gives no more threads
            raise OSError(str(error)) from error
        answer = self._running[place] = loop.create_future()
        return answer

    def _look_up(self, loop: asyncio.AbstractEventLoop, place: _Place) -> None:
        result: list[Address] | OSError
        try:
            result = _addresses(*place)
        except OSError as error:
            result = error
        except (ValueError, OverflowError) as error:  # a label that is empty or too long, a port beyond all ports
            result = OSError(f"{place} is no address: {error}")
        with suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits
            loop.call_soon_threadsafe(self._finish, place, result)

    def _finish(self, place: _Place, result: list[Address] | OSError) -> None:
        answer = self._running.pop(place)
        if isinstance(result, OSError):
            answer.set_exception(result)
        else:
            answer.set_result(result)


def _addresses(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(parsed(str(address[0])) for *_, address in found))
