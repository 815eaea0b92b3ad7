"""The three tables of the seeds, row by row: dotted key, type, bounds, default. Written down apart from the schemas."""

from typing import Any, NamedTuple

NO_DEFAULT = object()


class Row(NamedTuple):
    """One row. `type` is boolean, string, integer, object, tone (boolean or string), texts or digits (lists)."""

    key: str
    type: str
    low: int | None = None  # length of a string, value of an integer
    high: int | None = None
    default: Any = NO_DEFAULT


ACTION = [
    Row("config", "object"),
    Row("id", "string", 32, 32),
    Row("moderator", "boolean"),
    Row("play_entry_tone", "tone"),
    Row("play_exit_tone", "tone"),
    Row("skip_module", "boolean"),
    Row("welcome_prompt", "object"),
    Row("welcome_prompt.media_id", "string"),
    Row("welcome_prompt.play", "boolean", default=True),
]

CONFERENCE = [
    Row("allow_shareable_link", "boolean", default=False),
    Row("base_profile_name", "string"),
    Row("bridge_password", "string"),
    Row("bridge_username", "string"),
    Row("caller_controls", "string"),
    Row("conference_numbers", "digits", default=[]),
    Row("flags", "texts"),
    Row("language", "string"),
    Row("max_members_media", "string"),
    Row("max_participants", "integer"),
    Row("member", "object"),
    Row("member.join_deaf", "boolean", default=False),
    Row("member.join_muted", "boolean", default=True),
    Row("member.numbers", "digits", default=[]),
    Row("member.pins", "digits", default=[]),
    Row("member.play_entry_prompt", "boolean"),
    Row("moderator", "object"),
    Row("moderator.join_deaf", "boolean", default=False),
    Row("moderator.join_muted", "boolean", default=False),
    Row("moderator.numbers", "digits", default=[]),
    Row("moderator.pins", "digits", default=[]),
    Row("moderator_controls", "string"),
    Row("name", "string", 1, 128),
    Row("owner_id", "string", 32, 32),
    Row("play_entry_tone", "tone"),
    Row("play_exit_tone", "tone"),
    Row("play_name", "boolean", default=False),
    Row("play_welcome", "boolean"),
    Row("profile", "object"),
    Row("profile_name", "string"),
    Row("require_moderator", "boolean"),
    Row("video", "boolean"),
    Row("wait_for_moderator", "boolean"),
]

PROFILE = [
    Row("alone-sound", "string"),
    Row("announce-count", "integer"),
    Row("caller-controls", "string"),
    Row("comfort-noise", "integer", 0, 10000),
    Row("energy-level", "integer", 0, 1800),
    Row("enter-sound", "string"),
    Row("exit-sound", "string"),
    Row("interval", "integer", 10, 120),
    Row("locked-sound", "string"),
    Row("max-members", "integer", 2),
    Row("max-members-sound", "string"),
    Row("moderator-controls", "string"),
    Row("moh-sound", "string"),
    Row("muted-sound", "string"),
    Row("unmuted-sound", "string"),
    Row("rate", "integer"),
]

TABLES = {"callflows.conference": ACTION, "conferences": CONFERENCE, "conferences.profile": PROFILE}
