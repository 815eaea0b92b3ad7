"""Room events as subscribers get them (semantics 7.1): one flat mapping with lower-case keys."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mirliton.conference.core import RoomCore

PUBLISHED = frozenset(
    {
        "conference-create",
        "conference-destroy",
        "lock",
        "unlock",
        "add-member",
        "del-member",
        "start-talking",
        "stop-talking",
        "mute-member",
        "unmute-member",
        "deaf-member",
        "undeaf-member",
        "start-recording",
        "stop-recording",
    }
)
"""The events that are forwarded by default; an operator setting can name others."""

OPTIONAL = frozenset(
    {
        "dtmf",
        "dtmf-member",
        "energy-level",
        "execute_app",
        "floor-change",
        "gain-level",
        "hold-member",
        "hup-member",
        "kick-member",
        "play-file",
        "play-file-done",
        "play-file-member",
        "play-file-member-done",
        "transfer",
        "unhold-member",
        "volume-level",
    }
)
"""The further events that a room can tell of."""


def room_event(
    name: str,
    room: "RoomCore",
    sequence: int,
    now: float,
    participant: Mapping[str, Any] | None,
    details: Mapping[str, Any],
) -> Mapping[str, Any]:
    """One event. `sequence` rises by one with each event of the room: a gap means that some were missed.

    For events of the room itself `call_id` is the conference id, as in the routing key.
    """
    settings = room.settings
    return {
        **details,
        **(participant or {"call_id": settings.conference_id}),
        "event": name,
        "sequence": sequence,
        "timestamp": now + room.place.unix_offset,
        "account_id": settings.account_id,
        "conference_id": settings.conference_id,
        "instance_id": room.place.instance_id,
        "profile": settings.profile_name,
        "focus": room.place.node,
        "conference_node": room.place.node,
        "conference_vars": {
            **room.variables,
            "size": room.count,
            "moderators": room.moderators,
            "members": room.count - room.moderators,
            "ghosts": room.ghosts,
            "profile_name": settings.profile_name,
            "unique_id": room.place.instance_id,
            "is_locked": room.locked,
        },
    }
