"""All open sockets, and each event of the feed on its way to those that asked for it. Nobody waits for anybody."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from mirliton.api.events.backlog import Backlog
from mirliton.api.events.bindings import Binding
from mirliton.api.events.messages import Heading, Message
from mirliton.api.events.metrics import EventMetrics
from mirliton.calls.events import Event, EventFeed, Subscription
from mirliton.conference.member import GREGORIAN_OFFSET
from mirliton.settings import EventSettings
from mirliton.store import Document

BURST = 100_000
"""Events that can be published before the loop gets to hand them on: a room of thousands that ends at once."""

_log = structlog.get_logger("mirliton.events")


@dataclass(slots=True, eq=False)
class Listening:
    """One binding of one socket. It gets the events that the feed publishes after its event number `since`."""

    account_id: str
    binding: Binding
    heading: Heading
    backlog: "Backlog[Listening, Message]"
    since: int = 0


@dataclass(slots=True, eq=False)
class Socket:
    """An open socket as everybody may see it. `account_id` is None until a token was good."""

    session_id: str
    source: str
    destination: str
    opened: float
    backlog: Backlog[Listening, Message]
    account_id: str | None = None
    listening: dict[str, Listening] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """As `GET …/websockets` shows it; `timestamp` in Gregorian seconds."""
        return {
            "websocket_session_id": self.session_id,
            "bindings": list(self.listening),
            "source": self.source,
            "destination": self.destination,
            "timestamp": int(self.opened) + GREGORIAN_OFFSET,
        }


class EventHub:
    """The sockets of one app. Hears the feed only while a socket is open."""

    def __init__(
        self, feed: EventFeed, settings: EventSettings, registry: CollectorRegistry, node: str, *, burst: int = BURST
    ) -> None:
        self.settings = settings
        self.metrics = EventMetrics(registry, lambda: len(self._sockets))
        self._feed = feed
        self._node = node
        self._burst = burst
        self._sockets: dict[str, Socket] = {}
        self._sources: Counter[str] = Counter()
        self._index: dict[tuple[str, str | None], dict[Listening, None]] = {}
        self._heard: Subscription | None = None
        self._task: asyncio.Task[None] | None = None

    # Sockets

    def refusal(self, source: str) -> tuple[int, str] | None:
        """Why no further socket can be opened: status and message; None when it can."""
        if len(self._sockets) >= self.settings.max_sockets:
            self.metrics.refused_sockets.labels("total").inc()
            return 503, "too many sockets are open: try again later"
        if self._sources[source] >= self.settings.max_sockets_per_address:
            self.metrics.refused_sockets.labels("address").inc()
            return 429, "too many sockets of your address are open: close some"
        return None

    def add(self, session_id: str, source: str, destination: str) -> Socket:
        """A new socket. Whoever adds it removes it."""
        socket = Socket(session_id, source, destination, time.time(), Backlog(self.settings.queue))
        self._sockets[session_id] = socket
        self._sources[source] += 1
        if self._task is None:
            self._heard = self._feed.subscribe(self._burst)
            self._task = asyncio.create_task(self._hand_on(self._heard, self._feed.published), name="events")
        return socket

    def remove(self, socket: Socket) -> None:
        """The socket is closed."""
        self.ignore(socket, list(socket.listening))
        del self._sockets[socket.session_id]
        self._sources[socket.source] -= 1
        if not self._sources[socket.source]:
            del self._sources[socket.source]
        if not self._sockets and self._task is not None and self._heard is not None:
            self._task.cancel()
            self._heard.close()
            self._task = self._heard = None

    def of_account(self, account_id: str) -> list[Socket]:
        """The sockets that an account has open."""
        return [socket for socket in self._sockets.values() if socket.account_id == account_id]

    def has_place(self, account_id: str) -> bool:
        """Whether one more socket may be the account's."""
        return len(self.of_account(account_id)) < self.settings.max_sockets_per_account

    def document_changed(self, event: str, document: Document) -> None:
        """Ends the sockets of an account that is gone or disabled."""
        if document.type == "account" and (event == "deleted" or not document.body.get("enabled", True)):
            for socket in self.of_account(document.id):
                socket.backlog.close("the account is disabled")

    # Bindings

    def listen(self, listening: Listening) -> None:
        """From now on; what waited for the same binding before is forgotten."""
        listening.since = self._feed.published
        listening.backlog.forget({listening})
        self._index.setdefault(_key(listening), {})[listening] = None

    def ignore(self, socket: Socket, texts: Iterable[str]) -> None:
        """End bindings of a socket; nothing of them comes any more."""
        ended = {socket.listening.pop(text) for text in texts}
        socket.backlog.forget(ended)
        for listening in ended:
            key = _key(listening)
            group = self._index.get(key, {})
            group.pop(listening, None)
            if not group:
                self._index.pop(key, None)

    # Events

    async def _hand_on(self, heard: Subscription, number: int) -> None:
        lost = 0
        while True:
            event = await heard.get()
            number += 1 + heard.lost - lost
            if heard.lost > lost:
                self._tell_of_loss(heard.lost - lost)
                lost = heard.lost
            self._deliver(event, number)
            await asyncio.sleep(0)

    def _deliver(self, event: Event, number: int) -> None:
        account_id, conference_id = str(event.get("account_id")), str(event.get("conference_id"))
        groups = [self._index.get((account_id, which)) for which in (conference_id, None)]
        takers = [listening for group in groups if group for listening in group if number > listening.since]
        if not takers:
            return
        try:
            message = Message(event, number, self._node)
        except (TypeError, ValueError):
            self.metrics.faults.inc()
            _log.exception("event cannot be written", kind=event.get("event"), conference_id=conference_id)
            return
        for listening in takers:
            if listening.binding.takes(message.address) and not listening.backlog.put(listening, message):
                self.metrics.lost.inc()

    def _tell_of_loss(self, count: int) -> None:
        for socket in self._sockets.values():
            if socket.listening:
                self.metrics.lost.inc(count)
                socket.backlog.miss(count)


def _key(listening: Listening) -> tuple[str, str | None]:
    return listening.account_id, listening.binding.conference_id
