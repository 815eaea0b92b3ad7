"""One attempt over HTTP: whatever the other side does, an outcome comes back in time."""

import asyncio
from collections.abc import Callable

import httpx

from mirliton.outbound_http import AddressNotAllowed
from mirliton.webhooks.hook import Hook
from mirliton.webhooks.message import Delivery, message
from mirliton.webhooks.outcome import Outcome, retry_after

MAX_ANSWER_BYTES = 4096
"""Of an answer's body: read so that the connection can be used again, then thrown away."""
_MAX_REASON = 300


class Sender:
    """Sends over one client; `seconds` is for the whole attempt, `now` gives UNIX seconds."""

    def __init__(self, http: httpx.AsyncClient, seconds: float, now: Callable[[], float]) -> None:
        self._http = http
        self._seconds = seconds
        self._now = now

    async def send(self, hook: Hook, delivery: Delivery) -> Outcome:
        """Try once. Raises `ValueError` or `TypeError` only for an event that is no JSON."""
        try:
            request = message(hook, delivery, self._now())
            async with (
                asyncio.timeout(self._seconds),
                self._http.stream(
                    request.method, request.url, headers=request.headers, content=request.content
                ) as answer,
            ):
                await _read_some(answer)
        except (TimeoutError, httpx.TimeoutException) as error:
            said = f": {_text(error)}" if str(error) else ""
            return Outcome(False, reason=f"no complete answer within {self._seconds:g} seconds{said}")
        except AddressNotAllowed as error:
            return Outcome(False, reason=_text(error), final=True)
        except httpx.InvalidURL as error:
            return Outcome(False, reason=f"the uri cannot be used: {_text(error)}", final=True)
        except httpx.HTTPError as error:
            return Outcome(False, reason=f"{type(error).__name__}: {_text(error)}")
        return self._judged(answer)

    def _judged(self, answer: httpx.Response) -> Outcome:
        code = answer.status_code
        if answer.is_success:
            return Outcome(True, code)
        if answer.is_redirect:
            return Outcome(False, code, "the server redirects, which is not followed: change the uri")
        wait = retry_after(answer.headers.get("retry-after"), self._now())
        return Outcome(False, code, f"the server answered {code}", retry_after=wait)


async def _read_some(answer: httpx.Response) -> None:
    size = 0
    async for part in answer.aiter_raw():
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            return


def _text(error: Exception) -> str:
    return str(error)[:_MAX_REASON]
