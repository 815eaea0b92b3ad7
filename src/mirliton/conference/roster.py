"""Who is in a room, in the order of joining, with the counts that semantics 3.6 and 3.9 go by."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mirliton.conference.member import Member


@dataclass(slots=True)
class Roster:
    """Counts are kept while members come and go: a room of thousands is not walked through for each event."""

    ghosts: int = 0
    bridges: int = 0  # other servers' rooms
    trunks: int = 0  # the same, ghosts included
    moderators: int = 0  # without ghosts
    leaders: int = 0  # moderators, ghosts included: who can hear and speak for the room
    without_music: int = 0  # members while whom no lone member gets hold music
    _members: dict[int, Member] = field(default_factory=dict)

    def __len__(self) -> int:
        """Everybody: the room lives while this is not 0."""
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    @property
    def count(self) -> int:
        """Members who count: no ghosts."""
        return len(self._members) - self.ghosts

    @property
    def callers(self) -> int:
        """Members of this server who count."""
        return self.count - self.bridges

    @property
    def lone(self) -> bool:
        """Whether one caller is surely alone. Behind a bridge there may be any number of people."""
        return self.count == 1 and self.bridges == 0

    def get(self, member_id: int | None) -> Member | None:
        """A member who is in the room."""
        return self._members.get(member_id) if member_id is not None else None

    def add(self, member: Member) -> None:
        """A member has come."""
        self._members[member.member_id] = member
        self._count(member, 1)

    def discard(self, member: Member) -> None:
        """A member has gone."""
        if self._members.pop(member.member_id, None):
            self._count(member, -1)

    def _count(self, member: Member, step: int) -> None:
        settings = member.settings
        self.ghosts += step * settings.ghost
        self.trunks += step * settings.bridge
        self.bridges += step * (settings.bridge and not settings.ghost)
        self.moderators += step * (member.moderator and not settings.ghost)
        self.leaders += step * member.moderator
        self.without_music += step * settings.disable_moh
