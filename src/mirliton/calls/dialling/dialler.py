"""Calls that a conference makes (semantics 6.7): the endpoints ring, and those who answer are put into the room."""

import asyncio
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

import structlog

from mirliton.calls.bridging import trunk_headers
from mirliton.calls.call import Call
from mirliton.calls.dialling.finding import Callee, Contact, Finder
from mirliton.calls.dialling.joining import Invitation, read_invitation
from mirliton.calls.dialling.placing import Line, Placement
from mirliton.calls.dialling.ports import Budgets, Callees, DialledRooms, SipCalls
from mirliton.calls.dialling.ringing import Unreached, first_to_answer
from mirliton.calls.dialling.shares import Shares
from mirliton.calls.dialling.statistics import DialStatistics
from mirliton.calls.dialling.talking import AnsweredCalls
from mirliton.calls.dialling.ways import Ways
from mirliton.calls.linked import GoOn
from mirliton.calls.live import Refused
from mirliton.calls.negotiation import Repertoire
from mirliton.calls.ports import SoundLibrary
from mirliton.calls.sound_queue import SoundStatistics
from mirliton.conference.entry import Admission, Documents
from mirliton.conference.settings import Conference
from mirliton.media.types import MediaEngine
from mirliton.outbound_http.lookup import Lookup
from mirliton.settings import DialSettings

_log = structlog.get_logger(__name__)

Outcome = dict[str, Any]


class Dialler:
    """Implements `calls.live.Dialling`."""

    def __init__(
        self,
        sip: SipCalls,
        engine: MediaEngine,
        sounds: SoundLibrary,
        rooms: DialledRooms,
        documents: Documents,
        callees: Callees,
        budgets: Budgets,
        settings: DialSettings,
        *,
        media_address: str,
        rtp_timeout_seconds: float = 60,
        settle_seconds: float = 0.0,
        sound_statistics: SoundStatistics | None = None,
        lookup: Lookup | None = None,
        go_on: GoOn | None = None,
        repertoire: Repertoire | None = None,
        trunk_repertoire: Repertoire | None = None,
    ) -> None:
        """`media_address`: the IP address that those who are called shall send RTP to.

        `rtp_timeout_seconds` 0: never hang up. `settle_seconds`: see `Call`. `lookup`: the system's unless given.
        `go_on`: see `AnsweredCalls`. `repertoire`, `trunk_repertoire`: see `Line`.
        """
        self.statistics = DialStatistics()
        self._rooms, self._documents, self._callees, self._budgets = rooms, documents, callees, budgets
        self._settings = settings
        self._media_address = media_address
        self._finder = Finder(callees, sip, settings)
        self._shares = Shares(settings.max_calls_per_account)
        self._line = Line(
            sip,
            engine,
            sounds,
            self.statistics,
            media_address=media_address,
            ways=Ways(settings.uri_networks, lambda: sip.listening[1], lookup, trunk=settings.trunk),
            settle_seconds=settle_seconds,
            sound_statistics=sound_statistics or SoundStatistics(),
            repertoire=repertoire,
            trunk_repertoire=trunk_repertoire,
        )
        self._answered = AnsweredCalls(
            rooms,
            budgets,
            self._shares,
            self.statistics,
            rtp_timeout_seconds=rtp_timeout_seconds,
            settle_seconds=settle_seconds,
            go_on=go_on,
        )
        self._ringing: set[asyncio.Task[Outcome]] = set()
        self._closed = False

    async def dial(self, account_id: str, conference_id: str, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Call every endpoint at the same time; returns when each has joined or failed.

        Raises `BadEndpoints`, and `Refused` while the server stops. Cancelling this does not end the calls.
        """
        self.statistics.requests += 1
        callees = await self._finder.find(account_id, request["endpoints"])
        invitation = read_invitation(
            account_id,
            conference_id,
            await self._documents.conference(account_id, conference_id),
            request,
            await self._documents.conference_configuration(account_id),
            self._settings.timeout_seconds,
        )
        host = await self._callees.realm(account_id) or self._media_address
        if self._closed:
            raise Refused(503, "the server stops: try again later")
        ids = [invitation.first_call_id or _new_call_id(), *(_new_call_id() for _ in callees[1:])]
        works = [self._start(invitation, callee, host, call_id) for callee, call_id in zip(callees, ids, strict=True)]
        await asyncio.wait(works)
        return [
            {"call_id": call_id, "endpoint_id": callee.endpoint_id, "job_id": str(uuid.uuid4()), **_outcome(work)}
            for callee, call_id, work in zip(callees, ids, works, strict=True)
        ]

    async def close(self) -> None:
        """Let nothing ring any more and hang every call up."""
        self._closed = True
        for work in self._ringing:
            work.cancel()
        if self._ringing:
            await asyncio.wait(set(self._ringing))
        await self._answered.close()

    def _start(self, invitation: Invitation, callee: Callee, host: str, call_id: str) -> asyncio.Task[Outcome]:
        self.statistics.endpoints += 1
        work = asyncio.get_running_loop().create_task(self._bring(invitation, callee, host, call_id))
        self._ringing.add(work)
        work.add_done_callback(self._ringing.discard)
        return work

    async def _bring(self, invitation: Invitation, callee: Callee, host: str, call_id: str) -> Outcome:
        """What became of one endpoint; never raises."""
        try:
            call = await self._reach(invitation, callee, host, call_id)
            refusal = await self._join(invitation, callee, call)
        except Unreached as failure:
            self.statistics.unreached += 1
            return {"status": "error", "message": str(failure)}
        except Exception:
            self.statistics.failed += 1
            _log.exception("endpoint cannot be called", account_id=invitation.account_id, call_id=call_id)
            return {"status": "error", "message": "an error of the server: see its log"}
        if refusal is not None:
            self.statistics.not_joined += 1
            return {"call_id": call.info.call_id, "status": "error", "message": refusal}
        self.statistics.joined += 1
        return {"call_id": call.info.call_id, "status": "success", "message": "joined the conference"}

    async def _reach(self, invitation: Invitation, callee: Callee, host: str, call_id: str) -> Call:
        """The call that was answered; it keeps one of its account's shares. Raises `Unreached`."""
        if callee.unreachable:
            raise Unreached(callee.unreachable)
        if invitation.join_existing and self._no_room(invitation.conference):
            raise Unreached("not called: the conference does not run, and `join_existing` makes none")
        unused = len(callee.contacts)
        if not self._shares.take(invitation.account_id, unused):
            self.statistics.over_share += 1
            raise Unreached("not called: the account already makes as many calls as it may at a time")
        try:
            call = await self._ring(invitation, callee, host, call_id)
            unused -= 1
        finally:
            self._shares.give_back(invitation.account_id, unused)
        return call

    async def _ring(self, invitation: Invitation, callee: Callee, host: str, call_id: str) -> Call:
        if callee.by_trunk and not await self._budgets.spend(invitation.account_id, calls=1):
            self.statistics.over_budget += 1
            raise Unreached("not called: the account has used up its calls or minutes of the last 24 hours")
        ids = [call_id, *(_new_call_id() for _ in callee.contacts[1:])]
        return await first_to_answer(
            [
                self._line.place(contact, _placement(invitation, callee, contact, host, own_id))
                for contact, own_id in zip(callee.contacts, ids, strict=True)
            ]
        )

    async def _join(self, invitation: Invitation, callee: Callee, call: Call) -> str | None:
        """Put an answered call into the room; why that cannot be, else None. The call goes on in a task of its own."""
        admission = invitation.for_callee(callee)
        self._answered.start(call, admission, pays=invitation.account_id if callee.by_trunk else None)
        refusal = self._refusal(admission)
        if await call.until_in_room():
            return None
        return refusal or "answered, but did not join: hung up, or the server has no room for another conference"

    def _no_room(self, conference: Conference) -> bool:
        return self._rooms.find(conference.account_id, conference.conference_id) is None

    def _refusal(self, admission: Admission) -> str | None:
        """What the door says to somebody who comes now; the room itself decides."""
        room = self._rooms.find(admission.room.account_id, admission.room.conference_id)
        refusal = room.refusal(moderator=admission.caller.moderator, inbound=False) if room else None
        return f"answered, but not let in: the conference is {refusal.reason}" if refusal else None


def _placement(invitation: Invitation, callee: Callee, contact: Contact, host: str, call_id: str) -> Placement:
    return Placement(
        info=invitation.callee_info(callee, call_id, contact.device_id, contact.owner_id),
        display=invitation.caller_name,
        from_uri=invitation.from_uri(host),
        ring_seconds=invitation.ring_seconds,
        headers=_trunk_headers(invitation) if callee.bridge else {},
    )


def _trunk_headers(invitation: Invitation) -> dict[str, str]:
    room = invitation.admission.room
    return trunk_headers(invitation.admission.caller, room.account_id, room.conference_id)


def _outcome(work: asyncio.Task[dict[str, Any]]) -> dict[str, Any]:
    return {"status": "error", "message": "the server stops"} if work.cancelled() else work.result()


def _new_call_id() -> str:
    return secrets.token_hex(16)
