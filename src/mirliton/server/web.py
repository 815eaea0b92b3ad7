"""The HTTP server on a socket of ours, inside our event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

_DRAIN_SECONDS = 2
_MAX_HEADER_BYTES = 65_536
_MAX_CONNECTIONS = 1000


class _Uvicorn(uvicorn.Server):
    """Signals are the composition root's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class WebServer:
    """Serves one application; `address` is real once started."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        """Binds at once. Raises `OSError` when the port is taken."""
        try:
            self._socket = socket.create_server((host, port), backlog=2048)
        except OSError as problem:
            text = f"HTTP on {host}:{port}: {problem.strerror}; choose another with --http"
            raise OSError(problem.errno, text) from problem
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            # h11 and not httptools: only it bounds the size of a header that never ends
            http="h11",
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
