"""`?effective=true`: every setting that holds for a conference, and where it comes from (`conference.effective`)."""

from typing import Any

from mirliton.api.call import Call
from mirliton.conference.effective import effective
from mirliton.conference.settings import Conference
from mirliton.store import Document


async def effective_settings(call: Call, document: Document | None) -> dict[str, Any]:
    """Key -> `{value, source}` for a stored conference, or the ad-hoc room with the id of the path.

    An ad-hoc room that runs was opened with a document of its own. One that does not run would open with the defaults.
    """
    conference_id = call.path["document_id"]
    found = document.body if document else call.services.live.opened_with(call.account.id, conference_id) or {}
    conference = Conference(call.account.id, conference_id, found, stored=document is not None)
    return effective(conference, await call.services.configuration(call.account.id))
