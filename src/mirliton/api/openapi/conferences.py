"""Conferences: the document, the room that runs, and who is in it (semantics 6.2 to 6.7)."""

from dataclasses import replace

from mirliton.api.openapi.operations import Example, Operation, Section, Shape
from mirliton.api.openapi.resources import document_operations
from mirliton.api.openapi.shapes import COUNT, FLAG, TEXT, described, record, reference, rows, stored

DOCUMENT = "/accounts/{account_id}/conferences/{document_id}"
PARTICIPANTS = f"{DOCUMENT}/participants"
PARTICIPANT = f"{PARTICIPANTS}/{{participant_id}}"
SALES = {"document_id": "sales"}
ONE = {"document_id": "sales", "participant_id": "$P"}
LIVE_KEYS: dict[str, Shape] = {"members": COUNT, "moderators": COUNT, "admins": COUNT, "duration": COUNT}
MEDIA: Shape = record({"media_id": described(TEXT, "A media address")})
RECORDING: Shape = record(
    {
        "action": {"enum": ["start", "stop"]},
        "format": described({"enum": ["flac", "ogg", "wav"]}, "Of the files; `recording.format` unless given"),
        "tracks": described(FLAG, "A file for each member too; `recording.tracks` unless given"),
    },
    "action",
)
RELATION: Shape = record(
    {
        "participant_id": COUNT,
        "other_participant": COUNT,
        "relationship": {"enum": ["mute", "deaf", "clear"]},
    },
    "participant_id", "other_participant",
)  # fmt: skip


def _orders(*plain: str, **with_arguments: Shape) -> Shape:
    """The body of an action: one of these."""
    orders = [record({"action": {"const": name}}) for name in plain]
    orders += [record({"action": {"const": name}, "data": shape}) for name, shape in with_arguments.items()]
    text = "The action's name may also stand in `data`, and its arguments in a `data` inside that"
    return {"anyOf": orders, "description": text}


CHANGES = ("mute", "unmute", "deaf", "undeaf", "kick")
ON_ROOM = _orders(
    "lock", "unlock",
    play=MEDIA, record=RECORDING, dial=reference("conferences.dial"),
    vars={"type": "object", "description": "Names with texts, numbers, booleans; null takes one away"},
)  # fmt: skip
ON_MANY = _orders(*CHANGES, play=MEDIA, relate=RELATION)
ON_ONE = _orders(*CHANGES, play=MEDIA)

STATE: dict[str, Shape] = {
    "_read_only": {"type": "object", "description": "The state that the action left"},
    "message": {"type": "string", "description": "Says so when the room does not run"},
}
SAID: Shape = {"enum": ["ok", "starting recording", "stopping recording", "relating participants"]}
DIALLED: Shape = record(
    {
        "endpoint_responses": rows(
            record(
                {
                    "call_id": TEXT,
                    "endpoint_id": {},
                    "job_id": TEXT,
                    "status": {"enum": ["success", "error"]},
                    "message": TEXT,
                },
                "status",
            )
        )
    }
)
CONFERENCE = stored("conferences", effective=reference("effective"), focus=TEXT)
REFUSED = frozenset({404, 409, 429, 503})


def _act(title: str, action: str, **more: object) -> Example:
    keeps = {"title": title, "body": {"data": {"action": action}}, "path": SALES}
    return replace(Example(), **(keeps | more))  # type: ignore[arg-type]


_documents = document_operations(
    "conferences", "conferences", "C",
    one="a conference",
    makes=(
        Example(
            body={"data": {"name": "Board", "member": {"pins": ["2468"], "join_muted": False}, "play_name": False}},
            keeps={"C": "data.id"},
        ),
    ),
    patch={"max_participants": 25, "moderator": {"pins": ["1357"]}},
    replacement={"name": "Board", "profile": {"enter-sound": "", "exit-sound": ""}},
    row=record({"id": TEXT, **LIVE_KEYS, "is_locked": FLAG, "_read_only": {"type": "object"}}),
)  # fmt: skip

CONFERENCES = Section(
    "Conferences",
    "[Their keys](keys.md#conferences). `_read_only` is the room, when it runs.",
    _documents
    | {
        (DOCUMENT, "GET"): Operation(
            "Read a conference and its room",
            "An id that is not stored is that of an ad-hoc room: defaults and the room. While the room runs, the ETag "
            "follows it.",
            CONFERENCE,
            query=("effective",),
            examples=(
                Example(path={"document_id": "$C"}),
                Example("With every setting that holds, and where it comes from", path={"document_id": "$C"},
                        query="?effective=true"),
            ),
        )
    },
)  # fmt: skip

ROOMS = Section(
    "Rooms that run",
    "An action answers when it has taken effect; `_read_only` beside `data` is the state that it left. A stored "
    "conference whose room does not run takes every action and says in `message` that nothing was done; an id that "
    "is neither stored nor running is 404.",
    {
        (DOCUMENT, "PUT"): Operation(
            "Act on a room",
            "`lock`, `unlock`; `play` with `media_id` ([media addresses](sounds.md)); `record` with `action` `start` "
            "or `stop`, and to start `format` (`flac`, `ogg`, `wav`) and `tracks` (a file for each member too); `dial` "
            "([its keys](keys.md#conferencesdial)); `vars` sets variables that stand in `conference_vars` of the "
            "room's events.",
            {"anyOf": [SAID, DIALLED, {"type": "object"}]},
            202,
            ON_ROOM,
            whole_body=True,
            extra=STATE,
            refusals=REFUSED,
            examples=(
                _act("Nobody else may come in", "lock", calls=(
                    'mirliton call "sip:3000@$SIP" --play tone:440 --name Anna &',
                    'mirliton call "sip:3000@$SIP" --play tone:660 --name Bruno &',
                    'mirliton call "sip:3000@$SIP" --name Carla &',
                )),
                _act("", "unlock"),
                _act("Everybody hears a sound", "play",
                     body={"action": "play", "data": {"media_id": "tone_stream://%(200,100,440)"}}),
                _act("", "record", body={"action": "record", "data": {"action": "start"}}),
                _act("", "record", body={"action": "record", "data": {"action": "stop"}}),
                _act("Each member in a file of their own, in Opus", "record",
                     body={"action": "record", "data": {"action": "start", "format": "ogg", "tracks": True}}),
                _act("", "record", body={"action": "record", "data": {"action": "stop"}}),
                _act("A label for other programs, in the room's events", "vars",
                     body={"action": "vars", "data": {"ticket": "4711"}}),
                _act("Call somebody in", "dial", body={
                    "action": "dial", "data": {"data": {"endpoints": ["sip:3002@127.0.0.1:9"], "timeout": 1}}}),
            ),
        ),
        (PARTICIPANTS, "GET"): Operation(
            "List who is in a room",
            "In the order of joining; empty when the room does not run.",
            rows(reference("participant")),
            extra={"page_size": COUNT},
            examples=(
                Example(path=SALES, keeps={"P": "data.0.participant_id", "Q": "data.1.participant_id",
                                           "R": "data.2.participant_id"}),
            ),
        ),
        (PARTICIPANT, "GET"): Operation(
            "Read one participant", reply=reference("participant"), examples=(Example(path=ONE),)
        ),
        (PARTICIPANT, "PUT"): Operation(
            "Act on one participant",
            "`mute`, `unmute`, `deaf`, `undeaf`, `kick`; `play` with `media_id`, to this one alone. `_read_only` "
            "beside `data` is the participant as it is now, empty after `kick`.",
            {"const": "ok"},
            202,
            ON_ONE,
            whole_body=True,
            extra=STATE,
            refusals=REFUSED,
            examples=(
                *(_act("", action, path=ONE) for action in CHANGES if action != "kick"),
                _act("", "play", path=ONE, body={
                    "data": {"action": "play", "data": {"media_id": "tone_stream://%(200,100,440)"}}}),
                _act("", "kick", path={"document_id": "sales", "participant_id": "$R"}),
            ),
        ),
        (PARTICIPANTS, "PUT"): Operation(
            "Act on many participants",
            "`mute`, `unmute`, `deaf`, `undeaf` reach members and not moderators, `kick` everybody: the answer is the "
            "conference, 200. `play` with `media_id`, and `relate`, answer 202: `participant_id`, `other_participant`, "
            "and `relationship`: `mute` (the other does not hear the participant), `deaf` (the participant does not "
            "hear the other), `clear`.",
            {"anyOf": [CONFERENCE, SAID]},
            202,
            ON_MANY,
            whole_body=True,
            extra=STATE,
            refusals=REFUSED,
            examples=(
                _act("", "relate", body={"data": {"action": "relate", "data": {
                    "participant_id": "#P", "other_participant": "#Q", "relationship": "mute"}}}),
                _act("", "play", body={
                    "data": {"action": "play", "data": {"media_id": "tone_stream://%(200,100,440)"}}}),
                *(_act("", action, code=200) for action in CHANGES),
            ),
        ),
    },
)  # fmt: skip
