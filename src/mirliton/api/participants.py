"""Participants of a room: list, one, and actions on many or on one (semantics 6.5, 6.6)."""

from collections.abc import Awaitable
from typing import Any

from mirliton.api.actions import action_of, media_found, media_id, not_implemented, took_effect
from mirliton.api.call import Call, Reply
from mirliton.api.errors import ApiError, bad_identifier, faulty_request, wrong
from mirliton.api.listing import digest
from mirliton.api.room import participant
from mirliton.calls.live import NoSuchParticipant, NoSuchRoom

CHANGES = ("mute", "unmute", "deaf", "undeaf", "kick")
RELATIONSHIPS = ["mute", "deaf", "clear"]
MAX_ID_DIGITS = 15


async def list_participants(call: Call) -> Reply:
    """Everybody in the room in the order of joining; empty when it does not run."""
    found = [participant(one) for one in _present(call)]
    return Reply(found, etag=digest(found), extra={"page_size": len(found)})


async def read_participant(call: Call) -> Reply:
    """One participant; raises `ApiError` 404."""
    wanted = _participant_id(call)
    found = next((participant(one) for one in _present(call) if one["participant_id"] == wanted), None)
    if found is None:
        raise bad_identifier(call.path["participant_id"])
    return Reply(found, etag=digest(found))


async def act_on_many(call: Call) -> Reply | None:
    """mute, unmute, deaf, undeaf, kick (None: answer with the conference), play, relate."""
    action, arguments = action_of(call)
    match action:
        case "play":
            return await took_effect(_command(call, None, action, {"media_id": media_id(arguments)}))
        case "relate":
            _check_relation(call, arguments)
            raise not_implemented("relate")
        case _ if action in CHANGES:
            await took_effect(_command(call, None, action, {}))
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
    return Reply("ok", 202)


def _present(call: Call) -> list[dict[str, Any]]:
    return call.services.live.participants(call.account.id, call.path["document_id"])


def _participant_id(call: Call) -> int:
    text = call.path["participant_id"]
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS):
        raise bad_identifier(text)
    return int(text)


def _command(call: Call, wanted: int | None, action: str, data: dict[str, Any]) -> Awaitable[dict[str, Any]]:
    live, room = call.services.live, call.path["document_id"]
    command = live.command_participants(call.account.id, room, wanted, action, data)
    return media_found(command, data.get("media_id", ""))


def _check_relation(call: Call, arguments: dict[str, Any]) -> None:
    present = [one["participant_id"] for one in _present(call)]
    for key in ("participant_id", "other_participant"):
        if key not in arguments:
            raise wrong(f"data.{key}", "required", "this key is required: add the participant's id")
        if isinstance(arguments[key], bool) or arguments[key] not in present:
            raise ApiError(404, "bad_identifier", {"id": arguments[key], "cause": arguments[key]})
    relationship = arguments.get("relationship", "clear")
    if relationship not in RELATIONSHIPS:
        message = f"must be one of {', '.join(RELATIONSHIPS)}: choose one of them"
        raise wrong("data.relationship", "enum", message, value=relationship, target=RELATIONSHIPS)


def _unknown(action: str, more: tuple[str, ...]) -> ApiError:
    return faulty_request(f"unknown action {action[:64]!r}: use one of {', '.join((*CHANGES, 'play', *more))}")
