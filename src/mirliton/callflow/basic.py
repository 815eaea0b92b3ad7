"""The few other actions that flows around a conference need: `response`, `play`, `sleep`, `callflow`, `hangup`."""

from collections.abc import Awaitable
from typing import Protocol

import structlog

from mirliton.callflow.flow import Branch, CallT, Document, Finished, GoOn, Outcome, Visit
from mirliton.conference.reading import flag, section, text, whole

_log = structlog.get_logger(__name__)

MAX_SLEEP_SECONDS = 3600.0
MAX_LOOPS = 100
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


async def response(data: Document, visit: Visit[CallT]) -> Finished:
    """A final SIP answer: `code` (default 486) and `message`. A call that was answered already is hung up."""
    code = whole(data, "code") or 486
    if not 400 <= code <= 699:
        _log.warning("callflow response is not a refusal, 486 is sent", code=code, call_id=visit.call.info.call_id)
        code = 486
    if text(data, "media"):
        _log.warning("callflow response cannot play its media before an answer", call_id=visit.call.info.call_id)
    visit.call.refuse(code, _one_line(text(data, "message")))
    await visit.call.hang_up()
    return Finished()


async def play(data: Document, visit: Visit[CallT]) -> GoOn:
    """Answer, and play the media `id` to its end, `loop_count` times. Without early media `answer:false` is silent."""
    sound = text(data, "id")
    if sound and flag(data, "answer") is not False:
        await visit.call.answer()
        loops = min(max(whole(data, "loop_count") or 1, 1), MAX_LOOPS)
        for _ in range(loops):
            await visit.call.play_to_end([sound], visit.language)
    return GoOn()


async def sleep(data: Document, visit: Visit[CallT]) -> GoOn:
    """Wait `duration` in `unit` (ms, s, m, h; default s), at most an hour."""
    seconds = max(whole(data, "duration") or 0, 0) * _UNITS.get(text(data, "unit") or "s", 1.0)
    await visit.call.pause(min(seconds, MAX_SLEEP_SECONDS))
    return GoOn()


async def hangup(_data: Document, visit: Visit[CallT]) -> Finished:
    """End the call."""
    await visit.call.hang_up()
    return Finished()


class Callflows(Protocol):
    """Where callflows are found by id."""

    def callflow(self, account_id: str, callflow_id: str) -> Awaitable[Document | None]:
        """The document of type callflow with this id in the account."""


class CallflowAction:
    """Action `callflow`: walk the flow of another callflow (`id`); an unknown one is skipped."""

    def __init__(self, callflows: Callflows) -> None:
        self._callflows = callflows

    async def __call__(self, data: Document, visit: Visit[CallT]) -> Outcome:
        wanted = text(data, "id")
        found = await self._callflows.callflow(visit.call.info.account_id, wanted) if wanted else None
        if found is None:
            _log.warning("callflow leads to one that does not exist", id=wanted, call_id=visit.call.info.call_id)
            return GoOn()
        return Branch(section(found, "flow"))


def _one_line(reason: str | None) -> str | None:
    """A reason phrase goes into a start line: nothing may end it early."""
    line = " ".join(reason.split()) if reason else ""
    return "".join(letter for letter in line if letter.isprintable())[:100] or None
