"""Actions on a room (semantics 6.6), in all three shapes of body."""

from collections.abc import Awaitable
from typing import Any

from mirliton.api.call import Call, Reply
from mirliton.api.dial import dial
from mirliton.api.errors import ApiError, bad_identifier, faulty_request, wrong
from mirliton.api.room import live_block
from mirliton.calls.live import BadMedia, NoSuchRoom
from mirliton.store import Document

ROOM_ACTIONS = ("lock", "unlock", "play", "dial", "record", "vars")
RECORDING_FORMATS = ("flac", "ogg", "wav")
LONGEST_NAME, LONGEST_VALUE = 64, 1024
NOT_RUNNING = "the room does not run: nothing was done"


def action_of(call: Call) -> tuple[str, dict[str, Any]]:
    """The action's name and its arguments, wherever they stand; raises `ApiError` 404 without a name."""
    data = call.data()
    name = call.envelope.get("action", data.get("action"))
    if not isinstance(name, str):
        raise faulty_request("no action: name one in `action`")
    inner = data.get("data")
    return name, inner if isinstance(inner, dict) else data


async def act_on_room(call: Call, document: Document | None) -> Reply:
    """lock, unlock, play, dial, record, vars."""
    action, arguments = action_of(call)
    if action != "dial":
        must_exist(call, document)
    match action:
        case "lock" | "unlock":
            return await took_effect(call, _command(call, action, {}))
        case "play":
            return await took_effect(call, _command(call, action, {"media_id": media_id(arguments)}))
        case "record":
            order = recording_order(arguments)
            said = {"start": "starting recording", "stop": "stopping recording"}[order["action"]]
            return await took_effect(call, _command(call, action, order), said)
        case "vars":
            return await took_effect(call, _command(call, action, variables(arguments)))
        case "dial":
            return await dial(call, document, arguments)
        case _:
            raise faulty_request(f"unknown action {action[:64]!r}: use one of {', '.join(ROOM_ACTIONS)}")


def must_exist(call: Call, document: Document | None) -> None:
    """Raises `ApiError` 404 for an id that is neither a stored conference nor a room that runs."""
    conference_id = call.path["document_id"]
    if document is None and call.services.live.snapshot(call.account.id, conference_id) is None:
        raise bad_identifier(conference_id)


async def took_effect(call: Call, command: Awaitable[dict[str, Any]], said: str = "ok") -> Reply:
    """202 and the live block as the command left it, beside `data`.

    A room that does not run takes every command silently, as Kazoo's does; the envelope says so.
    """
    extra: dict[str, Any] = {}
    try:
        await command
    except NoSuchRoom:
        extra["message"] = NOT_RUNNING
    extra["_read_only"] = live_block(call.services.live.snapshot(call.account.id, call.path["document_id"]))
    return Reply(said, 202, extra=extra)


async def media_found(command: Awaitable[dict[str, Any]], media: str) -> dict[str, Any]:
    """The command's result; raises `ApiError` 404 for media that cannot be resolved."""
    try:
        return await command
    except BadMedia as bad:
        raise ApiError(404, "not_found", [media], extra={"cause": str(bad)}) from None


def media_id(arguments: dict[str, Any]) -> str:
    """What to play; raises `ApiError` 400."""
    if not {key: value for key, value in arguments.items() if key != "action"}:
        raise wrong("data", "required", "the action needs arguments: add `data` with `media_id`")
    media = arguments.get("media_id")
    if media is None or media == "":
        raise wrong("data.media_id", "required", "what to play is missing: add a media id or URL")
    if not isinstance(media, str):
        raise wrong("data.media_id", "type", "must be a text: a media id or URL", value=media, target="string")
    return media


def recording_order(arguments: dict[str, Any]) -> dict[str, Any]:
    """`action` `start` or `stop`, and `format` and `tracks` when they are given; raises `ApiError` 400."""
    wanted = ["start", "stop"]
    what = arguments.get("action")
    if what is None or what == "record":
        raise wrong("data.action", "required", "say whether to start or to stop", target=wanted)
    if not isinstance(what, str) or what not in wanted:
        raise wrong("data.action", "enum", "must be start or stop: choose one", value=what, target=wanted)
    order: dict[str, Any] = {"action": what}
    if (form := arguments.get("format")) is not None:
        if form not in RECORDING_FORMATS:
            text = "must be flac, ogg or wav: choose one"
            raise wrong("data.format", "enum", text, value=form, target=list(RECORDING_FORMATS))
        order["format"] = form
    if (tracks := arguments.get("tracks")) is not None:
        if not isinstance(tracks, bool):
            raise wrong("data.tracks", "type", "must be true or false", value=tracks, target="boolean")
        order["tracks"] = tracks
    return order


def variables(arguments: dict[str, Any]) -> dict[str, Any]:
    """What to set on the room: `vars`, or else all arguments. Raises `ApiError` 400."""
    wanted = arguments.get("vars", {key: value for key, value in arguments.items() if key != "action"})
    if not isinstance(wanted, dict) or not wanted:
        raise wrong("data.vars", "required", "name the variables to set, each with a text, number, boolean or null")
    for name, value in wanted.items():
        if len(name) > LONGEST_NAME or not isinstance(value, str | int | float | None):
            raise wrong(f"data.vars.{name[:LONGEST_NAME]}", "type", "must be a text, number, boolean or null")
        if isinstance(value, str) and len(value) > LONGEST_VALUE:
            raise wrong(f"data.vars.{name}", "maxLength", "is too long: shorten it", target=LONGEST_VALUE)
    return wanted


def _command(call: Call, action: str, data: dict[str, Any]) -> Awaitable[dict[str, Any]]:
    command = call.services.live.command_room(call.account.id, call.path["document_id"], action, data)
    return media_found(command, data.get("media_id", ""))
