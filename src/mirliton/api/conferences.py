"""Conferences: documents, with the running room beside them (semantics 6.2, 6.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mirliton.api.actions import act_on_room
from mirliton.api.authentication import is_id
from mirliton.api.call import Call, Reply, Route
from mirliton.api.devices import sip_user_is_free
from mirliton.api.effective import effective_settings
from mirliton.api.errors import wrong
from mirliton.api.listing import digest, list_documents
from mirliton.api.participants import act_on_many, act_on_one, list_participants, read_participant
from mirliton.api.resource import Body, Resource, public
from mirliton.api.room import live_block, running_row
from mirliton.schemas import defaults
from mirliton.store import Document, NotFound
from mirliton.store.credentials import ha1

EMPTY: Mapping[str, Any] = MappingProxyType({})
COLUMNS = ("name", "owner_id", "member", "moderator", "conference_numbers", "ui_flags")


async def keep_bridge_digests(call: Call, body: Body, private: Body, old: Document | None) -> tuple[Body, Body]:
    """The bridge password is never returned (semantics 2.3), nor kept: SIP needs its digests only.

    One that is not given again stays, unless the user name is another one, of which the digests are part.
    """
    private = dict(private)
    password, username = body.pop("bridge_password", None), body.get("bridge_username")
    if password is None and old is not None and old.body.get("bridge_username") == username:
        return body, private
    private.pop("ha1", None)
    if username is not None:
        await sip_user_is_free(call, "bridge_username", username, "device")
    if password is None:
        return body, private
    if username is None:
        raise wrong("bridge_username", "required", "a bridge password needs a bridge user name: add one")
    realm = call.account.body.get("realm")
    if realm is None:
        raise wrong(
            "bridge_password", "forbidden", "the account has no realm, of which SIP passwords are part: set it first"
        )
    private["ha1"] = ha1(username, realm, password)
    return body, private


@dataclass(frozen=True, slots=True)
class Conferences(Resource):
    """A `Resource` whose documents may have a room that runs, and whose unknown ids are ad-hoc rooms."""

    def routes(self) -> list[Route]:
        """PUT on a document is an action, not a change."""
        collection, document = Resource.routes(self)
        handlers = {**document.handlers, "GET": self.read, "PUT": self.act}
        participants = f"{document.path}/participants"
        return [
            collection,
            Route(document.path, handlers),
            Route(participants, {"GET": list_participants, "PUT": self.act_on_many}),
            Route(f"{participants}/{{participant_id}}", {"GET": read_participant, "PUT": act_on_one}),
        ]

    async def list(self, call: Call) -> Reply:
        """Rows with the live record of those that run."""

        def row(document: Document) -> Body:
            live = running_row(call.services.live.snapshot(call.account.id, document.id))
            counts = {key: live[key] for key in ("members", "moderators", "admins", "duration", "is_locked")}
            return Resource.row(self, document) | counts | {"_read_only": live}

        return await list_documents(call, self.kind, row)

    async def read(self, call: Call) -> Reply:
        """The document, or for an unknown id an ad-hoc room, with the live block; `?effective=true` says why."""
        document = await self.stored(call)
        found = await effective_settings(call, document) if call.query.get("effective") == "true" else None
        return self.with_room(call, document, {} if found is None else {"effective": found})

    async def act(self, call: Call) -> Reply:
        """An action on the room."""
        return await act_on_room(call, await self.stored(call))

    async def act_on_many(self, call: Call) -> Reply:
        """An action on the participants; where it changes them, the answer is the conference."""
        document = await self.stored(call)
        reply = await act_on_many(call, document)
        return reply if reply is not None else self.with_room(call, document)

    async def stored(self, call: Call) -> Document | None:
        """The document of the path, None for the id of an ad-hoc room."""
        conference_id = call.path["document_id"]
        if not is_id(conference_id):
            return None
        try:
            return await call.store.documents.get(call.account.id, conference_id, self.kind)
        except NotFound:
            return None

    def with_room(self, call: Call, document: Document | None, more: Mapping[str, Any] = EMPTY) -> Reply:
        """The conference as a client sees it, and `more`. While the room runs the ETag follows the room, too."""
        conference_id = call.path["document_id"]
        snapshot = call.services.live.snapshot(call.account.id, conference_id)
        if document is None:
            data: dict[str, Any] = defaults(self.schema) | {"id": conference_id, "_read_only": {}}
        else:
            data = public(document)
        data["_read_only"] |= live_block(snapshot)
        if snapshot is not None and snapshot.get("focus"):
            data["focus"] = snapshot["focus"]
        data |= more
        if document is None:
            return Reply(data, etag=digest(data))
        etag = document.revision if snapshot is None and not more else f"{document.revision};{digest(data)}"
        return Reply(data, etag=etag, revision=document.revision)

    def reply(self, document: Document, code: int = 200, headers: dict[str, str] | None = None) -> Reply:
        """After a change: the document with an idle live block (whoever wants the room reads it)."""
        reply = Resource.reply(self, document, code, headers)
        reply.data["_read_only"] |= live_block(None)
        return reply


CONFERENCES = Conferences("conferences", "conference", "conferences", COLUMNS, keep_bridge_digests)
