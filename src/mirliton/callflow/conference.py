"""The actions `conference` and `conference_feature` (semantics 1.1): into the room, and never back to the flow.

A caller who is transferred out of the room goes on in the flow of another number.
"""

from collections.abc import Awaitable
from typing import Generic, Protocol, TypeVar

import structlog

from mirliton.callflow.flow import CallT, Document, Finished, Instead, Visit
from mirliton.conference.entry import Admission, Documents, RunningRooms, enter
from mirliton.conference.ports import Names
from mirliton.conference.reading import section

VisitorT = TypeVar("VisitorT", contravariant=True)
_log = structlog.get_logger(__name__)


class Attendance(RunningRooms, Protocol[VisitorT]):
    """The rooms as the action needs them."""

    async def attend(self, call: VisitorT, admission: Admission) -> str | None:
        """Be in the room until the call ends (None), or is let go to another number (that)."""


class Way(Protocol):
    """Where a number leads; `calls.ports.Route` is one."""

    @property
    def callflow(self) -> Document:
        """The callflow document."""

    @property
    def captures(self) -> tuple[str, ...]:
        """What its pattern captured."""


class Ways(Protocol):
    """Where numbers lead."""

    def callflow_for(self, account_id: str, number: str) -> Awaitable[Way | None]:
        """The callflow of a number in an account."""


class ConferenceAction(Generic[CallT]):
    """Action `conference`: `data` is that of table 1 of the seeds."""

    def __init__(self, documents: Documents, rooms: Attendance[CallT], names: Names, ways: Ways) -> None:
        self._documents = documents
        self._rooms = rooms
        self._names = names
        self._ways = ways

    async def __call__(self, data: Document, visit: Visit[CallT]) -> Finished | Instead:
        admission = await enter(visit.call, data, self._documents, self._rooms, self._names)
        onward = await self._rooms.attend(visit.call, admission) if admission is not None else None
        return Finished() if onward is None else await self._transfer(visit.call, onward)

    async def _transfer(self, call: CallT, number: str) -> Finished | Instead:
        found = await self._ways.callflow_for(call.info.account_id, number)
        if found is None:
            _log.warning("transfer to a number that leads nowhere", number=number, call_id=call.info.call_id)
            await call.hang_up()
            return Finished()
        return Instead(section(found.callflow, "flow"), found.captures)


class ConferenceFeatureAction(ConferenceAction[CallT]):
    """Action `conference_feature`: the id is what the pattern captured of the dialled number."""

    async def __call__(self, data: Document, visit: Visit[CallT]) -> Finished | Instead:
        captured = next((text for text in visit.captures if text), None)
        return await super().__call__({**data, "id": captured} if captured else data, visit)
