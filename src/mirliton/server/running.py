"""A whole server: made from the settings, started in order, stopped in reverse."""

import asyncio
import resource
import signal
import time
from contextlib import AsyncExitStack

import structlog
from prometheus_client import CollectorRegistry

from mirliton.media.link import MediaLink
from mirliton.server.building import Building
from mirliton.server.changes import Changes
from mirliton.server.media_metrics import MediaMetrics
from mirliton.server.progress import show_compiling
from mirliton.server.telemetry import Telemetry
from mirliton.server.web import WebServer
from mirliton.settings import Settings, split_address
from mirliton.store import Store, bootstrap

_log = structlog.get_logger(__name__)


class Server:
    """Use as `async with Server(settings) as server`; it takes calls inside the block."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.account_id = ""
        self.http: tuple[str, int] = ("", 0)
        self.sip: tuple[str, int] = ("", 0)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Server":
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        settings, stack = self.settings, self._stack
        store = Store(
            settings.store.url, settings.data, max_documents_per_account=settings.limits.max_documents_per_account
        )
        await store.open()
        stack.push_async_callback(store.close)
        self.account_id = (await bootstrap(store, settings.data)).id
        engine = await self._start_engine()
        changes = Changes()
        building = Building(settings, store, engine, changes)
        stack.push_async_callback(building.sounds.close)
        await building.names.sweep()
        stack.push_async_callback(building.recordings.close)
        await building.recordings.open()
        await building.webhooks.start()
        stack.push_async_callback(building.webhooks.close)
        stack.push_async_callback(building.rooms.close)
        await self._start_sip(building)
        registry = CollectorRegistry()
        Telemetry(registry, building.statistics())
        MediaMetrics(registry, engine)
        web = WebServer(building.app(registry), *split_address(settings.http.listen))
        stack.push_async_callback(web.stop)
        await web.start()
        self.http = web.address

    async def _start_engine(self) -> MediaLink:
        with show_compiling() as tell:
            engine = MediaLink(self.settings.media, self.settings.rtp, on_compiling=tell)
            self._stack.push_async_callback(engine.stop)
            loading = time.monotonic()
            await engine.start()
        _log.info("engine.ready", seconds=round(time.monotonic() - loading, 2))
        return engine

    async def _start_sip(self, building: Building) -> None:
        agent, settings = building.agent, self.settings.sip
        try:
            await agent.start()
        except OSError as problem:
            text = f"SIP on {settings.listen}: {problem.strerror}; choose another with --sip"
            raise OSError(problem.errno, text) from problem
        self._stack.push_async_callback(agent.stop)
        self._stack.push_async_callback(building.calls.close)
        self._stack.push_async_callback(building.dialler.close)
        self.sip = agent.listening


def _allow_many_files() -> None:
    """Connections, media and the database share one table of descriptors: use as many as the system lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Prints the line `mirliton ready …` on stdout when calls can be taken."""
    _allow_many_files()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    starting = asyncio.ensure_future(_serve_until(stop, settings))
    await asyncio.wait([starting, asyncio.ensure_future(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    await starting


async def _serve_until(stop: asyncio.Event, settings: Settings) -> None:
    async with Server(settings) as server:
        http, sip = (f"{host}:{port}" for host, port in (server.http, server.sip))
        print(f"mirliton ready http={http} sip={sip} account={server.account_id}", flush=True)
        await stop.wait()
        _log.info("server.stopping")
