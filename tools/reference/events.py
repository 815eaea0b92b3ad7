"""events.md: every event and its fields (semantics 7.1)."""

from collections.abc import Iterator

from mirliton.api.openapi.shapes import PARTICIPANT
from mirliton.conference.events import OPTIONAL, PUBLISHED

HEAD = """# Events

Made by `make reference`: do not edit. Rooms tell what happens in them, in order. WebSockets
(`ws://HOST:PORT/v2/events`) and [webhooks](rest.md#webhooks) carry it out. `sequence` rises by one with each event of a
room: a gap means that some were missed; the live block of a conference names the last one that it contains.
"""
ABOUT: dict[str, tuple[str, dict[str, str]]] = {
    "conference-create": ("The room begins to run", {}),
    "conference-destroy": ("The room has ended", {}),
    "lock": ("Nobody else may come in", {}),
    "unlock": ("The room is open again", {}),
    "add-member": ("Somebody has come in", {}),
    "del-member": ("Somebody has left", {}),
    "start-talking": ("Somebody is heard from now on; never while muted", {}),
    "stop-talking": ("Somebody has fallen silent", {"talking_seconds": "how long it was"}),
    "mute-member": ("A microphone was closed", {}),
    "unmute-member": ("A microphone was opened", {}),
    "deaf-member": ("Somebody hears the room no more", {}),
    "undeaf-member": ("Somebody hears the room again", {}),
    "start-recording": ("The room is recorded from now on", {"media_id": "the document that the sound will be in"}),
    "stop-recording": (
        "The room is recorded no more",
        {
            "media_id": "the document",
            "reason": "`stopped`, `room_ended`, `too_long`, `account_full`, `deleted`, `failed` (such as a full disk), "
            "`server_stopped`",
        },
    ),
    "dtmf": ("A key bound to the action `event` was pressed", {"digits": "the keys", "data": "the binding's `data`"}),
    "dtmf-member": ("A key of a member with `distribute_dtmf`, which the others get", {"digits": "the key"}),
    "energy-level": ("Somebody changed how loud they have to be", {"level": "0 to 1800"}),
    "execute_app": (
        "A key bound to `execute_application` was pressed",
        {"application": "its name", "arguments": "what stands behind it", "data": "the same"},
    ),
    "floor-change": ("Another has the floor", {"old_id": "participant or null", "new_id": "participant or null"}),
    "gain-level": ("Somebody changed how loud they are for others", {"level": "-4 to 4"}),
    "hold-member": ("A phone was put on hold", {}),
    "hup-member": ("Somebody was made to leave without a word", {}),
    "kick-member": ("Somebody is being removed", {}),
    "play-file": ("A sound begins in the room", {"file": "media address"}),
    "play-file-done": ("It has ended", {"file": "media address"}),
    "play-file-member": ("A sound begins for one", {"file": "media address"}),
    "play-file-member-done": ("It has ended", {"file": "media address"}),
    "transfer": ("Somebody leaves for another number", {"extension": "the number"}),
    "unhold-member": ("A phone was taken off hold", {}),
    "volume-level": ("Somebody changed how loud they hear", {"level": "-4 to 4"}),
}
ALWAYS = {
    "event": "its name",
    "event_category": "`conference`",
    "event_name": "`participant_event` for events of a participant, else `event`",
    "sequence": "number of the event in its room, from 1",
    "timestamp": "UNIX seconds",
    "account_id": "",
    "conference_id": "id, or the name of an ad-hoc room",
    "instance_id": "of this run of the room",
    "call_id": "of the participant; for events of the room the conference's id",
    "profile": "name of the profile",
    "focus": "the server",
    "conference_node": "the server",
    "conference_vars": "`size`, `moderators`, `members`, `ghosts`, `profile_name`, `unique_id`, `is_locked`",
    "node": "the server that tells it",
    "msg_id": "new for each event",
    "routing_key": "`conference.event.EVENT.ACCOUNT.CONFERENCE.CALL`",
    "app_name": "`mirliton`",
    "app_version": "",
}


class Untold(LookupError):
    """Rooms have an event that the page does not tell of, or the other way round."""


def events_page() -> str:
    """The page; raises `Untold`."""
    if odd := set(ABOUT) ^ (PUBLISHED | OPTIONAL):
        raise Untold(", ".join(sorted(odd)))
    return "\n".join([HEAD, *_tables()]).rstrip() + "\n"


def _tables() -> Iterator[str]:
    yield "## What is told\n"
    yield "| Event | When | Fields of its own |\n|---|---|---|"
    yield from (_row(name) for name in ABOUT if name in PUBLISHED)
    yield "\n## What is told when asked for\n"
    yield "The setting `events.publish` adds these.\n"
    yield "| Event | When | Fields of its own |\n|---|---|---|"
    yield from (_row(name) for name in ABOUT if name in OPTIONAL)
    yield "\n## Fields of every event\n"
    yield "| Field | |\n|---|---|"
    yield from (f"| `{name}` | {text} |" for name, text in ALWAYS.items())
    yield "\n## Fields of events of a participant\n"
    yield "The participant as it is after the event, as in REST; `conference_channel_vars` also flat.\n"
    yield "| Field | |\n|---|---|"
    for name, shape in PARTICIPANT["properties"].items():
        inner = "these, and below as well: " + ", ".join(f"`{key}`" for key in shape.get("properties", {}))
        yield f"| `{name}` | {inner if name == 'conference_channel_vars' else shape.get('description', '')} |"


def _row(name: str) -> str:
    text, fields = ABOUT[name]
    return f"| `{name}` | {text} | {', '.join(f'`{key}`: {what}' for key, what in fields.items())} |"
