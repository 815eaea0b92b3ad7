"""A whole server: made from the settings, started in order, stopped in reverse."""

import asyncio
import platform
import resource
import signal
import socket
import time
from contextlib import AsyncExitStack

import structlog
from prometheus_client import CollectorRegistry

from mirliton.api.app import create_app
from mirliton.callflow import flow_runner
from mirliton.calls.inbound import InboundCalls
from mirliton.calls.remembered import RememberedCallData
from mirliton.calls.rooms import Rooms
from mirliton.calls.stored import StoredCallData
from mirliton.media.link import MediaLink
from mirliton.server.access import RecordedSounds, StoredCredentials
from mirliton.server.progress import show_compiling
from mirliton.server.telemetry import Source, Telemetry, flat
from mirliton.server.web import WebServer
from mirliton.settings import Settings, split_address, split_port_range
from mirliton.sip.agent import SipAgent
from mirliton.sounds.library import SoundLibrary, SoundLimits
from mirliton.store import Document, Store, bootstrap

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
        settings = self.settings
        store = Store(
            settings.store.url,
            settings.data,
            max_documents_per_account=settings.limits.max_documents_per_account,
        )
        await store.open()
        self._stack.push_async_callback(store.close)
        self.account_id = (await bootstrap(store, settings.data)).id
        with show_compiling() as tell:
            engine = MediaLink(settings.media, settings.rtp, on_compiling=tell)
            self._stack.push_async_callback(engine.stop)
            loading = time.monotonic()
            await engine.start()
        _log.info("engine.ready", seconds=round(time.monotonic() - loading, 2))
        recorded = RecordedSounds(store)
        sounds = SoundLibrary(
            engine,
            account_prompt=recorded.account_prompt,
            media_file=recorded.media_file,
            limits=SoundLimits(
                seconds=settings.media.max_clip_seconds,
                file_bytes=settings.http.max_media_bytes,
            ),
            settings=settings.sounds,
            cache=settings.data / "cache",
            default_language=settings.conferences.language,
        )
        self._stack.push_async_callback(sounds.close)
        rooms = Rooms(
            engine,
            sounds,
            node=platform.node() or "localhost",
            max_rooms=settings.limits.max_rooms,
            max_members_per_room=settings.limits.max_members_per_room,
            max_rate=settings.media.max_rate,
        )
        self._stack.push_async_callback(rooms.close)
        data = RememberedCallData(StoredCallData(store), time.monotonic)
        calls = InboundCalls(
            engine,
            sounds,
            data,
            flow_runner(data, rooms),
            media_address=media_address(settings),
            rtp_timeout_seconds=settings.rtp.timeout_seconds,
            retry_after_seconds=settings.sip.retry_after_seconds,
            settle_seconds=settings.rtp.settle_milliseconds / 1000,
            sound_statistics=rooms.sound_statistics,
        )
        agent = SipAgent(
            settings.sip, calls, StoredCredentials(store), digest_algorithms=settings.sip.digest_algorithms
        )
        try:
            await agent.start()
        except OSError as problem:
            text = f"SIP on {settings.sip.listen}: {problem.strerror}; choose another with --sip"
            raise OSError(problem.errno, text) from problem
        self._stack.push_async_callback(agent.stop)
        self._stack.push_async_callback(calls.close)
        self.sip = agent.listening
        registry = CollectorRegistry()

        def changed(event: str, document: Document) -> None:
            data.forget()
            recorded.changed(event, document)

        Telemetry(registry, _sources(engine, agent, calls, rooms, sounds))
        web = WebServer(create_app(settings, store, rooms, registry, changed), *split_address(settings.http.listen))
        self._stack.push_async_callback(web.stop)
        await web.start()
        self.http = web.address


def _sources(
    engine: MediaLink, agent: SipAgent, calls: InboundCalls, rooms: Rooms, sounds: SoundLibrary
) -> dict[str, Source]:
    def lateness() -> dict[str, float]:
        ticked = engine.lateness
        return {
            "tick_late_seconds_mean": ticked.late_sum / max(1, ticked.ticks) / 1e9,
            "tick_late_seconds_max": ticked.late_most / 1e9,
        }

    return {
        "media": lambda: {**engine.statistics(), **lateness()},
        "sip": lambda: dict(agent.statistics()),
        "calls": lambda: flat(calls.statistics),
        "conference": lambda: {**flat(rooms.statistics), "rooms": len(rooms), "members": rooms.members},
        "sounds": lambda: {**flat(sounds.statistics), **flat(rooms.sound_statistics)},
    }


def media_address(settings: Settings) -> str:
    """The IPv4 address that callers are told to send RTP to.

    The setting; else the address listened on; else, for 0.0.0.0, that of the interface with the default route.
    """
    if settings.rtp.public_address:
        return settings.rtp.public_address
    host, _, _ = split_port_range(settings.rtp.listen)
    if host != "0.0.0.0":  # noqa: S104 - compared, not bound
        return socket.gethostbyname(host)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; asks the kernel for a route
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


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
