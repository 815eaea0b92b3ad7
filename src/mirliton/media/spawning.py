"""One engine process and the line to it."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable

import msgspec

from mirliton.media import messages as m
from mirliton.media.process import Start

_START_SECONDS = 240  # a cold start compiles the kernels
_DATAGRAM = 1 << 18
_READS = 64


class EngineFailed(Exception):
    """The engine process did not start; what it said is on standard error."""


class EngineProcess:
    """A process started with everything it needs; it loads its kernels, and then waits for its first batch."""

    def __init__(self, on_report: Callable[[m.Report], None]) -> None:
        self._on_report = on_report
        self._decoder = msgspec.msgpack.Decoder(m.Report)
        self._encoder = msgspec.msgpack.Encoder()
        self._process: asyncio.subprocess.Process | None = None
        self._socket: socket.socket | None = None
        self._ready: asyncio.Future[float] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, once it was started."""
        return self._process.pid if self._process else None

    async def spawn(self, start: Start, descriptors: tuple[int, ...]) -> None:
        """Start it; `descriptors` are inherited, beside the line itself."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        argument = msgspec.json.encode(msgspec.structs.replace(start, control=theirs.fileno())).decode()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "mirliton.media.process",
                argument,
                pass_fds=(theirs.fileno(), *descriptors),
                start_new_session=True,
            )
        loop = asyncio.get_running_loop()
        self._socket, self._ready = ours, loop.create_future()
        loop.add_reader(ours.fileno(), self._read)

    async def ready(self) -> float:
        """Wait until the kernels are loaded; returns the seconds that took. Raises `EngineFailed`."""
        if self._ready is None:
            raise EngineFailed("the engine process was not started")
        try:
            async with asyncio.timeout(_START_SECONDS):
                return await asyncio.shield(self._ready)
        except (TimeoutError, ConnectionError) as problem:
            self.kill()
            raise EngineFailed("the engine process did not come up; its last words are on stderr") from problem

    async def ended(self) -> int:
        """Wait for its end; returns the exit code."""
        return await self._process.wait() if self._process else 0

    def send(self, batch: m.Batch) -> bool:
        """False: the line is full; `when_writable` tells when to try again. A dead engine takes everything."""
        if self._socket is None:
            return True
        try:
            self._socket.send(self._encoder.encode(batch))
        except BlockingIOError:
            return False
        except OSError:
            self._lost()
        return True

    def when_writable(self, callback: Callable[[], None]) -> None:
        """Call back once when the line takes more."""
        if self._socket is None:
            return
        loop, descriptor = asyncio.get_running_loop(), self._socket.fileno()

        def again() -> None:
            loop.remove_writer(descriptor)
            callback()

        loop.add_writer(descriptor, again)

    def hang_up(self) -> None:
        """Close the line; a living engine ends by itself."""
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket.fileno())
        loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._socket = None

    def kill(self) -> None:
        """End it at once."""
        self.hang_up()
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def stop(self) -> None:
        """Let it end, and see to it that it does."""
        self.hang_up()
        if self._process is None:
            return
        try:
            await asyncio.wait_for(self._process.wait(), 1)
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def _read(self) -> None:
        for _ in range(_READS):
            if self._socket is None:
                return
            try:
                data = self._socket.recv(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._lost()
                return
            self._take(self._decoder.decode(data))

    def _take(self, report: m.Report) -> None:
        for event in report.events:
            if isinstance(event, m.Ready) and self._ready is not None and not self._ready.done():
                self._ready.set_result(event.seconds)
        self._on_report(report)

    def _lost(self) -> None:
        self.hang_up()
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(ConnectionError("the engine ended while it was starting"))
            self._ready.exception()  # it may be that nobody waits for a spare
