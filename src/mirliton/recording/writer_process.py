"""The writer process and the line to it; when it dies there is a new one."""

import asyncio
import contextlib
import socket
import sys
import time
from collections import deque
from collections.abc import Callable

import msgspec
import structlog

from mirliton.recording import messages as m
from mirliton.recording.writer import Start

_DATAGRAM = 1 << 17
_READS = 64
_SHORT_PAUSE, _LONG_PAUSE = 0.05, 5.0
_STEADY_SECONDS = 30.0
_LAST_WORDS_SECONDS = 2.0
_log = structlog.get_logger(__name__)


class WriterProcess:
    """Implements `takes.Writer`: starts the process, tells it, hears it, and starts it again whenever it dies."""

    def __init__(self, taps: int, max_taps: int) -> None:
        """`taps`: the descriptor of their memory."""
        self.restarts = 0
        self._start = Start(-1, taps, max_taps)
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(m.News)
        self._process: asyncio.subprocess.Process | None = None
        self._socket: socket.socket | None = None
        self._unsent: deque[m.Order] = deque()
        self._supervisor: asyncio.Task[None] | None = None
        self._on_news: Callable[[m.News], None] = lambda _: None
        self._on_restart: Callable[[], None] = lambda: None

    @property
    def pid(self) -> int | None:
        """Of the process that writes now."""
        return self._process.pid if self._process else None

    async def start(self, on_news: Callable[[m.News], None], on_restart: Callable[[], None]) -> None:
        """Start it; it takes orders from now on. `on_restart`: a new one waits for orders. Raises `OSError`."""
        self._on_news, self._on_restart = on_news, on_restart
        await self._spawn()
        self._supervisor = asyncio.create_task(self._supervise(), name="writer supervisor")

    async def stop(self) -> None:
        """Let it close its files, and see to it that it ends."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
        self._hang_up()
        if self._process is None:
            return
        try:
            await asyncio.wait_for(self._process.wait(), _LAST_WORDS_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def send(self, order: m.Order) -> None:
        """Tell it; never waits."""
        self._unsent.append(order)
        self._flush()

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        argument = msgspec.json.encode(msgspec.structs.replace(self._start, control=theirs.fileno())).decode()
        with theirs:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "mirliton.recording.writer",
                    argument,
                    pass_fds=(theirs.fileno(), self._start.taps),
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        self._socket = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self._read)

    async def _supervise(self) -> None:
        pause, since = _SHORT_PAUSE, time.monotonic()
        while self._process is not None:
            code = await self._process.wait()
            self._read()  # what it said last
            self._hang_up()
            self.restarts += 1
            _log.error("writer.died", exit_code=code, restarts=self.restarts)
            pause = _SHORT_PAUSE if time.monotonic() - since > _STEADY_SECONDS else min(2 * pause, _LONG_PAUSE)
            await asyncio.sleep(pause)
            since = time.monotonic()
            try:
                await self._spawn()
            except OSError as problem:
                _log.error("writer.not_started", problem=str(problem))
                continue
            self._on_restart()

    def _flush(self) -> None:
        if self._socket is None:  # a new one is told everything again
            self._unsent.clear()
            return
        loop, descriptor = asyncio.get_running_loop(), self._socket.fileno()
        loop.remove_writer(descriptor)
        while self._unsent:
            try:
                self._socket.send(self._encoder.encode(self._unsent[0]))
            except BlockingIOError:
                loop.add_writer(descriptor, self._flush)
                return
            except OSError:
                self._unsent.clear()  # it died: its successor is told everything again
                return
            self._unsent.popleft()

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
                asyncio.get_running_loop().remove_reader(self._socket.fileno())
                return
            self._on_news(self._decoder.decode(data))

    def _hang_up(self) -> None:
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket.fileno())
        loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._socket = None
        self._unsent.clear()
