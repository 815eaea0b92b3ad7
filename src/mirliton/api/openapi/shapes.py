"""Shapes that several answers share (semantics 6.1, 6.3, 6.4, 6.5)."""

from typing import Any

from mirliton.api.openapi.operations import Shape
from mirliton.schemas import schema, schema_ids

TEXT: Shape = {"type": "string"}
COUNT: Shape = {"type": "integer", "minimum": 0}
FLAG: Shape = {"type": "boolean"}
EMPTY: Shape = {"type": "object", "maxProperties": 0}
HIDDEN = ("password", "bridge_password")


def described(shape: Shape, text: str) -> Shape:
    """The shape with a description."""
    return {**shape, "description": text}


def reference(name: str) -> Shape:
    """A shape of `components`."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(properties: dict[str, Shape], *required: str) -> Shape:
    """An object that may have other keys, too."""
    return {"type": "object", "properties": properties, "required": list(required) or list(properties)}


def rows(item: Shape) -> Shape:
    """A list."""
    return {"type": "array", "items": item}


AMOUNT: Shape = {"type": "number", "minimum": 0}
SCORE: Shape = {"type": "number", "minimum": 1, "maximum": 4.5}

QUALITY = record(
    {
        "codec": described(TEXT, "What is spoken: PCMU, PCMA, G722, L16 or OPUS"),
        "mos": described(SCORE, "How the caller sounds to the room, of 4.5: the E-model's mean opinion score"),
        "loss_percent": described(AMOUNT, "Packets of the caller that did not come, percent"),
        "jitter_ms": described(AMOUNT, "How unevenly they came (RFC 3550 6.4.1)"),
        "late_packets": described(COUNT, "Packets that came after their turn"),
        "recovered_packets": described(COUNT, "Packets that were lost, and made good from the next one (FEC of Opus)"),
        "playout_delay_ms": described(AMOUNT, "How long sound waits to be even again"),
        "concealed_ms": described(AMOUNT, "Sound that was made up for what was missing"),
        "concealed_long_ms": described(AMOUNT, "Of it, that in stretches of more than 60 ms, which one notices"),
        "stretched_ms": described(AMOUNT, "Time added to pauses, to wait for late packets"),
        "accelerated_ms": described(AMOUNT, "Time taken out of pauses, to be less late"),
        "drift_ppm": described({"type": "number"}, "How much faster the caller's clock goes than ours, in millionths"),
        "round_trip_ms": described(AMOUNT, "To the caller and back, by its reports (RFC 3550 6.4.1)"),
        "packets_received": described(COUNT, "Packets from the caller"),
        "packets_sent": described(COUNT, "Packets to the caller"),
        "sent_mos": described(SCORE, "How the room sounds to the caller, by its reports"),
        "sent_loss_percent": described(AMOUNT, "Packets to the caller that did not come, by its reports"),
        "sent_jitter_ms": described(AMOUNT, "How unevenly they came, by its reports"),
    },
    "packets_received", "packets_sent", "loss_percent", "jitter_ms", "playout_delay_ms", "concealed_ms",
)  # fmt: skip

CHANNEL_VARS: dict[str, Shape] = {
    "is_moderator": described(FLAG, "A moderator?"),
    "speak": described(FLAG, "False: muted"),
    "hear": described(FLAG, "False: deaf"),
    "talking": described(FLAG, "Heard by the others at this moment"),
    "floor": described(FLAG, "Has the floor"),
    "video": described(FLAG, "Sends a picture"),
    "mute_detect": described(FLAG, "Is its talking noticed while muted?"),
    "energy_level": described({"type": "integer"}, "How loud it has to be to be heard"),
    "current_energy": described({"type": "integer"}, "How loud it is"),
}

SOMETIMES: dict[str, Shape] = {
    "see": described(FLAG, "Is shown a picture"),
    "bridge": described(FLAG, "True: a room of another server"),
}
NESTED: dict[str, Shape] = {
    "member_id": described({"type": "integer"}, "The `participant_id` again"),
    "member_ghost": described(FLAG, "Is it counted nowhere?"),
}

PARTICIPANT = record(
    {
        "participant_id": described({"type": "integer"}, "The `participant_id` of the path"),
        "call_id": TEXT,
        "conference_name": TEXT,
        "conference_uuid": described(TEXT, "Of this run of the room"),
        "switch_hostname": described(TEXT, "The server"),
        "join_time": described({"type": "integer"}, "Gregorian seconds"),
        "duration": described(COUNT, "Seconds in the room"),
        "caller_id_name": TEXT,
        "caller_id_number": TEXT,
        "custom_channel_vars": {"type": "object"},
        "custom_application_vars": {"type": "object"},
        "conference_channel_vars": record({**CHANNEL_VARS, **SOMETIMES, **NESTED}, *CHANNEL_VARS),
        "quality": described(reference("quality"), "What the network does to the call, as far as it is measured"),
        **CHANNEL_VARS,
        **SOMETIMES,
    },
    "participant_id", "call_id", "join_time", "duration", "conference_channel_vars", *CHANNEL_VARS,
)  # fmt: skip

LIVE = record(
    {
        "members": described(COUNT, "Participants who are no moderators"),
        "moderators": COUNT,
        "admins": described(COUNT, "The older name of `moderators`"),
        "duration": described(COUNT, "Seconds that the room runs; 0: it does not run"),
        "is_locked": FLAG,
        "is_recording": FLAG,
        "vars": {"type": "object", "description": "Variables that outside programs have set on the room"},
        "sequence": described(COUNT, "Number of the last event that this contains: go on with the events behind it"),
        "participants": rows(reference("participant")),
    },
    "members", "moderators", "admins", "duration", "is_locked", "participants",
)  # fmt: skip

TOKEN = record(
    {
        "account_id": TEXT,
        "account_name": TEXT,
        "owner_id": described(TEXT, "The user, when it was a user who logged in"),
        "is_reseller": FLAG,
        "reseller_id": TEXT,
        "language": TEXT,
        "apps": rows(TEXT),
    },
    "account_id",
)

ENVELOPE = record(
    {
        "data": {},
        "status": {"const": "success"},
        "request_id": TEXT,
        "node": TEXT,
        "timestamp": described(TEXT, "ISO 8601"),
        "version": TEXT,
        "auth_token": TEXT,
        "revision": described(TEXT, "Of the document"),
        "tokens": {"type": "object"},
    },
    "data", "status", "request_id", "node", "timestamp",
)  # fmt: skip

FAILURE = record(
    {
        "data": described({"type": ["object", "array"]}, "Of 400: dotted path, then code, then details"),
        "status": {"const": "error"},
        "error": described({"type": "string", "pattern": "^[0-9]{3}$"}, "The HTTP code"),
        "message": described(TEXT, "A short name"),
        "request_id": TEXT,
        "node": TEXT,
        "timestamp": TEXT,
    }
)

EFFECTIVE = {
    "type": "object",
    "description": "With `effective=true`: what the next caller's room goes by, key by key, and who says so",
    "additionalProperties": record({"value": {}, "source": TEXT}),
}


def stored(schema_id: str, **more: Shape) -> Shape:
    """A document of this schema as it is returned: with its id, without its secrets."""
    properties = {key: shape for key, shape in rewritten(schema_id)["properties"].items() if key not in HIDDEN}
    times = {"created": described(COUNT, "Gregorian seconds"), "modified": described(COUNT, "Gregorian seconds")}
    own: dict[str, Shape] = {"id": TEXT, "_read_only": {"type": "object", "properties": times}}
    return record({**properties, **own, **more}, "id", "_read_only")


def rewritten(schema_id: str) -> Shape:
    """A schema as a component: its references lead to components."""
    found: Shape = _with_references(schema_id, schema(schema_id))
    return {key: value for key, value in found.items() if key not in ("$schema", "$id")}


def components() -> dict[str, Shape]:
    """Everything that `reference` can name."""
    schemas = {schema_id: rewritten(schema_id) for schema_id in schema_ids()}
    own = {
        "envelope": ENVELOPE,
        "failure": FAILURE,
        "live": LIVE,
        "participant": PARTICIPANT,
        "quality": QUALITY,
        "token": TOKEN,
        "effective": EFFECTIVE,
    }
    return schemas | own


def _with_references(schema_id: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_with_references(schema_id, item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: _with_references(schema_id, inner) for key, inner in value.items()}
    target = result.get("$ref")
    if isinstance(target, str):
        inside = target.removeprefix("#") if target.startswith("#") else None
        result["$ref"] = f"#/components/schemas/{target if inside is None else schema_id + inside}"
    return result
