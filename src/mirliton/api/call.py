"""One request on its way: what the handlers of resources are given, and what they give back."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastapi import Request
from starlette.responses import Response

from mirliton.api.attempts import Attempts
from mirliton.api.errors import wrong
from mirliton.api.guesses import Guesses
from mirliton.api.metrics import ApiMetrics
from mirliton.calls.live import Dialling, LiveRooms
from mirliton.conference.profile import Configuration
from mirliton.links import Links
from mirliton.settings import Settings
from mirliton.store import Document, Store
from mirliton.store.tokens import Token

if TYPE_CHECKING:
    from mirliton.api.events.hub import EventHub

OnDocumentChange = Callable[[str, Document], None]
"""Told after a change was stored: "created", "changed" or "deleted", and the document (for "deleted", as it was)."""

FindConfiguration = Callable[[str], Awaitable[Configuration]]
"""Account id -> category `conferences` as its calls see it (semantics 2.7)."""

WebhookAttempts = Callable[[str, str | None], list[dict[str, Any]]]
"""(account id, webhook id or None for all) -> the last attempts to tell webhooks of events, newest first."""


def no_attempts(_account_id: str, _webhook_id: str | None) -> list[dict[str, Any]]:
    """Where nothing serves webhooks."""
    return []


@dataclass(frozen=True, slots=True)
class Services:
    """What the whole API shares."""

    settings: Settings
    store: Store
    live: LiveRooms
    attempts: Attempts
    metrics: ApiMetrics
    changed: OnDocumentChange
    node: str
    links: Links
    guesses: Guesses
    configuration: FindConfiguration
    dialling: Dialling | None = None
    webhook_attempts: WebhookAttempts = no_attempts
    events: "EventHub | None" = None


@dataclass(slots=True)
class Call:
    """One request. `account` and `token` are set where the route demands authentication."""

    services: Services
    request: Request
    request_id: str
    verb: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    envelope: dict[str, Any] = field(default_factory=dict)
    token_text: str | None = None
    token: Token | None = None
    authenticated_account: Document | None = None

    @property
    def store(self) -> Store:
        """The store."""
        return self.services.store

    @property
    def account(self) -> Document:
        """The account of the path; only on routes that have one."""
        if self.authenticated_account is None:
            raise LookupError("this route has no account")
        return self.authenticated_account

    @property
    def client(self) -> str:
        """The address of the other side."""
        return self.request.client.host if self.request.client else ""

    def data(self) -> dict[str, Any]:
        """The `data` object of the body, `{}` when there is none; raises `ApiError` for a list."""
        data = self.envelope.get("data", {})
        if not isinstance(data, dict):
            raise wrong("data", "type", "must be an object here: send one document at a time", target="object")
        return data

    @property
    def expected_revision(self) -> str | None:
        """The revision that `If-Match` demands."""
        tag = self.request.headers.get("if-match")
        return None if tag is None or tag.strip() == "*" else _plain(tag).partition(";")[0]

    def has(self, etag: str) -> bool:
        """Does the client say (`If-None-Match`) that it has this version?"""
        tags = self.request.headers.get("if-none-match", "").split(",")
        return any(_plain(tag) == etag for tag in tags)


def _plain(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"')


@dataclass(frozen=True, slots=True)
class Reply:
    """A success. `extra` goes into the envelope beside `data`."""

    data: Any
    code: int = 200
    etag: str | None = None
    revision: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Awaitable[Reply | Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """A path under /v2 and who handles which verb there."""

    path: str
    handlers: Mapping[str, Handler]
    public: bool = False
    raw: frozenset[str] = frozenset()  # verbs whose body the handler reads itself
