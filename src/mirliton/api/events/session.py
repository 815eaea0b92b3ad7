"""One socket: who it is, what it listens to, and everything that is sent to it, in order (semantics 7.2).

Replies and events go through one lock, first come, first served: a snapshot is sent before the events that follow it.
"""

import asyncio
import secrets
import traceback

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from mirliton.api.events import messages
from mirliton.api.events.backlog import Closed
from mirliton.api.events.bindings import Binding
from mirliton.api.events.hub import EventHub, Listening, Socket
from mirliton.api.events.requests import (
    Refused,
    Request,
    decode,
    friendly_name,
    metadata,
    request,
    request_id_of,
    unwanted,
    wanted,
    wants_snapshot,
)
from mirliton.calls.live import LiveRooms
from mirliton.store import Store

GOING_AWAY, POLICY_VIOLATION, INTERNAL_ERROR = 1001, 1008, 1011

_log = structlog.get_logger("mirliton.events")


class Session:
    """Serves one accepted socket until either side ends it."""

    def __init__(self, hub: EventHub, store: Store, live: LiveRooms, socket: Socket, websocket: WebSocket) -> None:
        self._hub = hub
        self._store = store
        self._live = live
        self._socket = socket
        self._websocket = websocket
        self._sending = asyncio.Lock()

    async def serve(self) -> None:
        """Returns when the socket is closed."""
        events = asyncio.create_task(self._send_events(), name="events of a socket")
        try:
            await self._receive()
        finally:
            events.cancel()
            await asyncio.wait([events])

    # Outwards

    async def _send(self, *texts: str) -> None:
        """With nothing in between. Raises `WebSocketDisconnect` when the socket is closed, by whichever side."""
        async with self._sending:
            try:
                for text in texts:
                    await self._websocket.send_text(text)
            except RuntimeError as closing:
                # After a close of ours, or one that the server did for itself: a frame broke the protocol.
                raise WebSocketDisconnect(1006) from closing

    async def _send_events(self) -> None:
        backlog = self._socket.backlog
        try:
            while True:
                lost, item = await backlog.take()
                if lost:
                    await self._send(messages.lost(lost))
                if item is not None:
                    listening, message = item
                    await self._send(listening.heading.event(message))
                    self._hub.metrics.sent.inc()
                await asyncio.sleep(0)
        except WebSocketDisconnect:
            return  # it went while an event was being sent
        except Closed as closed:
            await self._end(POLICY_VIOLATION, str(closed), "account")
        except Exception as fault:
            self._met(fault, "")
            await self._end(INTERNAL_ERROR, "a fault of the server: connect again", "fault")

    async def _end(self, code: int, reason: str, counted: str) -> None:
        self._hub.metrics.ended.labels(counted).inc()
        async with self._sending:
            try:
                await self._websocket.close(code, reason)
            except (RuntimeError, WebSocketDisconnect):
                return  # closed already

    def _met(self, fault: Exception, request_id: str | int) -> None:
        self._hub.metrics.faults.inc()
        # As text: a renderer that shows local variables would put tokens into the log.
        trace = "".join(traceback.format_exception(fault))
        _log.error("event socket met a fault", request_id=request_id, trace=trace)

    # Inwards

    async def _receive(self) -> None:
        loop = asyncio.get_running_loop()
        login_until = loop.time() + self._hub.settings.login_seconds
        while True:
            stranger = self._socket.account_id is None
            try:
                async with asyncio.timeout_at(
                    login_until if stranger else loop.time() + self._hub.settings.idle_seconds
                ):
                    frame = await self._websocket.receive()
            except TimeoutError:
                if stranger:  # whoever needs no token could keep everybody else out with sockets that say nothing
                    await self._end(POLICY_VIOLATION, "no good auth_token came in time", "stranger")
                else:
                    await self._end(GOING_AWAY, "nothing came for too long: send a ping now and then", "idle")
                return
            if frame["type"] == "websocket.disconnect":
                return
            await self._take(frame.get("text"))

    async def _take(self, text: str | None) -> None:
        request_id: str | int = secrets.token_hex(16)
        try:
            if text is None:
                raise Refused("binary", "send JSON as text, not as binary")
            envelope = decode(text)
            request_id = request_id_of(envelope)
            await self._carry_out(request(envelope, request_id))
        except Refused as refused:
            self._hub.metrics.refused.labels(refused.reason).inc()
            await self._send(messages.refusal(request_id, refused.errors))
        except WebSocketDisconnect:
            raise
        except Exception as fault:
            self._met(fault, request_id)
            await self._send(messages.refusal(request_id, [f"a fault of the server, logged as {request_id}"]))

    async def _carry_out(self, order: Request) -> None:
        match order.action:
            case "ping":
                await self._send(messages.reply(order.request_id, {"response": "pong"}))
            case "subscribe":
                await self._subscribe(order, await self._authorized(order))
            case "unsubscribe":
                await self._authorized(order)
                await self._unsubscribe(order)
            case _:
                raise Refused("action", f"unknown action {order.action[:64]!r}: use subscribe, unsubscribe or ping")
        self._hub.metrics.requests.labels(order.action).inc()

    async def _authorized(self, order: Request) -> str:
        """The account of the socket, known from its first good token on. Raises `Refused`."""
        account_id = self._socket.account_id or await self._account_of(order.token)
        if (order.data or {}).get("account_id", account_id) != account_id:
            raise Refused("account", "unauthorized account id")
        account = await self._store.accounts.by_id(account_id)
        if account is None or not account.body.get("enabled", True):
            raise Refused("account", "the account is disabled")
        if self._socket.account_id is None and not self._hub.has_place(account_id):
            raise Refused("sockets", "the account has too many sockets open: close some")
        self._socket.account_id = account_id
        return account_id

    async def _account_of(self, token_text: str | None) -> str:
        token = await self._store.tokens.look(token_text) if token_text else None
        if token is None:
            raise Refused("token", "invalid credentials: log in and send auth_token")
        return token.account_id

    async def _subscribe(self, order: Request, account_id: str) -> None:
        chosen = wanted(order, self._hub.settings.max_bindings)
        name, extra, snapshot = friendly_name(order), metadata(order), wants_snapshot(order)
        if snapshot and any(binding.command for binding in chosen):
            raise Refused("snapshot", "a snapshot goes with conference.event bindings: ask for those by themselves")
        mine = self._socket.listening
        if len(mine.keys() | {binding.text for binding in chosen}) > self._hub.settings.max_bindings:
            raise Refused(
                "bindings", f"a socket has at most {self._hub.settings.max_bindings} bindings: end some first"
            )
        for binding in chosen:
            self._add(binding, messages.Heading(account_id, binding, name, extra), account_id, at_once=not snapshot)
        await self._send(messages.reply(order.request_id, {"subscribed": list(mine)}))
        if snapshot:
            await self._send_snapshots([mine[binding.text] for binding in chosen])

    def _add(self, binding: Binding, heading: messages.Heading, account_id: str, *, at_once: bool) -> None:
        mine = self._socket.listening
        if known := mine.get(binding.text):
            known.heading = heading
            return
        mine[binding.text] = Listening(account_id, binding, heading, self._socket.backlog)
        if at_once:
            self._hub.listen(mine[binding.text])

    async def _send_snapshots(self, chosen: list[Listening]) -> None:
        """Each with the events that follow it: hearing and looking happen in the same turn of the loop.

        A binding to all conferences of the account gets one snapshot of each that runs.
        """
        for number, listening in enumerate(chosen):
            self._hub.listen(listening)
            try:
                texts = self._snapshots(listening)
            except Exception:
                self._hub.ignore(self._socket, [one.binding.text for one in chosen[number:]])
                raise
            await self._send(*texts)

    def _snapshots(self, listening: Listening) -> list[str]:
        account_id, one = listening.account_id, listening.binding.conference_id
        addressed = self._live.conferences(account_id) if one is None else [one]
        return [
            listening.heading.snapshot(account_id, conference_id, self._live.snapshot(account_id, conference_id))
            for conference_id in addressed
        ]

    async def _unsubscribe(self, order: Request) -> None:
        texts, mine = unwanted(order), self._socket.listening
        ended = [text for text in mine if texts is None or text in texts]
        self._hub.ignore(self._socket, ended)
        await self._send(messages.reply(order.request_id, {"unsubscribed": ended, "subscribed": list(mine)}))
