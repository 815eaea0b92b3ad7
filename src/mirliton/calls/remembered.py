"""`CallData` that remembers: many calls ask the same few questions, and a database takes milliseconds for each.

Forgets everything when any document changes on this node, so a change holds from the next call; what another node
on the same database changed holds after `max_age` seconds at the latest.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from mirliton.calls.ports import Account, CallData, Route
from mirliton.conference.profile import Configuration
from mirliton.conference.reading import Document

Answer = TypeVar("Answer")
_MAX_AGE = 5.0
_MAX_ANSWERS = 10_000


class RememberedCallData:
    """In front of another `CallData`; `clock` gives seconds."""

    def __init__(
        self,
        source: CallData,
        clock: Callable[[], float],
        *,
        max_age: float = _MAX_AGE,
        max_answers: int = _MAX_ANSWERS,
    ) -> None:
        self._source, self._clock = source, clock
        self._max_age, self._max_answers = max_age, max_answers
        self._answers: OrderedDict[tuple[str, ...], tuple[float, Any]] = OrderedDict()
        self._changes = 0
        self.asked = self.remembered = 0

    def forget(self) -> None:
        """Something was changed."""
        self._changes += 1
        self._answers.clear()

    async def account_for(self, domain: str) -> Account | None:
        """See `CallData`."""
        return await self._answer(("account", domain), lambda: self._source.account_for(domain))

    async def callflow_for(self, account_id: str, number: str) -> Route | None:
        """See `CallData`."""
        return await self._answer(("route", account_id, number), lambda: self._source.callflow_for(account_id, number))

    async def callflow(self, account_id: str, callflow_id: str) -> Document | None:
        """See `CallData`."""
        question = ("callflow", account_id, callflow_id)
        return await self._answer(question, lambda: self._source.callflow(account_id, callflow_id))

    async def conference(self, account_id: str, conference_id: str) -> Document | None:
        """See `conference.entry.Documents`."""
        question = ("conference", account_id, conference_id)
        return await self._answer(question, lambda: self._source.conference(account_id, conference_id))

    async def conferences_by_number(self, account_id: str, number: str) -> Sequence[Document]:
        """See `conference.entry.Documents`."""
        question = ("number", account_id, number)
        return await self._answer(question, lambda: self._source.conferences_by_number(account_id, number))

    async def conference_configuration(self, account_id: str) -> Configuration:
        """See `conference.entry.Documents`."""
        question = ("configuration", account_id)
        return await self._answer(question, lambda: self._source.conference_configuration(account_id))

    async def _answer(self, question: tuple[str, ...], ask: Callable[[], Awaitable[Answer]]) -> Answer:
        known = self._answers.get(question)
        if known is not None and self._clock() < known[0]:
            self.remembered += 1
            answer: Answer = known[1]
            return answer
        self.asked += 1
        changes = self._changes
        answer = await ask()
        if changes == self._changes:  # else it may be from before the change
            self._answers[question] = self._clock() + self._max_age, answer
            self._answers.move_to_end(question)
            while len(self._answers) > self._max_answers:
                self._answers.popitem(last=False)
        return answer
