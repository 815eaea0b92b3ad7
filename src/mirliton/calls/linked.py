"""Calls to the user `conference` or `conference+<id>` (semantics 1.1): by a public link, or by name.

A link brings its PIN and its conference: whoever has a good one is asked for nothing. A caller without a link has been
let in by an address or a password, and may bring conference and PIN in headers. Nobody becomes a moderator by a header,
because any phone can send one: a moderator's PIN in its place does.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mirliton.calls.call import Call
from mirliton.calls.inbound import Way
from mirliton.calls.ports import CallData
from mirliton.calls.rooms import Rooms
from mirliton.conference.entry import enter
from mirliton.conference.ports import Names
from mirliton.links import Invitation
from mirliton.sip.types import Link, Session

USER = "conference"
ID_HEADER = "x-conference-id"
PIN_HEADER = "x-conference-pin"
_NOBODY = ""

GoOn = Callable[[Call, str], Awaitable[None]]
"""Sees a call to the end of another number's callflow; `transfers.Transfers` does."""


class LinkChecks(Protocol):
    """Who knows links; `links.Links` is one."""

    async def verify(self, token: str, conference_id: str | None = None) -> Invitation | None:
        """What a link opens now, or None."""


@dataclass(slots=True)
class LinkedStatistics:
    """Calls since the start: by a good link, refused for a bad one, and by the name of a conference."""

    by_link: int = 0
    refused: int = 0
    by_name: int = 0


class Linked:
    """Leads such calls through the dialogue of their conference; an `Arrival`.

    `go_on` takes those who are transferred out of the room to the number.
    """

    def __init__(self, links: LinkChecks, data: CallData, rooms: Rooms, names: Names, go_on: GoOn) -> None:
        self.statistics = LinkedStatistics()
        self._links = links
        self._data = data
        self._rooms = rooms
        self._names = names
        self._go_on = go_on

    async def admits(self, link: Link) -> bool:
        """Whether a stranger's call by this link may come in; `sip.types.Admits`."""
        return await self._links.verify(link.token, link.conference) is not None

    async def __call__(self, session: Session) -> Way | None:
        """The way of a call to a conference, None for a call to anything else."""
        user, plus, conference_id = session.request_user.partition("+")
        if user != USER or (plus and not conference_id):
            return None
        if session.link is not None:
            return await self._by_link(session.link)
        return await self._by_name(session, conference_id or session.headers.get(ID_HEADER, "").strip())

    async def _by_link(self, link: Link) -> Way:
        """Checked again, though the door may have asked: callers of trusted networks and devices come past it."""
        invitation = await self._links.verify(link.token, link.conference)
        if invitation is None:
            self.statistics.refused += 1
            return Way(_NOBODY, _refuse)
        self.statistics.by_link += 1
        return Way(invitation.account_id, self._attendance({"id": invitation.conference_id}, invitation.pin))

    async def _by_name(self, session: Session, conference_id: str) -> Way | None:
        """To a stored conference; without an id to the question for its number, unless the account has a callflow."""
        account = await self._data.account_for(session.request_host.lower())
        if account is None:
            return None
        if conference_id and await self._data.conference(account.account_id, conference_id) is None:
            return None
        if not conference_id and await self._data.callflow_for(account.account_id, USER) is not None:
            return None
        self.statistics.by_name += 1
        action = {"id": conference_id} if conference_id else {}
        return Way(account.account_id, self._attendance(action, session.headers.get(PIN_HEADER, "").strip() or None))

    def _attendance(self, action: dict[str, Any], pin: str | None) -> Callable[[Call], Awaitable[None]]:
        async def attend(call: Call) -> None:
            admission = await enter(call, action, self._data, self._rooms, self._names, pin=pin)
            onward = await self._rooms.attend(call, admission) if admission is not None else None
            if onward is not None:
                await self._go_on(call, onward)

        return attend


async def _refuse(call: Call) -> None:
    call.refuse(403)
