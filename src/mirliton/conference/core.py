"""What everything in a room stands on: its members, its clock-free state, and the outbox of effects and events."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from mirliton.conference.announcements import HoldMusic
from mirliton.conference.effects import Effect, Publish
from mirliton.conference.events import PUBLISHED, room_event
from mirliton.conference.member import Member, Place, participant
from mirliton.conference.moderation import Moderation
from mirliton.conference.relations import MAX_RELATIONS, Relations
from mirliton.conference.roster import Roster
from mirliton.conference.settings import RoomSettings

MAX_VARIABLES = 50

Variable = str | int | float | bool


class RoomCore:
    """State that can be seen from outside, and how effects leave."""

    def __init__(
        self,
        settings: RoomSettings,
        *,
        instance_id: str,
        next_member_id: Callable[[], int],
        now: float,
        node: str = "",
        unix_offset: float = 0.0,
        hard_limit: int = 4000,
        max_relations: int = MAX_RELATIONS,
        published: Collection[str] = PUBLISHED,
    ) -> None:
        """`hard_limit` is the operator's bound on members, from which moderators and ghosts are not exempt.

        `published`: the kinds of events that are told of; only these are numbered.
        """
        self.settings = settings
        self.place = Place(settings.name, instance_id, node, unix_offset)
        self.started_at = now
        self.locked = False
        self.recording = False
        self._recorded_as = ""  # the document of the recording
        self.floor: int | None = None
        self.ended = False
        self.relations = Relations(max_relations)
        self.variables: dict[str, Variable] = {}
        self._next_member_id = next_member_id
        self._hard_limit = hard_limit
        self._published = frozenset(published)
        self._roster = Roster()
        self._moderation = Moderation(
            waiting=settings.wait_for_moderator or settings.require_moderator,
            required=settings.require_moderator,
            grace_seconds=settings.moderator_grace_seconds,
        )
        self._music = HoldMusic(settings.moh_sound)
        self._trunks_until: float | None = None  # set while nobody but other servers' rooms is here
        self._typing: set[int] = set()  # members whose digit matcher waits
        self._outbox: list[Effect] = []
        self._sequence = 0
        self.publish("conference-create", None, now)

    def __iter__(self) -> Iterator[Member]:
        """The members in the order of joining, ghosts included."""
        return iter(self._roster)

    @property
    def count(self) -> int:
        """How many members are in the room, without ghosts."""
        return self._roster.count

    @property
    def ghosts(self) -> int:
        """How many are there without being counted (semantics 3.9)."""
        return self._roster.ghosts

    @property
    def moderators(self) -> int:
        """How many of the counted members are moderators."""
        return self._roster.moderators

    @property
    def waiting(self) -> bool:
        """Whether members wait for a moderator: isolated, with music."""
        return self._moderation.waiting

    @property
    def sequence(self) -> int:
        """The number of the last event."""
        return self._sequence

    def member(self, member_id: int) -> Member | None:
        """A member who is in the room."""
        return self._roster.get(member_id)

    def participant(self, member: Member, now: float, current_energy: int = 0) -> dict[str, Any]:
        """The participant object of semantics 6.5."""
        return participant(member, self.place, now, floor=self.floor == member.member_id, current_energy=current_energy)

    def snapshot(self, now: float) -> dict[str, Any]:
        """The live block of the room without its participants, as of the event `sequence`."""
        return {
            "members": self.count - self.moderators,
            "moderators": self.moderators,
            "duration": int(now - self.started_at),
            "is_locked": self.locked,
            "is_recording": self.recording,
            "start_time": int(self.started_at + self.place.unix_offset),
            "focus": self.place.node,
            "sequence": self.sequence,
            "vars": dict(self.variables),
        }

    def set_variables(self, changes: Mapping[str, Variable | None]) -> bool:
        """Labels that outside programs set on the room and read in its events; None takes one away.

        False, and nothing is changed, when there would be too many.
        """
        wanted = {**self.variables, **changes}
        kept = {name: value for name, value in wanted.items() if value is not None}
        if len(kept) > MAX_VARIABLES:
            return False
        self.variables = kept
        return True

    def drain(self) -> list[Effect]:
        """Take the effects that are waiting, oldest first."""
        taken, self._outbox = self._outbox, []
        return taken

    def emit(self, *effects: Effect) -> None:
        """Put effects into the outbox."""
        self._outbox.extend(effects)

    def publish(self, name: str, member: Member | None, now: float, **details: Any) -> None:
        """Put an event into the outbox, with counts that are true at this moment."""
        if name not in self._published:
            return
        self._sequence += 1
        described = self.participant(member, now) if member else None
        self.emit(Publish(room_event(name, self, self._sequence, now, described, details)))
