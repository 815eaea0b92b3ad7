"""One whole call, from dialling to the report."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from mirliton.phone.codecs import open_codec
from mirliton.phone.conversation import Conversation
from mirliton.phone.phone import CallFailed, Phone, PhoneSettings, Tell
from mirliton.phone.report import CallReport

Result = TypeVar("Result")

LAST_WORDS = 1.0  # s that a call goes on after the last thing said, so that an answer to it can be heard


async def place_call(
    uri: str,
    *,
    settings: PhoneSettings | None = None,
    play: str | Path = "silence",
    digits: Sequence[tuple[str, float]] = (),
    seconds: float | None = None,
    hang_up_after_digits: bool = False,
    tell: Tell | None = None,
    stop: asyncio.Event | None = None,
) -> CallReport:
    """One whole call: talk and press, then hang up after `seconds`, or when all was said, or when the others do.

    Setting `stop` gives up calling, or hangs up.

    `digits`: pairs of keys and the time of the first in seconds. Without `seconds`, a call that plays a file ends a
    second after it, any other call when the other side ends it. Never raises for a refused call: see the report.
    """
    for codec in (settings or PhoneSettings()).codecs:
        open_codec(codec)  # a missing package is said before anybody's phone rings
    stop = stop or asyncio.Event()
    async with Phone(settings) as phone:
        try:
            call = await unless(stop, phone.call(uri, tell=tell))
        except CallFailed as failure:
            return failure.report
        if call is None:
            return CallReport(uri, 487, "given up before anybody answered")
        call.say(play)
        for keys, at in digits:
            call.press(keys, at)
        await unless(stop, until_over(call, seconds, hang_up_after_digits, finite=_ends(play)))
        await call.hang_up()
        return call.report


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """The result of `work`, or None when `stop` is set first and the work is given up."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.wait({working, stopping})


async def until_over(call: Conversation, seconds: float | None, after_digits: bool, *, finite: bool) -> None:
    """Wait for the first reason to hang up."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            if after_digits or (seconds is None and finite):
                await call.said()
                await asyncio.wait_for(call.ended.wait(), LAST_WORDS)
            await call.ended.wait()


def _ends(play: str | Path) -> bool:
    return isinstance(play, Path) or not (play == "silence" or play.startswith("tone:"))
