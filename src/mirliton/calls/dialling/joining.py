"""How those who are called enter the room: what the request, the conference and the account's configuration say."""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from mirliton.calls.dialling.endpoints import shown
from mirliton.calls.dialling.finding import Callee
from mirliton.conference.entry import Admission
from mirliton.conference.ports import CallerInfo
from mirliton.conference.profile import Configuration
from mirliton.conference.reading import Document, section, text, texts, whole
from mirliton.conference.settings import Conference, Role, caller_settings, room_settings

MAX_TIMEOUT_SECONDS = 300
"""A SIP proxy gives up at about this time (RFC 3261 section 16.6, timer C is above three minutes)."""

_NOT_FOR_ROOMS = {
    "endpoints",
    "caller_id_name",
    "caller_id_number",
    "outbound_call_id",
    "participant_flags",
    "target_call_id",
    "timeout",
    "custom_application_vars",
    "action",
    "data",
}


@dataclass(frozen=True, slots=True)
class Invitation:
    """What all endpoints of a request have in common."""

    admission: Admission
    caller_name: str
    caller_number: str
    ring_seconds: float
    first_call_id: str | None
    application_vars: dict[str, Any]

    @property
    def account_id(self) -> str:
        """The account that calls."""
        return self.admission.room.account_id

    @property
    def conference(self) -> Conference:
        """The conference that calls."""
        return self.admission.conference

    @property
    def join_existing(self) -> bool:
        """Whether the room must be running already."""
        return self.admission.caller.join_existing

    def for_callee(self, callee: Callee) -> Admission:
        """As this endpoint enters."""
        return replace(self.admission, caller=replace(self.admission.caller, bridge=callee.bridge))

    def from_uri(self, host: str) -> str:
        """Who calls, as a SIP address."""
        return f"sip:{quote(self.caller_number, safe='+*') or 'mirliton'}@{host}"

    def callee_info(self, callee: Callee, call_id: str, device_id: str | None, owner_id: str | None) -> CallerInfo:
        """Who was called, as the room shows it."""
        return CallerInfo(
            call_id=call_id,
            account_id=self.account_id,
            caller_id_name=callee.name,
            caller_id_number=callee.number,
            device_id=device_id,
            owner_id=owner_id,
            inbound=False,
            custom_application_vars=self.application_vars,
        )


def read_invitation(
    account_id: str,
    conference_id: str,
    stored: Document | None,
    request: Document,
    configuration: Configuration,
    ring_seconds: int,
) -> Invitation:
    """Put a valid request together with the conference. `stored` None: an ad-hoc room, set up by the request's keys.

    A called member is muted and deaf by the flags alone, not by the document's `join_muted` (semantics 6.7).
    """
    conference = Conference(account_id, conference_id, _document(stored, request), stored=stored is not None)
    flags = texts(request, "participant_flags")
    role = Role.MODERATOR if "is_moderator" in flags else Role.MEMBER
    settings = replace(
        caller_settings({}, conference.document, configuration, role),
        muted="mute" in flags,
        deaf="deaf" in flags,
        ghost="ghost" in flags,
        disable_moh="disable_moh" in flags,
        join_existing="join_existing" in flags,
        distribute_dtmf="distribute_dtmf" in flags,
    )
    return Invitation(
        admission=Admission(room_settings(conference, configuration), settings, conference),
        caller_name=shown(text(request, "caller_id_name") or conference.name),
        caller_number=shown(text(request, "caller_id_number") or ""),
        ring_seconds=min(whole(request, "timeout") or ring_seconds, MAX_TIMEOUT_SECONDS),
        first_call_id=text(request, "outbound_call_id"),
        application_vars=dict(section(request, "custom_application_vars")),
    )


def _document(stored: Document | None, request: Document) -> Document:
    profile = text(request, "profile_name")
    if stored is not None:
        return {**stored, "profile_name": profile} if profile else stored
    private = ("_", "pvt_")
    return {key: item for key, item in request.items() if key not in _NOT_FOR_ROOMS and not key.startswith(private)}
