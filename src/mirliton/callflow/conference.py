"""The actions `conference` and `conference_feature` (semantics 1.1): into the room, and never back to the flow."""

from typing import Generic, Protocol, TypeVar

from mirliton.callflow.flow import CallT, Document, Finished, Visit
from mirliton.conference.entry import Admission, Documents, RunningRooms, enter

VisitorT = TypeVar("VisitorT", contravariant=True)


class Attendance(RunningRooms, Protocol[VisitorT]):
    """The rooms as the action needs them."""

    async def attend(self, call: VisitorT, admission: Admission) -> None:
        """Be in the room until the call ends."""


class ConferenceAction(Generic[CallT]):
    """Action `conference`: `data` is that of table 1 of the seeds."""

    def __init__(self, documents: Documents, rooms: Attendance[CallT]) -> None:
        self._documents = documents
        self._rooms = rooms

    async def __call__(self, data: Document, visit: Visit[CallT]) -> Finished:
        admission = await enter(visit.call, data, self._documents, self._rooms)
        if admission is not None:
            await self._rooms.attend(visit.call, admission)
        return Finished()


class ConferenceFeatureAction(ConferenceAction[CallT]):
    """Action `conference_feature`: the id is what the pattern captured of the dialled number."""

    async def __call__(self, data: Document, visit: Visit[CallT]) -> Finished:
        captured = next((text for text in visit.captures if text), None)
        return await super().__call__({**data, "id": captured} if captured else data, visit)
