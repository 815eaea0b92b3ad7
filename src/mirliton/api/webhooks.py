"""Webhooks: addresses that are told of events, and what became of the last attempts to tell them (as in Kazoo)."""

import secrets
from dataclasses import dataclass
from ipaddress import ip_address

import httpx

from mirliton.api.call import Call, Reply, Route
from mirliton.api.errors import validation_error, wrong
from mirliton.api.listing import digest
from mirliton.api.resource import Body, Resource
from mirliton.conference.events import OPTIONAL, PUBLISHED
from mirliton.outbound_http import AddressNotAllowed
from mirliton.outbound_http.addresses import allowed
from mirliton.schemas import Errors
from mirliton.store import Document, NotFound, StaleRevision
from mirliton.webhooks.hook import HOOKS, KIND

COLUMNS = ("name", "uri", "hook", "http_verb", "enabled")
SECRET_BYTES = 32


async def keep_secret(call: Call, body: Body, private: Body, old: Document | None) -> tuple[Body, Body]:
    """The secret is never returned after the creation; one that is not given again stays. Why a webhook was disabled is
    ours to say, and stays until it is enabled again."""
    if old is None:
        await _check_count(call)
    _check_uri(call, body["uri"])
    _check_events(body.get("events", []))
    secret = body.pop("secret", None) or private.get("secret") or secrets.token_hex(SECRET_BYTES)
    body.pop("disable_message", None)
    if old is not None and not body["enabled"] and "disable_message" in old.body:
        body["disable_message"] = old.body["disable_message"]
    return body, {"secret": secret}


async def _check_count(call: Call) -> None:
    most = call.services.settings.webhooks.max_per_account
    page = await call.store.documents.list(call.account.id, KIND, limit=most)
    if len(page.documents) >= most:
        message = f"the account may have {most} webhooks: delete one, or raise webhooks.max_per_account"
        raise wrong("webhooks", "maxItems", message, target=most)


def _check_uri(call: Call, uri: str) -> None:
    """Raises `ApiError` for what can never be reached; where names lead is found when events are sent."""
    try:
        url = httpx.URL(uri)
    except httpx.InvalidURL as error:
        raise wrong("uri", "wrong_format", f"is no address: {error}", value=uri, format="uri") from None
    port = 80 if url.port is None else url.port
    if url.scheme not in ("http", "https") or not url.host or not 0 < port < 65536:
        message = "must begin with http:// or https:// and name a host, and a port only up to 65535: change it"
        raise wrong("uri", "wrong_format", message, value=uri, format="uri")
    try:
        address = ip_address(url.host)
    except ValueError:  # a name
        return
    try:
        allowed(url.host, [address], call.services.settings.webhooks.networks)
    except AddressNotAllowed as refusal:
        message = f"{refusal}: choose another, or have the operator add it to webhooks.networks"
        raise wrong("uri", "forbidden", message, value=uri) from None


def _check_events(events: list[str]) -> None:
    known = sorted(PUBLISHED | OPTIONAL)
    errors: Errors = {
        f"events.{place}": {
            "enum": {
                "message": f"must be one of {', '.join(known)}: choose one of them",
                "value": name,
                "target": known,
            }
        }
        for place, name in enumerate(events)
        if name not in known
    }
    if errors:
        raise validation_error(errors)


async def list_hooks(_call: Call) -> Reply:
    """What webhooks can be hooked to, and how that can be narrowed."""
    modifiers = {
        "events": {
            "type": "array",
            "description": "Only these events",
            "items": sorted(PUBLISHED | OPTIONAL),
        },
        "conference_id": {"type": "string", "description": "Only this conference"},
    }
    rows = [
        {"id": name, "name": name, "description": description, "modifiers": modifiers}
        for name, description in HOOKS.items()
    ]
    return Reply(rows, etag=digest(rows), extra={"page_size": len(rows)})


@dataclass(frozen=True, slots=True)
class Webhooks(Resource):
    """A `Resource` with attempts, and with a PATCH that enables what was disabled."""

    def routes(self) -> list[Route]:
        """The attempts of all stand before the documents: `attempts` is no id."""
        collection, document = Resource.routes(self)
        return [
            Route(f"/{self.name}", {"GET": list_hooks}, public=True),
            Route(collection.path, {**collection.handlers, "PATCH": self.enable_again}),
            Route(f"{collection.path}/attempts", {"GET": self.all_attempts}),
            Route(f"{document.path}/attempts", {"GET": self.attempts}),
            document,
        ]

    async def enable_again(self, call: Call) -> Reply:
        """`{"re-enable": true}`: every webhook that was disabled because its server failed is enabled."""
        if call.data().get("re-enable") is not True:
            raise wrong("re-enable", "required", "must be true: it is all that can be changed here")
        page = await call.store.documents.list(call.account.id, self.kind, keep=_was_disabled)
        enabled = [document for stale in page.documents if (document := await _enabled(call, stale)) is not None]
        for document in enabled:
            call.services.changed("changed", document)
        return Reply([self.row(document) for document in enabled])

    async def all_attempts(self, call: Call) -> Reply:
        """The last attempts of all webhooks of the account."""
        return _attempts(call, None)

    async def attempts(self, call: Call) -> Reply:
        """Those of one webhook; raises `NotFound`."""
        return _attempts(call, (await self.document(call)).id)

    def row(self, document: Document) -> Body:
        """A list row; of a disabled webhook it says why, under the name that Kazoo has there."""
        row = Resource.row(self, document)
        return row | {"disable_reason": document.body["disable_message"]} if _was_disabled(document) else row

    def reply(self, document: Document, code: int = 200, headers: dict[str, str] | None = None) -> Reply:
        """The creation, and nothing else, tells the secret."""
        reply = Resource.reply(self, document, code, headers)
        if code == 201:
            reply.data["secret"] = document.private["secret"]
        return reply


def _was_disabled(document: Document) -> bool:
    return "disable_message" in document.body


async def _enabled(call: Call, document: Document) -> Document | None:
    body = document.body | {"enabled": True}
    del body["disable_message"]
    try:
        return await call.store.documents.replace(document.account_id, document.id, body, expected=document.revision)
    except (StaleRevision, NotFound):  # somebody is changing it at this moment, and knows better
        return None


def _attempts(call: Call, webhook_id: str | None) -> Reply:
    rows = call.services.webhook_attempts(call.account.id, webhook_id)
    return Reply(rows, etag=digest(rows), extra={"page_size": len(rows)})


WEBHOOKS = Webhooks("webhooks", KIND, "webhooks", COLUMNS, keep_secret)
