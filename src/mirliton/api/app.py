"""The HTTP application: every route under /v2, `/healthz` and `/metrics`."""

import asyncio
import platform
import time
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mirliton.api import accounts, conference_auth, conferences, configuration, login, media, schema_pages
from mirliton.api.attempts import Attempts
from mirliton.api.call import FindConfiguration, OnDocumentChange, Route, Services, WebhookAttempts, no_attempts
from mirliton.api.callflows import CALLFLOWS
from mirliton.api.devices import DEVICES
from mirliton.api.dispatch import METHODS, endpoint, request_id_of
from mirliton.api.envelope import bare_failure
from mirliton.api.errors import ApiError, faulty_request
from mirliton.api.events import rest as event_sockets
from mirliton.api.events.endpoint import add_events
from mirliton.api.events.hub import EventHub
from mirliton.api.guesses import Guesses
from mirliton.api.metrics import ApiMetrics
from mirliton.api.openapi import openapi_route
from mirliton.api.users import USERS
from mirliton.api.webhooks import WEBHOOKS
from mirliton.calls.events import EventFeed
from mirliton.calls.live import Dialling, LiveRooms
from mirliton.calls.stored import StoredCallData
from mirliton.links import Links
from mirliton.settings import LinkSettings, Settings
from mirliton.store import Document, Store

ROUTES: list[Route] = [
    *login.ROUTES,
    *conference_auth.ROUTES,
    *accounts.ROUTES,
    *conferences.CONFERENCES.routes(),
    *CALLFLOWS.routes(),
    *media.MEDIA.routes(),
    *USERS.routes(),
    *DEVICES.routes(),
    *WEBHOOKS.routes(),
    *configuration.ROUTES,
    *schema_pages.ROUTES,
    *event_sockets.ROUTES,
]
ROUTES.append(openapi_route(ROUTES))


def ignore_change(_event: str, _document: Document) -> None:
    """For callers of `create_app` who need not know of changes."""


def create_app(
    settings: Settings,
    store: Store,
    live: LiveRooms,
    metrics_registry: CollectorRegistry,
    on_document_change: OnDocumentChange = ignore_change,
    *,
    now: Callable[[], float] = time.monotonic,
    dialling: Dialling | None = None,
    webhook_attempts: WebhookAttempts = no_attempts,
    events: EventFeed | None = None,
    configuration: FindConfiguration | None = None,
    links: Links | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> FastAPI:
    """The application. The store must be open while requests come; `now` only measures login attempts.

    Without `events` there is nothing to listen to, and no `/v2/events`. `configuration` is what calls go by; without
    it, what the store has. Without `links` it makes its own. `sleep` holds back the answers to guessed PINs.
    """
    node = f"mirliton@{platform.node()}"
    hub = EventHub(events, settings.events, metrics_registry, node) if events is not None else None

    def changed(event: str, document: Document) -> None:
        if hub is not None:
            hub.document_changed(event, document)
        on_document_change(event, document)

    services = Services(
        settings=settings,
        store=store,
        live=live,
        attempts=Attempts(settings.http.auth_attempts_per_minute, now),
        metrics=ApiMetrics(metrics_registry),
        changed=changed,
        node=node,
        links=links or Links(store, settings.links.lifetime_seconds),
        guesses=_guesses(settings.links, now, sleep),
        configuration=configuration or StoredCallData(store).conference_configuration,
        dialling=dialling,
        webhook_attempts=webhook_attempts,
        events=hub,
    )
    app = FastAPI(title="Mirliton", openapi_url=None, redirect_slashes=False)
    for route in ROUTES:
        serve = endpoint(services, route)
        for path in (f"/v2{route.path}", f"/v2{route.path}/"):
            app.add_api_route(path, serve, methods=METHODS, response_model=None)
    if hub is not None:
        add_events(app, services, hub)
    _add_health(app, metrics_registry)
    _add_unrouted(app, services)
    return app


def _guesses(settings: LinkSettings, now: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> Guesses:
    return Guesses(settings.attempts_per_minute, settings.longest_pause_seconds, settings.max_waiting, now, sleep)


def _add_health(app: FastAPI, registry: CollectorRegistry) -> None:
    async def healthz() -> Response:
        return Response('{"status":"ok"}', media_type="application/json")

    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route("/healthz", healthz, methods=["GET"], response_model=None)
    app.add_api_route("/metrics", metrics, methods=["GET"], response_model=None)


def _add_unrouted(app: FastAPI, services: Services) -> None:
    async def unrouted(request: Request, raised: Exception) -> Response:
        code = raised.status_code if isinstance(raised, HTTPException) else 500
        if code == 405:
            error = ApiError(405, "invalid_method", {"message": f"{request.method} has no meaning here"})
        else:
            error = faulty_request("there is nothing under this path: compare it with the reference")
        services.metrics.requests.labels("none", "other", str(error.code)).inc()
        return bare_failure(request_id_of(request), services.node, error)

    app.add_exception_handler(HTTPException, unrouted)
