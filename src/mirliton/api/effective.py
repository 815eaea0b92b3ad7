"""`?effective=true`: every setting that holds for a conference, and where it comes from (`conference.effective`)."""

from typing import Any

from mirliton.api.call import Call
from mirliton.conference.effective import effective
from mirliton.conference.settings import Conference
from mirliton.store import Document


async def effective_settings(call: Call, document: Document | None) -> dict[str, Any] | None:
    """Key -> `{value, source}` for a stored conference, or the ad-hoc room with the id of the path.

    An ad-hoc room that runs was opened with a document of its own (`snapshot["document"]`); where the room does not
    tell it, nothing is claimed: None. One that does not run would open with the defaults.
    """
    conference_id = call.path["document_id"]
    found = _opened_with(call, conference_id) if document is None else document.body
    if found is None:
        return None
    conference = Conference(call.account.id, conference_id, found, stored=document is not None)
    return effective(conference, await call.services.configuration(call.account.id))


def _opened_with(call: Call, conference_id: str) -> dict[str, Any] | None:
    snapshot = call.services.live.snapshot(call.account.id, conference_id)
    return {} if snapshot is None else snapshot.get("document")
