"""What a client can listen to (semantics 7.2): the text of a binding, what it means, and which events it takes.

Parts are separated by dots. Inside a conference id a dot is written `%2E`; a call id may hold dots as it is, because it
comes last. The first part after `conference.event.` is a kind of event when it is the name of one (or `*`) and two more
parts follow; else it is the conference.
"""

from dataclasses import dataclass
from urllib.parse import unquote

from mirliton.conference.events import OPTIONAL, PUBLISHED

KINDS = PUBLISHED | OPTIONAL
MAX_LENGTH = 512
AVAILABLE = {
    "conference": [
        "conference.event.{CONFERENCE_ID}.{CALL_ID}",
        "conference.event.{CONFERENCE_ID}.*",
        "conference.event.{EVENT}.{CONFERENCE_ID}.{CALL_ID}",
        "conference.event.{EVENT}.{CONFERENCE_ID}.*",
        "conference.event.*.*",
        "conference.command.{CONFERENCE_ID}",
    ]
}
"""The forms, as `GET /v2/websockets` tells them."""

_ALL_CONFERENCES = {"*.*", "*.*.*"}


class BadBinding(Exception):
    """The text is no binding; the message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an event belongs: a command to a room, or what happened in one; `kind` is `""` for commands."""

    account_id: str
    conference_id: str
    call_id: str
    kind: str
    command: bool


@dataclass(frozen=True, slots=True)
class Binding:
    """A binding; None stands for any. `text` is the client's own."""

    text: str
    command: bool
    kind: str | None
    conference_id: str | None
    call_id: str | None

    def takes(self, address: Address) -> bool:
        """Does an event of the right account belong to it?"""
        return (
            self.command == address.command
            and self.conference_id in (None, address.conference_id)
            and self.kind in (None, address.kind)
            and self.call_id in (None, address.call_id)
        )

    def pattern(self, account_id: str) -> str:
        """The internal key, with the account in it; a command's has none, as its routing key has none."""
        conference = _part(self.conference_id)
        if self.command:
            return f"conference.command.{conference}"
        return f"conference.event.{self.kind or '*'}.{account_id}.{conference}.{_part(self.call_id)}"


def binding(text: object) -> Binding:
    """The binding that a client wrote; raises `BadBinding`."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_LENGTH:
        raise BadBinding(f"a binding must be a text of at most {MAX_LENGTH} characters")
    if text.startswith("conference.command."):
        return _of_commands(text, text.removeprefix("conference.command."))
    if text.startswith("conference.event."):
        return _of_events(text, text.removeprefix("conference.event."))
    raise BadBinding(f"no such binding: {text[:80]!r}: see GET /v2/websockets")


def routing_key(address: Address) -> str:
    """The key under which the event would go over Kazoo's bus (semantics 7.1)."""
    conference = quote(address.conference_id)
    if address.command:
        return f"conference.command.{conference}"
    return f"conference.event.{address.kind}.{address.account_id}.{conference}.{quote(address.call_id)}"


def quote(part: str) -> str:
    """One part of a key, with the characters that separate parts or stand for all written in hexadecimal."""
    return "".join(f"%{ord(character):02X}" if character in "%.*# " else character for character in part)


def _of_commands(text: str, conference: str) -> Binding:
    if conference == "*":
        raise BadBinding("ConferenceId required")
    if not conference or "." in conference:
        raise BadBinding(f"invalid format for conference subscription: {text[:80]!r}: use conference.command.<id>")
    return Binding(text, True, None, unquote(conference), None)


def _of_events(text: str, rest: str) -> Binding:
    if rest in _ALL_CONFERENCES:
        return Binding(text, False, None, None, None)
    kind, conference, call = _split(rest)
    if not conference or not call:
        raise BadBinding(f"invalid format for conference subscription: {text[:80]!r}: see GET /v2/websockets")
    if conference == "*":
        raise BadBinding("ConferenceId required")
    if call.endswith(".*"):
        raise BadBinding(f"{conference[:80]!r} is no kind of event; a dot inside a conference id is written %2E")
    return Binding(text, False, kind, unquote(conference), None if call == "*" else unquote(call))


def _split(rest: str) -> tuple[str | None, str, str]:
    """Kind (None = any), conference and call."""
    first, _, others = rest.partition(".")
    if "." in others and (first == "*" or first in KINDS):
        conference, _, call = others.partition(".")
        return (None if first == "*" else first), conference, call
    return None, first, others


def _part(value: str | None) -> str:
    return "*" if value is None else quote(value)
