"""Participants of a room: list, one, and actions on many or on one (semantics 6.5, 6.6)."""

from collections.abc import Awaitable
from typing import Any

from mirliton.api.actions import action_of, media_found, media_id, must_exist, took_effect
from mirliton.api.call import Call, Reply
from mirliton.api.errors import ApiError, bad_identifier, faulty_request, wrong
from mirliton.api.listing import digest
from mirliton.api.room import participant
from mirliton.calls.live import NoSuchParticipant, NoSuchRoom
from mirliton.store import Document

CHANGES = ("mute", "unmute", "deaf", "undeaf", "kick")
RELATIONSHIPS = ["mute", "deaf", "clear"]
MAX_ID_DIGITS = 15


async def list_participants(call: Call) -> Reply:
    """Everybody in the room in the order of joining; empty when it does not run."""
    found = [participant(one) for one in _present(call)]
    return Reply(found, etag=digest(found), extra={"page_size": len(found)})


async def read_participant(call: Call) -> Reply:
    """One participant; raises `ApiError` 404."""
    found = _now(call, _participant_id(call))
    if not found:
        raise bad_identifier(call.path["participant_id"])
    return Reply(found, etag=digest(found))


async def act_on_many(call: Call, document: Document | None) -> Reply | None:
    """mute, unmute, deaf, undeaf, kick (None: answer with the conference), play, relate."""
    action, arguments = action_of(call)
    must_exist(call, document)
    match action:
        case "play":
            return await took_effect(call, _command(call, None, action, {"media_id": media_id(arguments)}))
        case "relate":
            return await _relate(call, _relation(call, arguments))
        case _ if action in CHANGES:
            await took_effect(call, _command(call, None, action, {}))
            return None
        case _:
            raise _unknown(action, ("relate",))


async def act_on_one(call: Call) -> Reply:
    """mute, unmute, deaf, undeaf, kick, play."""
    wanted = _participant_id(call)
    action, arguments = action_of(call)
    if action != "play" and action not in CHANGES:
        raise _unknown(action, ())
    data = {"media_id": media_id(arguments)} if action == "play" else {}
    try:
        await _command(call, wanted, action, data)
    except (NoSuchParticipant, NoSuchRoom):
        raise bad_identifier(call.path["participant_id"]) from None
    return Reply("ok", 202, extra={"_read_only": _now(call, wanted)})


def _present(call: Call) -> list[dict[str, Any]]:
    return call.services.live.participants(call.account.id, call.path["document_id"])


def _now(call: Call, wanted: int) -> dict[str, Any]:
    """The participant as it is now; empty when it is not there."""
    return next((participant(one) for one in _present(call) if one["participant_id"] == wanted), {})


def _participant_id(call: Call) -> int:
    text = call.path["participant_id"]
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS):
        raise bad_identifier(text)
    return int(text)


def _command(call: Call, wanted: int | None, action: str, data: dict[str, Any]) -> Awaitable[dict[str, Any]]:
    live, room = call.services.live, call.path["document_id"]
    command = live.command_participants(call.account.id, room, wanted, action, data)
    return media_found(command, data.get("media_id", ""))


async def _relate(call: Call, relation: dict[str, Any]) -> Reply:
    try:
        return await took_effect(call, _command(call, None, "relate", relation), "relating participants")
    except NoSuchParticipant as gone:  # since we looked
        raise _no_participant(str(gone)) from None


def _relation(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    """What `relate` is given; raises `ApiError` 400, and 404 for participants who are not there."""
    present = [one["participant_id"] for one in _present(call)]
    for key in ("participant_id", "other_participant"):
        if key not in arguments:
            raise wrong(f"data.{key}", "required", "this key is required: add the participant's id")
        if type(arguments[key]) is not int or arguments[key] not in present:
            raise _no_participant(arguments[key])
    relationship = arguments.get("relationship", "clear")
    if relationship not in RELATIONSHIPS:
        message = f"must be one of {', '.join(RELATIONSHIPS)}: choose one of them"
        raise wrong("data.relationship", "enum", message, value=relationship, target=RELATIONSHIPS)
    return {key: arguments[key] for key in ("participant_id", "other_participant")} | {"relationship": relationship}


def _no_participant(given: Any) -> ApiError:
    message = "nobody in the room has this id: list the participants"
    return ApiError(404, "bad_identifier", {"id": given, "cause": given, "message": message})


def _unknown(action: str, more: tuple[str, ...]) -> ApiError:
    return faulty_request(f"unknown action {action[:64]!r}: use one of {', '.join((*CHANGES, 'play', *more))}")
