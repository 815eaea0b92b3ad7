"""One call in a room, and how it is shown (semantics 6.5)."""

from dataclasses import dataclass, field
from typing import Any

from mirliton.conference.digits import DigitMatcher
from mirliton.conference.ports import CallerInfo
from mirliton.conference.settings import CallerSettings

GREGORIAN_OFFSET = 62_167_219_200


@dataclass(slots=True)
class Member:
    """A member's state; only the room writes it. `joined_at` is on the room's clock, in seconds."""

    member_id: int
    info: CallerInfo
    settings: CallerSettings
    matcher: DigitMatcher
    joined_at: float
    energy_level: int
    muted: bool = False
    deaf: bool = False
    isolated: bool = False
    held: bool = False
    makes_sound: bool = field(default=False)  # what the engine last said, muted or not
    talking: bool = False
    talking_since: float = 0.0
    input_level: int = 0
    output_level: int = 0

    @property
    def moderator(self) -> bool:
        """Whether the member is a moderator."""
        return self.settings.moderator

    @property
    def silent(self) -> bool:
        """Whether the room says nothing of this member and to this member by itself: a ghost, another server's room."""
        return self.settings.ghost or self.settings.bridge


@dataclass(frozen=True, slots=True)
class Place:
    """What a participant's description needs to know of the room."""

    conference_name: str
    instance_id: str
    node: str
    unix_offset: float  # add to the room's clock for UNIX time


def participant(member: Member, place: Place, now: float, *, floor: bool, current_energy: int = 0) -> dict[str, Any]:
    """The participant object of semantics 6.5, with the documented flat form of its flags beside it."""
    flags = {
        "is_moderator": member.moderator,
        "floor": floor,
        "video": False,
        "see": False,
        "speak": not member.muted,
        "hear": not member.deaf,
        "talking": member.talking,
        "mute_detect": False,
        "energy_level": member.energy_level,
        "current_energy": current_energy,
        **({"bridge": True} if member.settings.bridge else {}),
    }
    return {
        "participant_id": member.member_id,
        "call_id": member.info.call_id,
        "conference_name": place.conference_name,
        "conference_uuid": place.instance_id,
        "switch_hostname": place.node,
        "join_time": int(member.joined_at + place.unix_offset) + GREGORIAN_OFFSET,
        "duration": max(int(now - member.joined_at), 0),
        "caller_id_name": member.info.caller_id_name,
        "caller_id_number": member.info.caller_id_number,
        "custom_channel_vars": _channel_vars(member.info),
        "custom_application_vars": dict(member.info.custom_application_vars),
        "conference_channel_vars": {**flags, "member_id": member.member_id, "member_ghost": member.settings.ghost},
        **flags,
    }


def _channel_vars(info: CallerInfo) -> dict[str, Any]:
    known = {"account_id": info.account_id, "authorizing_id": info.device_id, "owner_id": info.owner_id}
    return {**{key: value for key, value in known.items() if value}, **info.custom_channel_vars}
