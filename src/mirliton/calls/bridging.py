"""Calls from the servers of other rooms: straight into the room whose bridge credentials they know (semantics 1.5.9).

Such a trunk is neither greeted nor asked for anything. Its server has tones, prompts and music of its own, so it hears
the voices of this room only, and each caller beyond it is heard once.
"""

import hashlib
from dataclasses import replace

import structlog

from mirliton.calls.call import Call
from mirliton.calls.inbound import Way
from mirliton.calls.ports import CallData
from mirliton.calls.rooms import Rooms
from mirliton.conference.entry import Admission
from mirliton.conference.settings import CallerSettings, Conference, Role, caller_settings, room_settings
from mirliton.sip.types import BRIDGE_HEADER, Bridge, Session

_log = structlog.get_logger(__name__)

MODERATOR_HEADER = "X-Mirliton-Moderator"
"""`true`: somebody beyond the trunk is a moderator, for whom members here need not wait."""


ROOM_HEADER = "X-Mirliton-Room"
"""Which room a trunk comes from, as a digest: two ends of it in one room would feed each other for ever."""


def trunk_headers(caller: CallerSettings, account_id: str, conference_id: str) -> dict[str, str]:
    """What the INVITE of a trunk says: that it is one, so that it is asked for its password, where it comes from, and
    who is beyond it."""
    moderator = {MODERATOR_HEADER: "true"} if caller.moderator else {}
    return {BRIDGE_HEADER: "1", ROOM_HEADER: room_digest(account_id, conference_id)} | moderator


def room_digest(account_id: str, conference_id: str) -> str:
    """Names a room and tells nothing about it."""
    return hashlib.sha256(f"{account_id}/{conference_id}".encode()).hexdigest()


class Bridging:
    """Puts trunks into rooms; an `Arrival`."""

    def __init__(self, data: CallData, rooms: Rooms) -> None:
        self._data = data
        self._rooms = rooms

    async def __call__(self, session: Session) -> Way | None:
        """The way of a call that authenticated with bridge credentials."""
        bridge = session.bridge
        if bridge is None:
            return None
        if session.headers.get(ROOM_HEADER.lower()) == room_digest(bridge.account_id, bridge.conference_id):
            return Way(bridge.account_id, _refuse_loop)
        leads = (session.headers.get(MODERATOR_HEADER.lower()) or "").strip().lower() == "true"
        role = Role.MODERATOR if leads else Role.MEMBER
        return Way(bridge.account_id, lambda call: self._join(call, bridge, role), trunk=True)

    async def _join(self, call: Call, bridge: Bridge, role: Role) -> None:
        document = await self._data.conference(bridge.account_id, bridge.conference_id)
        if document is None:  # deleted while the call was authenticated
            call.refuse(404)
            return
        conference = Conference(bridge.account_id, bridge.conference_id, document, stored=True)
        configuration = await self._data.conference_configuration(bridge.account_id)
        caller = replace(caller_settings({}, document, configuration, role), bridge=True, muted=False, deaf=False)
        _log.info("room linked", call_id=call.info.call_id, conference_id=bridge.conference_id)
        await call.answer()
        await self._rooms.attend(call, Admission(room_settings(conference, configuration), caller, conference))


async def _refuse_loop(call: Call) -> None:
    call.refuse(482)  # loop detected (RFC 3261 section 21.4.20)
