"""The running rooms of this node, by (account id, conference id): finding one and making one are a single step."""

import itertools
from collections.abc import Collection, Iterator
from uuid import uuid4

from mirliton.conference.events import PUBLISHED
from mirliton.conference.room import Room
from mirliton.conference.settings import RoomSettings


class RoomsFull(Exception):
    """The operator's limit of rooms is reached."""


class Directory:
    """All rooms. Ad-hoc rooms of two accounts never meet, whatever their names (semantics 1.5.6)."""

    def __init__(
        self,
        *,
        node: str = "",
        max_rooms: int = 1000,
        max_members: int = 4000,
        unix_offset: float = 0.0,
        published: Collection[str] = PUBLISHED,
    ) -> None:
        self._rooms: dict[tuple[str, str], Room] = {}
        self._node = node
        self._max_rooms = max_rooms
        self._max_members = max_members
        self._unix_offset = unix_offset
        self._published = published
        self._member_ids = itertools.count(1)

    def __iter__(self) -> Iterator[Room]:
        """Every running room."""
        return iter(self._rooms.values())

    def __len__(self) -> int:
        return len(self._rooms)

    def find(self, account_id: str, conference_id: str) -> Room | None:
        """The running room, if there is one."""
        return self._rooms.get((account_id, conference_id))

    def get_or_create(self, settings: RoomSettings, now: float) -> tuple[Room, bool]:
        """The running room, or a new one made from these settings (True). Raises `RoomsFull`."""
        key = settings.account_id, settings.conference_id
        room = self._rooms.get(key)
        if room is not None:
            return room, False
        if len(self._rooms) >= self._max_rooms:
            raise RoomsFull(f"{self._max_rooms} rooms are running")
        room = Room(
            settings,
            instance_id=str(uuid4()),
            next_member_id=lambda: next(self._member_ids),
            now=now,
            node=self._node,
            unix_offset=self._unix_offset,
            hard_limit=self._max_members,
            published=self._published,
        )
        self._rooms[key] = room
        return room, True

    def forget(self, room: Room) -> None:
        """Take an ended room out. A new room under the same key stays."""
        key = room.settings.account_id, room.settings.conference_id
        if self._rooms.get(key) is room:
            del self._rooms[key]
