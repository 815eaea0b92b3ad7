"""Janus' AudioBridge (Debian's `janus`) as a bridge to be measured: participants by plain RTP, as Debian ships it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from mirliton.benchmark.children import ProgramFailed, last_words, running
from mirliton.benchmark.load import STRIDE, voices
from mirliton.benchmark.peer import Bench, Crowd, Peer, Seated
from mirliton.benchmark.ports import HOST, free_port, free_range
from mirliton.benchmark.result import Scenario
from mirliton.benchmark.voices import CODINGS

NAME = "janus"
PROGRAM, PACKAGE = "janus", "janus"
_PLUGIN = "janus.plugin.audiobridge"
_START_SECONDS = 20.0
_JOIN_SECONDS = 10.0
_POLL_SECONDS = 0.05
_PORTS_A_CALLER = 4
_SPARE_PORTS = 200
_IN_A_SESSION = 50  # its events come through one long poll

_CONFIG = """general: {{
    configs_folder = "{folder}"
    debug_level = 3
    debug_colors = false
    session_timeout = 0
}}
plugins: {{
    disable = "{plugins}"
}}
transports: {{
    disable = "{transports}"
}}
"""
_PLUGINS = (
    "duktape", "echotest", "lua", "nosip", "recordplay", "sip", "streaming", "textroom", "videocall", "videoroom",
    "voicemail",
)  # fmt: skip
_TRANSPORTS = ("mqtt", "nanomsg", "pfunix", "rabbitmq", "websockets")
_HTTP = 'general: {{ json = "compact" base_path = "/janus" http = true port = {port} ip = "{host}" https = false }}\n'
_AUDIOBRIDGE = 'general: {{ rtp_port_range = "{first}-{last}" local_ip = "{host}" }}\n'


class Refused(ProgramFailed):
    """Janus said no; the text says to what."""


@contextmanager
def janus(bench: Bench, scenario: Scenario, folder: Path) -> Iterator[Peer]:
    """A Janus of its own in `folder`, see `peer.StartPeer`. Raises `ProgramFailed` and `NoPorts`."""
    http = free_port()
    ports = free_range(_PORTS_A_CALLER * scenario.callers + _SPARE_PORTS)
    _configure(folder, http, ports)
    log = folder / "janus.log"
    command: list[str | Path] = [PROGRAM, "--configs-folder", folder, "--disable-colors"]
    # To a file, not a pipe: nobody would read it.
    with (
        running(command, bench.cores[0], log, said=folder / "janus.out") as process,
        httpx.Client(timeout=_JOIN_SECONDS, trust_env=False) as web,
    ):
        client = _Client(f"http://{HOST}:{http}/janus", web)
        client.wait(lambda: process.poll() is None, log)

        @contextmanager
        def seat(crowd: Crowd, own: Path) -> Iterator[Seated]:
            callers = free_range(crowd.callers, STRIDE, above=ports.stop)
            said = bench.said[crowd.scenario.codec]
            with voices(bench.rtpload, said, crowd.scenario, callers, crowd.probed, bench.cores[1], own) as load:
                theirs = _join(client, bench, crowd, callers)
                load.connect(theirs)
                yield Seated(load, theirs, len(theirs))

        yield Peer(NAME, {NAME: process.pid}, seat)


def _configure(folder: Path, http: int, ports: range) -> None:
    plugins = ",".join(f"libjanus_{name}.so" for name in _PLUGINS)
    transports = ",".join(f"libjanus_{name}.so" for name in _TRANSPORTS)
    files = {
        "janus.jcfg": _CONFIG.format(folder=folder, plugins=plugins, transports=transports),
        "janus.transport.http.jcfg": _HTTP.format(port=http, host=HOST),
        f"{_PLUGIN}.jcfg": _AUDIOBRIDGE.format(first=ports.start, last=ports.stop - 1, host=HOST),
    }
    for name, text in files.items():
        (folder / name).write_text(text)


def _join(client: "_Client", bench: Bench, crowd: Crowd, callers: range) -> list[int]:
    """Everybody into the rooms; the port that Janus hears each of them on."""
    coding, room = CODINGS[crowd.scenario.codec], crowd.scenario.room
    client.begin_session()
    master = client.attach()
    for number in range((crowd.callers + room - 1) // room):
        client.ask(master, _room(number, coding.rate))
    theirs: list[int] = []
    with bench.screen.stage(f"janus: {crowd.callers} participants join", crowd.callers) as bar:
        for call in range(crowd.callers):
            if call % _IN_A_SESSION == 0:
                client.begin_session()
            rtp = {"ip": HOST, "port": callers[call], "payload_type": coding.payload_type}
            body = {"request": "join", "room": _number(call // room), "codec": coding.name.lower(), "rtp": rtp}
            theirs.append(int(client.event(client.attach(), body)["rtp"]["port"]))
            bar.at(call + 1)
    return theirs


def _number(room: int) -> int:
    return 1000 + room


def _room(number: int, rate: int) -> dict[str, Any]:
    return {
        "request": "create",
        "room": _number(number),
        "sampling_rate": rate,
        "allow_rtp_participants": True,
        "audiolevel_event": False,
    }


@dataclass(slots=True)
class _Client:
    """Janus' HTTP interface, as far as it is needed: one request at a time."""

    root: str
    http: httpx.Client
    session: int = 0
    numbers: Iterator[int] = field(default_factory=count)

    def wait(self, alive: Callable[[], bool], log: Path) -> None:
        """Until it answers. Raises `ProgramFailed`."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and alive():
            try:
                self.http.get(f"{self.root}/info").raise_for_status()
            except httpx.HTTPError:
                time.sleep(_POLL_SECONDS)
            else:
                return
        raise ProgramFailed(f"janus does not answer: {last_words(log)}")

    def begin_session(self) -> None:
        """What is asked from now on belongs to a new one."""
        self.session = int(self._post("", {"janus": "create"})["data"]["id"])

    def attach(self) -> int:
        """A handle of the AudioBridge."""
        return int(self._post(f"/{self.session}", {"janus": "attach", "plugin": _PLUGIN})["data"]["id"])

    def ask(self, handle: int, body: dict[str, Any]) -> dict[str, Any]:
        """A request that is answered at once."""
        answer = self._post(f"/{self.session}/{handle}", {"janus": "message", "body": body})
        return _checked(answer["plugindata"]["data"], body)

    def event(self, handle: int, body: dict[str, Any]) -> dict[str, Any]:
        """A request that is answered by an event."""
        self._post(f"/{self.session}/{handle}", {"janus": "message", "body": body})
        deadline = time.monotonic() + _JOIN_SECONDS
        while time.monotonic() < deadline:
            answer = self._get(f"/{self.session}?maxev=1")
            if answer.get("sender") == handle and "plugindata" in answer:
                return _checked(answer["plugindata"]["data"], body)
        raise Refused(f"janus did not answer {body}")

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._answer("POST", path, body | {"transaction": str(next(self.numbers))})

    def _get(self, path: str) -> dict[str, Any]:
        return self._answer("GET", path, None)

    def _answer(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        try:
            found = self.http.request(method, self.root + path, json=body).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise Refused(f"janus failed at {path or '/'}: {error!r}") from error
        answer = found[0] if isinstance(found, list) and found else found
        if not isinstance(answer, dict) or answer.get("janus") == "error":
            raise Refused(f"janus refuses {body}: {answer}")
        return answer


def _checked(data: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    if "error" in data:
        raise Refused(f"janus refuses {body}: {data['error']}")
    return data
