"""`/v2/events`: who may open a socket (semantics 7.2)."""

import secrets

from fastapi import FastAPI
from starlette.websockets import WebSocket, WebSocketDisconnect

from mirliton.api.call import Services
from mirliton.api.envelope import bare_failure
from mirliton.api.errors import ApiError
from mirliton.api.events.hub import EventHub
from mirliton.api.events.session import Session

PATH = "/v2/events"


def add_events(app: FastAPI, services: Services, hub: EventHub) -> None:
    """Put the route into the application."""

    async def events(websocket: WebSocket) -> None:
        source = websocket.client.host if websocket.client else ""
        if (error := _refusal(websocket, hub, source)) is not None:
            await websocket.send_denial_response(bare_failure(secrets.token_hex(16), services.node, error))
            return
        socket = hub.add(secrets.token_hex(16), source, services.node.partition("@")[2])
        try:
            await websocket.accept()
            await Session(hub, services.store, services.live, socket, websocket).serve()
        except WebSocketDisconnect:
            return  # it went while something was being sent to it
        finally:
            hub.remove(socket)

    for path in (PATH, f"{PATH}/"):
        app.add_api_websocket_route(path, events)


def _refusal(websocket: WebSocket, hub: EventHub, source: str) -> ApiError | None:
    if "sec-websocket-protocol" in websocket.headers:
        hub.metrics.refused_sockets.labels("protocol").inc()
        return ApiError(400, "invalid_request", {"message": "no sub-protocol is spoken here: leave the header out"})
    if (refused := hub.refusal(source)) is None:
        return None
    code, message = refused
    name = "too_many_requests" if code == 429 else "service_unavailable"
    return ApiError(code, name, {"message": message})
