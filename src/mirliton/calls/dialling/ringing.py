"""One endpoint's addresses ring together: the first to answer has the call, the others are cancelled."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from mirliton.calls.call import Call

Attempt = asyncio.Task[Call]


class Unreached(Exception):
    """An address did not take the call; the text says why, for whoever asked for it."""


async def first_to_answer(attempts: Sequence[Coroutine[Any, Any, Call]]) -> Call:
    """The call of the first attempt that comes to one. Raises `Unreached` of the last one when all of them fail.

    Cancelling this cancels every attempt. Whoever answers at the same moment as the first is hung up.
    """
    ringing = {asyncio.ensure_future(attempt) for attempt in attempts}
    first: Call | None = None
    try:
        first = await _first(ringing)
        await _end(ringing, first)
    except BaseException:
        await _end(ringing, None)
        raise
    return first


async def _first(attempts: set[Attempt]) -> Call:
    failure: BaseException = Unreached("nobody to call")
    ringing = attempts
    while ringing:
        done, ringing = await asyncio.wait(ringing, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            error = task.exception()
            if error is None:
                return task.result()
            if not isinstance(error, Unreached):
                raise error
            failure = error
    raise failure


async def _end(attempts: Iterable[Attempt], kept: Call | None) -> None:
    """End every attempt and every call but one."""
    pending = [task for task in attempts if not task.done()]
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)
    for task in attempts:
        if not task.cancelled() and task.exception() is None and task.result() is not kept:
            await task.result().hang_up()
