"""One webhook as its document says, and which events it is told of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mirliton.calls.events import Event
from mirliton.store import Document

KIND = "webhook"
HOOKS: dict[str, str] = {
    "conference": "What happens in conferences: they begin and end, people come, go, talk and are muted",
    "all": "All events there are",
}
"""What a webhook can be hooked to, and what that is."""


@dataclass(frozen=True, slots=True)
class Hook:
    """`attempts`: how often one event is tried. `events` and `conference_id` narrow what is told; None is all."""

    account_id: str
    id: str
    revision: str
    uri: str
    hook: str
    verb: Literal["post", "put", "get"]
    format: Literal["json", "form-data"]
    attempts: int
    secret: str = field(repr=False)
    custom_data: Mapping[str, Any] = field(default_factory=dict)
    events: frozenset[str] | None = None
    conference_id: str | None = None

    def wants(self, event: Event) -> bool:
        """Is the webhook told of this event of its account?"""
        if self.events is not None and event.get("event") not in self.events:
            return False
        return self.conference_id in (None, event.get("conference_id"))


def hook_of(document: Document, attempts: int) -> Hook:
    """The webhook in a valid `webhooks` document; `attempts` holds where it names none."""
    body = document.body
    return Hook(
        account_id=document.account_id,
        id=document.id,
        revision=document.revision,
        uri=body["uri"],
        hook=body["hook"],
        verb=body["http_verb"],
        format=body["format"],
        attempts=body.get("retries", attempts),
        secret=document.private["secret"],
        custom_data=body["custom_data"],
        events=frozenset(body["events"]) if body.get("events") else None,
        conference_id=body.get("conference_id"),
    )
