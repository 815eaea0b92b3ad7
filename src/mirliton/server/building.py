"""The parts of a server, made from the settings and tied together: the only place that knows them all."""

import platform
import socket
import time
from collections.abc import Sequence

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from mirliton.api.app import create_app
from mirliton.callflow import flow_runner
from mirliton.calls.bridging import Bridging
from mirliton.calls.dialling.budget import StoredBudgets
from mirliton.calls.dialling.dialler import Dialler
from mirliton.calls.dialling.stored import StoredCallees
from mirliton.calls.events import EventFeed
from mirliton.calls.inbound import InboundCalls
from mirliton.calls.linked import Linked
from mirliton.calls.negotiation import Repertoire
from mirliton.calls.remembered import RememberedCallData
from mirliton.calls.room_recording import RecordingOptions
from mirliton.calls.rooms import Rooms
from mirliton.calls.stored import StoredCallData
from mirliton.calls.transfers import Transfers
from mirliton.conference.events import OPTIONAL, PUBLISHED
from mirliton.links import Links
from mirliton.media.link import MediaLink
from mirliton.recording.names import StoredNames
from mirliton.recording.recordings import RecordingLimits, Recordings
from mirliton.recording.sound_files import Format
from mirliton.recording.writer_process import WriterProcess
from mirliton.server.access import RecordedSounds, StoredCredentials
from mirliton.server.changes import Changes
from mirliton.server.telemetry import LOG, Source, flat
from mirliton.settings import Settings, split_port_range
from mirliton.sip.agent import SipAgent
from mirliton.sip.formats import expanded
from mirliton.sounds.library import SoundLibrary, SoundLimits
from mirliton.store import Store
from mirliton.webhooks import Webhooks


class Building:
    """Makes every part; starting and stopping them in order is `running.Server`'s work."""

    def __init__(self, settings: Settings, store: Store, engine: MediaLink, changes: Changes) -> None:
        """Raises `ValueError` for settings that only the parts themselves can judge."""
        self.settings, self.store, self.engine, self.changes = settings, store, engine, changes
        self.events = EventFeed()
        self._recorded = RecordedSounds(store)
        self.sounds = self._sounds()
        self.recordings = self._recordings()
        self.names = StoredNames(store, changes)
        self.webhooks = Webhooks(store, self.events, settings.webhooks)
        self.rooms = self._rooms()
        system = settings.conferences.model_dump(exclude_none=True, exclude_unset=True)
        self.data = RememberedCallData(StoredCallData(store, system, settings.conferences.language), time.monotonic)
        changes.listeners += [lambda *_: self.data.forget(), self._recorded.changed, self.webhooks.changed]
        self.links = Links(store, settings.links.lifetime_seconds)
        self._run_flow = flow_runner(self.data, self.rooms, self.names)
        self._transfers = Transfers(self.data, self._run_flow)
        self.linked = Linked(self.links, self.data, self.rooms, self.names, self._transfers)
        self.calls = self._calls()
        self.agent = SipAgent(
            settings.sip,
            self.calls,
            StoredCredentials(store),
            digest_algorithms=settings.sip.digest_algorithms,
            admits=self.linked.admits,
        )
        self.dialler = self._dialler()

    def app(self, registry: CollectorRegistry) -> FastAPI:
        """The HTTP application."""
        return create_app(
            self.settings,
            self.store,
            self.rooms,
            registry,
            self.changes,
            dialling=self.dialler,
            webhook_attempts=self.webhooks.attempts,
            events=self.events,
            configuration=self.data.conference_configuration,
            links=self.links,
        )

    def statistics(self) -> dict[str, Source]:
        """What is counted, by part."""
        return {
            "media": lambda: {**self.engine.statistics(), **_lateness(self.engine)},
            "sip": lambda: dict(self.agent.statistics()),
            "calls": lambda: flat(self.calls.statistics),
            "dial": lambda: flat(self.dialler.statistics),
            "conference": lambda: {
                **flat(self.rooms.statistics),
                "rooms": len(self.rooms),
                "members": self.rooms.members,
            },
            "sounds": lambda: {**flat(self.sounds.statistics), **flat(self.rooms.sound_statistics)},
            "recording": lambda: {
                **flat(self.recordings.statistics),
                "running": len(self.recordings),
                "writer_restarts": self.recordings.writer_restarts,
            },
            "names": lambda: flat(self.names.statistics),
            "webhooks": self.webhooks.statistics,
            "log": LOG.counted,
            "links": lambda: {**flat(self.links.statistics), **flat(self.linked.statistics)},
        }

    def _sounds(self) -> SoundLibrary:
        settings = self.settings
        return SoundLibrary(
            self.engine,
            account_prompt=self._recorded.account_prompt,
            media_file=self._recorded.media_file,
            limits=SoundLimits(seconds=settings.media.max_clip_seconds, file_bytes=settings.http.max_media_bytes),
            settings=settings.sounds,
            cache=settings.data / "cache",
            default_language=settings.conferences.language,
        )

    def _recordings(self) -> Recordings:
        settings = self.settings.recording
        return Recordings(
            self.store,
            self.changes,
            WriterProcess(*self.engine.tap_memory),
            RecordingLimits(
                max_seconds=settings.max_seconds,
                max_at_a_time=settings.max_at_a_time,
                max_per_account=settings.max_at_a_time_per_account,
                max_tracks_per_account=settings.max_tracks_per_account,
                max_bytes_per_account=settings.max_bytes_per_account,
            ),
            form=Format(settings.format),
        )

    def _rooms(self) -> Rooms:
        settings = self.settings
        unknown = set(settings.events.publish) - PUBLISHED - OPTIONAL
        if unknown:
            raise ValueError(f"events.publish: no such events: {', '.join(sorted(unknown))}")
        return Rooms(
            self.engine,
            self.sounds,
            node=platform.node() or "localhost",
            max_rooms=settings.limits.max_rooms,
            max_members_per_room=settings.limits.max_members_per_room,
            max_rate=settings.media.max_rate,
            published=PUBLISHED | set(settings.events.publish),
            events=self.events,
            recordings=self.recordings,
            recording_options=RecordingOptions(settings.recording.tracks, settings.recording.max_rate),
            names=self.names,
        )

    def _calls(self) -> InboundCalls:
        settings = self.settings
        return InboundCalls(
            self.engine,
            self.sounds,
            self.data,
            self._run_flow,
            media_address=media_address(settings),
            rtp_timeout_seconds=settings.rtp.timeout_seconds,
            retry_after_seconds=settings.sip.retry_after_seconds,
            settle_seconds=settings.rtp.settle_milliseconds / 1000,
            sound_statistics=self.rooms.sound_statistics,
            arrivals=[Bridging(self.data, self.rooms), self.linked],
            repertoire=_repertoire(settings, settings.rtp.codecs),
            trunk_repertoire=_repertoire(settings, settings.rtp.trunk_codecs or settings.rtp.codecs),
        )

    def _dialler(self) -> Dialler:
        settings = self.settings
        return Dialler(
            self.agent,
            self.engine,
            self.sounds,
            self.rooms,
            self.data,
            StoredCallees(self.store),
            StoredBudgets(
                self.store.documents,
                calls_per_day=settings.dial.calls_per_day,
                minutes_per_day=settings.dial.minutes_per_day,
            ),
            settings.dial,
            media_address=media_address(settings),
            rtp_timeout_seconds=settings.rtp.timeout_seconds,
            settle_seconds=settings.rtp.settle_milliseconds / 1000,
            sound_statistics=self.rooms.sound_statistics,
            go_on=self._transfers,
            repertoire=_repertoire(settings, settings.rtp.codecs),
            trunk_repertoire=_repertoire(settings, settings.rtp.trunk_codecs or settings.rtp.codecs),
        )


def _lateness(engine: MediaLink) -> dict[str, float]:
    ticked = engine.lateness
    return {
        "tick_late_seconds_mean": ticked.late_sum / max(1, ticked.ticks) / 1e9,
        "tick_late_seconds_max": ticked.late_most / 1e9,
    }


def _repertoire(settings: Settings, codecs: Sequence[str]) -> Repertoire:
    return Repertoire(expanded(codecs), settings.media.max_rate, settings.rtp.srtp)


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
