"""What the REST API asks of the running rooms; `calls.rooms` implements it.

Conferences are keyed by (account id, conference id); ad-hoc rooms by their id or name (semantics 1.7).
Commands return after they took effect (design section 2).
"""

from collections.abc import Mapping
from typing import Any, Protocol


class LiveRooms(Protocol):
    """The running rooms of this node."""

    def snapshot(self, account_id: str, conference_id: str) -> dict[str, Any] | None:
        """The live block of one room, or None when it does not run.

        Keys: `members`, `moderators` (counts), `duration` (s), `is_locked`, `is_recording`, `start_time` (UNIX s),
        `participants` (list as of `participants`), `focus`, `vars`, and `sequence`: the number of the last event that
        the block contains, so that a client can go on from it with events.
        """

    def opened_with(self, account_id: str, conference_id: str) -> Mapping[str, Any] | None:
        """The document that a running room was made from (an ad-hoc one has no other), or None."""

    def conferences(self, account_id: str) -> list[str]:
        """The ids of an account's conferences that run, oldest first."""

    def participants(self, account_id: str, conference_id: str) -> list[dict[str, Any]]:
        """Participant objects of semantics 6.5, in the order of joining; empty when the room does not run."""

    async def command_room(
        self, account_id: str, conference_id: str, action: str, data: dict[str, Any]
    ) -> dict[str, Any]:
        """`lock`, `unlock`, `play`, `record` (`data.action` `start` or `stop`; to start, `format` and `tracks` if they
        are not to be as the settings say), `vars` (name to value, None to take it
        away) on a room; the new state comes back.

        Raises `NoSuchRoom`, `BadMedia`, `Refused`.
        """

    async def command_participants(
        self,
        account_id: str,
        conference_id: str,
        participant_id: int | None,
        action: str,
        data: dict[str, Any],
    ) -> dict[str, Any]:
        """`mute`, `unmute`, `deaf`, `undeaf`, `kick`, `play` on one, or (None) on many by the rules of semantics 6.6.

        `relate` (None only): `participant_id`, `other_participant`, `relationship`.
        Raises `NoSuchRoom`, `NoSuchParticipant`, `BadMedia`, `Refused`.
        """


class Dialling(Protocol):
    """Calls that the conference makes (semantics 6.7); `calls.dialling` implements it."""

    async def dial(self, account_id: str, conference_id: str, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Call every endpoint at the same time and put those who answer into the room.

        `request` is valid against `conferences.dial`, with `custom_application_vars` beside its keys. Returns
        `endpoint_responses` in the order of the endpoints: `{call_id, endpoint_id, job_id, status, message}`.
        Raises `BadEndpoints`.
        """


class BadEndpoints(Exception):
    """`problems`: (position from 1 or None, code, message) as of semantics 6.7: `enum`, `not_found`, `minItems`."""

    def __init__(self, problems: list[tuple[int | None, str, str]]) -> None:
        super().__init__("; ".join(message for _, _, message in problems))
        self.problems = problems


class NoSuchRoom(Exception):
    """The room does not run."""


class NoSuchParticipant(Exception):
    """The room has no participant with this id."""


class BadMedia(Exception):
    """The media address cannot be resolved to sound; the text says why and what to do."""


class Refused(Exception):
    """The room cannot do this now: a limit, or a state that is already so. `code` is an HTTP status; the text says
    what to do."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
