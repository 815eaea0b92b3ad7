"""Real rooms without calls: they publish into a feed as the running ones do."""

import asyncio
from itertools import count
from typing import Any

from mirliton.calls.events import EventFeed
from mirliton.conference.effects import Publish
from mirliton.conference.member import Member
from mirliton.conference.ports import CallerInfo
from mirliton.conference.profile import Configuration
from mirliton.conference.room import Room
from mirliton.conference.settings import CallerSettings, Conference, Role, room_settings

from ..fake_rooms import FakeRooms

MEMBER = CallerSettings(Role.MEMBER)


class PlayedRooms(FakeRooms):
    """`LiveRooms` over rooms of the domain; a room ends with its last member."""

    def __init__(self, feed: EventFeed) -> None:
        super().__init__()
        self.feed = feed
        self.running: dict[tuple[str, str], Room] = {}
        self.broken = False
        self._ids = count(1)
        self._instances = count(1)
        self._clock = count(1_000)

    def start(self, account_id: str, conference_id: str) -> Room:
        """A room without members."""
        room = Room(
            room_settings(Conference(account_id, conference_id, {"name": "sales"}, stored=True), Configuration()),
            instance_id=f"instance-{next(self._instances)}",
            next_member_id=lambda: next(self._ids),
            now=next(self._clock),
            node="node-1",
        )
        self.running[account_id, conference_id] = room
        self._publish(room)
        return room

    def join(self, room: Room, call_id: str | None = None) -> int:
        """A new member's id."""
        call_id = call_id or f"call-{next(self._ids)}"
        info = CallerInfo(call_id, room.settings.account_id, "Ann", "+4930123456")
        member = room.join(info, MEMBER, next(self._clock))
        assert isinstance(member, Member)
        self._publish(room)
        return member.member_id

    def leave(self, room: Room, member_id: int) -> None:
        """A member hangs up."""
        room.leave(member_id, next(self._clock))
        self._publish(room)
        if room.ended:
            self.running.pop((room.settings.account_id, room.settings.conference_id), None)

    def _publish(self, room: Room) -> None:
        for effect in room.drain():
            if isinstance(effect, Publish):
                self.feed.publish(effect.event)

    def conferences(self, account_id: str) -> list[str]:
        return [conference_id for owner, conference_id in self.running if owner == account_id]

    def snapshot(self, account_id: str, conference_id: str) -> dict[str, Any] | None:
        if self.broken:
            raise RuntimeError("the engine is gone")
        room = self.running.get((account_id, conference_id))
        if room is None:
            return None
        now = next(self._clock)
        return {**room.snapshot(now), "participants": [room.participant(member, now) for member in room]}


async def storm(rooms: PlayedRooms, room: Room, pairs: int, per_turn: int = 4) -> int:
    """Joins and leaves, a few in each turn of the loop; how many events that were."""
    before = room.sequence
    present: list[int] = []
    for number in range(pairs):
        present.append(rooms.join(room))
        if len(present) > 5:
            rooms.leave(room, present.pop(0))
        if number % per_turn == 0:
            await asyncio.sleep(0)
    return room.sequence - before
