"""The bytes of a radio station into a pipe, as fast as the other end takes them and no faster."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import httpx

from mirliton.sounds.addresses import Radio
from mirliton.sounds.asking import FetchFailed
from mirliton.sounds.radio_framing import Framing, NotAStream
from mirliton.sounds.radio_pacing import Throttle
from mirliton.sounds.statistics import LibraryStatistics


async def feed(
    source: Radio, response: httpx.Response, descriptor: int, throttle: Throttle, statistics: LibraryStatistics
) -> None:
    """Read the body until it ends; then, and on any failure, close the pipe.

    The pipe is what bounds the bytes in memory. Raises `FetchFailed` for what is no stream of sound, and what `httpx`
    raises.
    """
    framing = Framing()
    try:
        os.set_blocking(descriptor, False)
        async with aclosing(cast(AsyncGenerator[bytes, None], response.aiter_raw())) as parts:
            async for part in parts:
                await _write(descriptor, framing.feed(part))
                if (wait := throttle.wait(time.monotonic(), len(part))) > 0:
                    statistics.station_throttled += 1
                    await asyncio.sleep(wait)
    except NotAStream as error:
        raise FetchFailed("content", f"{source.shown} {error}") from None
    finally:
        os.close(descriptor)


async def _write(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            await _writable(descriptor)


async def _writable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(descriptor)
