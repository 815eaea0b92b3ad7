"""The live block beside a conference document, and participants as clients see them (semantics 6.3, 6.5)."""

from typing import Any

from mirliton.store.document import gregorian

Snapshot = dict[str, Any]
IDLE: Snapshot = {"members": 0, "moderators": 0, "admins": 0, "duration": 0, "is_locked": False}


def live_block(snapshot: Snapshot | None) -> dict[str, Any]:
    """`_read_only` of one conference; `admins` is the older name of `moderators`."""
    if snapshot is None:
        return {**IDLE, "is_recording": False, "participants": []}
    block = _counts(snapshot) | {key: snapshot[key] for key in ("is_recording", "sequence", "vars") if key in snapshot}
    return block | {"participants": [participant(one) for one in snapshot["participants"]]}


def running_row(snapshot: Snapshot | None) -> dict[str, Any]:
    """`_read_only` of a list row: counts, and what is known of a room that runs."""
    if snapshot is None:
        return dict(IDLE)
    participants = snapshot["participants"]
    row = _counts(snapshot) | {
        "run_time": snapshot["duration"],
        "start_time": gregorian(snapshot["start_time"]),
        "participant_count": len(participants),
    }
    if snapshot.get("focus"):
        row["switch_hostname"] = snapshot["focus"]
    if participants and "conference_uuid" in participants[0]:
        row["uuid"] = participants[0]["conference_uuid"]
    return row


def participant(one: dict[str, Any]) -> dict[str, Any]:
    """Both forms that clients know: the channel variables nested, and flat beside the rest."""
    flat = one.get("conference_channel_vars", {})
    return {**flat, **one}


def _counts(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "members": snapshot["members"],
        "moderators": snapshot["moderators"],
        "admins": snapshot["moderators"],
        "duration": snapshot["duration"],
        "is_locked": snapshot["is_locked"],
    }
