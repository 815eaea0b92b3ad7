"""The HTTP server on a socket of ours, inside our event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

_DRAIN_SECONDS = 2
_MAX_HEADER_BYTES = 65_536
_MAX_CONNECTIONS = 1000
_MAX_FRAME_BYTES = 65_536
_MAX_FRAGMENTS = 1000
_PING_SECONDS = 20
_UNREAD_SECONDS = 60
_HEAD_SECONDS = 15


class _Uvicorn(uvicorn.Server):
    """Signals are the composition root's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class _Http(H11Protocol):
    """A connection that brings no request in time makes room for others: a thousand silent ones would be all."""

    _overdue: asyncio.TimerHandle | None = None
    _is_websocket = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The time for the first request begins."""
        super().connection_made(transport)
        self._watch()

    def handle_events(self) -> None:
        """Take what came; a head that is not complete yet has only so much time."""
        super().handle_events()
        self._watch()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """From now on it is `_WebSocket`'s."""
        self._is_websocket = True
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        super().connection_lost(exc)
        self._in_time()

    def _watch(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering or self._is_websocket or self.transport.is_closing():
            self._in_time()
        elif self._overdue is None:
            self._overdue = self.loop.call_later(_HEAD_SECONDS, self.transport.abort)

    def _in_time(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None


class _WebSocket(WebSocketsSansIOProtocol):
    """A WebSocket that a hostile client can neither fill our memory with, nor our log."""

    def handle_ping(self) -> None:
        """Answer, but not a client that does not read the answers: nothing else bounds what waits for it."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment, but not fragments without end: empty ones do not count as size."""
        if len(self.frames) < _MAX_FRAGMENTS:
            super().handle_cont(event)
        else:
            self._refuse(1009, "too many fragments")

    def send_receive_event_to_app(self) -> None:
        """Hand a whole message on. Text that is no UTF-8 ends the connection, without a trace in the log."""
        if self.curr_msg_data_type == "text" and not _is_text(b"".join(self.frames)):
            self._refuse(1007, "not UTF-8")
        else:
            super().send_receive_event_to_app()

    def keepalive_timeout(self) -> None:
        """Nobody answers the ping: closing would wait until everything is read."""
        super().keepalive_timeout()
        self.transport.abort()

    def _refuse(self, code: int, reason: str) -> None:
        self.frames = []
        self.conn.fail(code, reason)
        self.handle_parser_exception()


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class WebServer:
    """Serves one application; `address` is real once started."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        """Binds at once. Raises `OSError` when the port is taken."""
        try:
            self._socket = socket.create_server((host, port), backlog=2048)
        except OSError as problem:
            text = f"HTTP on {host}:{port}: {problem.strerror}; choose another with --http"
            raise OSError(problem.errno, text) from problem
        # A client that never reads is dropped by the kernel, also when its connection is closed already.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_SECONDS * 1000)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws=_WebSocket,
            ws_max_size=_MAX_FRAME_BYTES,
            ws_ping_interval=_PING_SECONDS,
            ws_ping_timeout=_PING_SECONDS,
            # events are small, and a compressor for each socket is not
            ws_per_message_deflate=False,
            server_header=False,
            # h11 and not httptools: only it bounds the size of a header that never ends
            http=_Http,
            h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
        self._server = _Uvicorn(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve from now on."""
        self._task = asyncio.create_task(self._server.serve([self._socket]), name="http")
        while not self._server.started:
            if self._task.done():
                await self._task
                raise OSError("the HTTP server ended at its start")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Finish what is being answered, then close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()
