"""The texts that go to clients (semantics 7.2), and the data of events as Kazoo's documentation shows it."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from mirliton.api.envelope import VERSION
from mirliton.api.events.bindings import Address, Binding, routing_key
from mirliton.calls.events import Event

APP_NAME = "mirliton"
NO_ROOM: Mapping[str, Any] = {"members": 0, "moderators": 0, "participants": [], "sequence": 0}
"""The snapshot of a room that does not run: its first event will have the sequence 1."""


class Message:
    """One event, written as JSON once for all sockets that get it. Raises `ValueError`, `TypeError` for what is no
    JSON."""

    __slots__ = ("address", "data", "name", "number", "routing_key")

    def __init__(self, event: Event, number: int, node: str) -> None:
        """`number` counts the feed's events."""
        self.number = number
        self.address = address_of(event)
        self.routing_key = routing_key(self.address)
        self.name = "command" if self.address.command else "event"
        self.data = _json(_described(event, self.address, self.routing_key, node))


class Heading:
    """What every event of one subscription begins with: the keys of 7.2, and the client's own name and metadata."""

    def __init__(self, account_id: str, binding: Binding, name: str | None, metadata: str | None) -> None:
        """`metadata` is JSON already."""
        keys = {
            "action": "event",
            "subscribed_key": binding.text,
            "subscription_key": binding.pattern(account_id),
        }
        if name is not None:
            keys["subscription_name"] = name
        self._start = _json(keys)[:-1] + ("" if metadata is None else f',"metadata":{metadata}')

    def event(self, message: Message) -> str:
        """The text of an event."""
        keys = _json({"name": message.name, "routing_key": message.routing_key})
        return f'{self._start},{keys[1:-1]},"data":{message.data}}}'

    def snapshot(self, account_id: str, conference_id: str, live: Mapping[str, Any] | None) -> str:
        """The text that tells the state of a room; None when it does not run."""
        state = NO_ROOM if live is None else live
        where = {"account_id": account_id, "conference_id": conference_id, "is_running": live is not None}
        return f'{self._start},"name":"snapshot","data":{_json({**state, **where})}}}'


def reply(request_id: str | int, data: Mapping[str, Any]) -> str:
    """The text after an action that succeeded."""
    return _json({"action": "reply", "request_id": request_id, "status": "success", "data": data})


def refusal(request_id: str | int, errors: list[str]) -> str:
    """The text after an action that did nothing."""
    return _json({"action": "reply", "request_id": request_id, "status": "error", "data": {"errors": errors}})


def lost(count: int) -> str:
    """The text that tells a slow client of a gap, at the place of the gap."""
    return _json({"action": "event", "name": "lost", "data": {"lost": count}})


def address_of(event: Event) -> Address:
    """Where an event of the feed belongs."""
    conference = str(event.get("conference_id", ""))
    return Address(
        account_id=str(event.get("account_id", "")),
        conference_id=conference,
        call_id=str(event.get("call_id", conference)),
        kind=str(event.get("event", "")),
        command=event.get("event_name") == "command",
    )


def _described(event: Event, address: Address, key: str, node: str) -> dict[str, Any]:
    """The keys that Kazoo's bus adds; what the room said itself stays."""
    added: dict[str, Any] = {
        "event_category": "conference",
        "app_name": APP_NAME,
        "app_version": VERSION,
        "node": node,
        "msg_id": secrets.token_hex(16),
        "routing_key": key,
    }
    if not address.command and "participant_id" in event:
        added |= {"event_name": "participant_event", "channel_presence_id": None}
    elif not address.command:
        added["event_name"] = "event"
    return {**added, **event}


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
