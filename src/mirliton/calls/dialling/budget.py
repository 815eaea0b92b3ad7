"""What an account spends on the trunk: a window of 24 hours that slides in steps of ten minutes.

Kept as one small document of the account, not in memory or in a file beside the database: a restart does not reset it,
several servers on one database share it, and two calls at the same moment cannot both take the last minute.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import structlog

from mirliton.store import Document, NotFound, StaleRevision, TooManyDocuments

_log = structlog.get_logger(__name__)

STEP_SECONDS = 600
DAY_SECONDS = 86_400
DOCUMENT_ID = "dial.budget"
KIND = "dial_budget"

Spent = dict[str, list[int]]
"""Start of the step in UNIX seconds (as text: JSON keys are texts) -> [calls, minutes]; at most 146 entries."""


class Exhausted(Exception):
    """The budget of the last 24 hours is used up."""


def spend(
    spent: Mapping[str, list[int]], now: float, *, calls: int, minutes: int, max_calls: int, max_minutes: int
) -> Spent:
    """What is spent after taking this, old steps forgotten. Raises `Exhausted`.

    A step counts until its last second is 24 hours ago: the window is never shorter than a day.
    """
    left = {start: list(used) for start, used in spent.items() if int(start) + STEP_SECONDS + DAY_SECONDS > now}
    if sum(used[0] for used in left.values()) + calls > max_calls:
        raise Exhausted
    if sum(used[1] for used in left.values()) + max(minutes, 1) > max_minutes:
        raise Exhausted
    step = left.setdefault(str(int(now // STEP_SECONDS) * STEP_SECONDS), [0, 0])
    step[0] += calls
    step[1] += minutes
    return left


class Documents(Protocol):
    """Where the account's document is kept; `store.documents.Documents`."""

    async def create(
        self,
        account_id: str,
        kind: str,
        body: dict[str, Any],
        private: dict[str, Any] | None = None,
        *,
        document_id: str | None = None,
    ) -> Document:
        """Raises `StaleRevision` when the id is taken, `TooManyDocuments`."""

    async def update(
        self,
        account_id: str,
        document_id: str,
        change: Callable[[Document], tuple[dict[str, Any], dict[str, Any]]],
        *,
        kind: str | None = None,
        expected: str | None = None,
    ) -> Document:
        """Change it in one transaction. Raises `NotFound` and whatever `change` raises."""


class StoredBudgets:
    """`ports.Budgets` over the document store. `now` gives UNIX seconds."""

    def __init__(
        self, documents: Documents, *, calls_per_day: int, minutes_per_day: int, now: Callable[[], float] = time.time
    ) -> None:
        self._documents = documents
        self._max_calls = calls_per_day
        self._max_minutes = minutes_per_day
        self._now = now

    async def spend(self, account_id: str, *, calls: int = 0, minutes: int = 0) -> bool:
        """Take from the account's budget; False when it is used up."""

        def after(spent: Mapping[str, list[int]]) -> dict[str, Any]:
            limits = {"max_calls": self._max_calls, "max_minutes": self._max_minutes}
            return {"spent": spend(spent, self._now(), calls=calls, minutes=minutes, **limits)}

        try:
            await self._keep(account_id, after)
        except Exhausted:
            return False
        except TooManyDocuments:  # what cannot be written down must not be spent
            _log.warning("dial budget cannot be kept: the account is full of documents", account_id=account_id)
            return False
        return True

    async def _keep(self, account_id: str, after: Callable[[Mapping[str, list[int]]], dict[str, Any]]) -> None:
        def change(old: Document) -> tuple[dict[str, Any], dict[str, Any]]:
            return after(old.body.get("spent", {})), old.private

        try:
            await self._documents.update(account_id, DOCUMENT_ID, change, kind=KIND)
        except NotFound:
            try:
                await self._documents.create(account_id, KIND, after({}), document_id=DOCUMENT_ID)
            except StaleRevision:  # another call was first
                await self._documents.update(account_id, DOCUMENT_ID, change, kind=KIND)
