"""What the REST API asks of the running rooms; `calls.rooms` implements it.

Conferences are keyed by (account id, conference id); ad-hoc rooms by their id or name (semantics 1.7).
Commands return after they took effect (design section 2).
"""

from typing import Any, Protocol


class LiveRooms(Protocol):
    """The running rooms of this node."""

    def snapshot(self, account_id: str, conference_id: str) -> dict[str, Any] | None:
        """The live block of one room, or None when it does not run.

        Keys: `members`, `moderators` (counts), `duration` (s), `is_locked`, `start_time` (UNIX s),
        `participants` (list as of `participants`), `focus`.
        """

    def participants(self, account_id: str, conference_id: str) -> list[dict[str, Any]]:
        """Participant objects of semantics 6.5, in the order of joining; empty when the room does not run."""

    async def command_room(
        self, account_id: str, conference_id: str, action: str, data: dict[str, Any]
    ) -> dict[str, Any]:
        """`lock`, `unlock`, `play` on a room. Raises `NoSuchRoom`, `BadMedia`."""

    async def command_participants(
        self,
        account_id: str,
        conference_id: str,
        participant_id: int | None,
        action: str,
        data: dict[str, Any],
    ) -> dict[str, Any]:
        """`mute`, `unmute`, `deaf`, `undeaf`, `kick`, `play` on one, or (None) on many by the rules of semantics 6.6.

        Raises `NoSuchRoom`, `NoSuchParticipant`, `BadMedia`.
        """


class NoSuchRoom(Exception):
    """The room does not run."""


class NoSuchParticipant(Exception):
    """The room has no participant with this id."""


class BadMedia(Exception):
    """The media address cannot be resolved to sound."""
