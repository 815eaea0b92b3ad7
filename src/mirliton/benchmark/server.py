"""Mirliton as the bridge to be measured: a fresh `mirliton serve`, the engine on its own core, a number a room."""

import asyncio
import json
import re
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mirliton.benchmark.children import ProgramFailed, last_words, running, wait_for_line
from mirliton.benchmark.floor import SOCKETS
from mirliton.benchmark.peer import Bench, Crowd, Figures, Peer, Seated
from mirliton.benchmark.ports import HOST, free_port, free_range
from mirliton.benchmark.proc import children, command_line
from mirliton.benchmark.result import MIRLITON, Scenario
from mirliton.benchmark.sip_seating import seat_by_sip
from mirliton.benchmark.voices import CODINGS
from mirliton.demo.rest import Rest

_START_SECONDS = 400.0  # the first start on a machine compiles the engine's kernels
_SPARE_SECONDS = 120.0
_SPARE_LEGS = 64  # calls of the set-up measurement that have not been cleared yet
_METRICS_SECONDS = 5.0
_BUCKET = re.compile(
    r'^mirliton_media_tick_late\w*_bucket\{[^}]*?le="(?P<most>[^"]+)"[^}]*\} (?P<count>\S+)', re.MULTILINE
)
_SOUNDS = (
    "alone-sound", "moh-sound", "enter-sound", "exit-sound", "member-enter-sound", "muted-sound", "unmuted-sound",
    "deaf-sound", "undeaf-sound",
)  # fmt: skip


def callflow(rate: int) -> dict[str, Any]:
    """Number R7 leads to a room of that name, made by the first who dials it, where only the callers are heard.

    `rate`: at which it may mix, in Hz.
    """
    config = {
        "name": "bench",
        "profile": dict.fromkeys(_SOUNDS, "") | {"rate": rate},
        "member": {"join_muted": False, "play_entry_prompt": False},
    }
    data = {
        "welcome_prompt": {"play": False},
        "play_entry_tone": False,
        "play_exit_tone": False,
        "config": config,
    }
    flow = {"module": "conference_feature", "data": data, "children": {}}
    return {"patterns": ["^(R[0-9]+)$"], "flow": flow}


@contextmanager
def serve(bench: Bench, scenario: Scenario, folder: Path) -> Iterator[Peer]:
    """Start a server of its own in `folder`, see `peer.StartPeer`. Raises `ProgramFailed`, `RestRefused`."""
    data, log, config = folder / "data", folder / "server.log", folder / "mirliton.toml"
    ports = free_range(SOCKETS, 2)
    config.write_text(settings(scenario, bench.cores[0]))
    command: list[str | Path] = [
        sys.executable, "-m", "mirliton", "serve", "--config", config, "--data", data, "--http", f"{HOST}:0",
        "--sip", f"{HOST}:{free_port()}", "--rtp", f"{HOST}:{ports.start}-{ports.stop - 1}",
    ]  # fmt: skip
    with ExitStack() as leaving, running(command, bench.cores[1], log) as process:
        line = wait_for_line(process, "mirliton ready ", _START_SECONDS, log)
        ready = dict(field.split("=", 1) for field in line.split()[2:])
        asyncio.run(_make_rooms(ready["http"], data, CODINGS[scenario.codec].rate))
        processes = {"engine": _engine_of(process.pid, log), "control": process.pid}

        def figures() -> Figures:
            return read_figures(ready["http"])

        def seat(crowd: Crowd, own: Path) -> AbstractContextManager[Seated]:
            return seat_by_sip(bench, ready["sip"], lambda: ports, lambda: figures().members, crowd, own, leaving)

        yield Peer(MIRLITON, processes, seat, figures, ready["sip"])


def settings(scenario: Scenario, engine_core: int) -> str:
    """The server's settings file: room for the calls, and the engine's core."""
    legs = max(4096, scenario.callers + _SPARE_LEGS)
    rooms = max(1000, scenario.callers // scenario.room + 2)
    return (
        f"[media]\ncore = {engine_core}\nmax_legs = {legs}\nmax_mixes = {rooms + 24}\n"
        f"[sip]\nmax_calls = {scenario.callers + _SPARE_LEGS}\n"
        # What is measured is the server, not its brake.
        "max_invites_per_second = 100_000\nmax_transactions = 100_000\n"
        f"[limits]\nmax_rooms = {rooms}\n"
    )


async def _make_rooms(http: str, data: Path, rate: int) -> None:
    credentials = json.loads((data / "credentials.json").read_text())
    rest = Rest(http, credentials["account_id"])
    await rest.log_in(credentials["api_key"])
    await rest.create("callflows", callflow(rate))


def _engine_of(server: int, log: Path) -> int:
    """The older of the two engine processes; the younger is its spare, for whose start is waited: it costs time too."""
    deadline = time.monotonic() + _SPARE_SECONDS
    while time.monotonic() < deadline:
        engines = [pid for pid in children(server) if "mirliton.media.process" in command_line(pid)]
        if len(engines) > 1:
            return engines[0]
        time.sleep(0.1)
    raise ProgramFailed(f"the server has no engine and spare engine: {last_words(log)}")


def read_figures(http: str) -> Figures:
    """From `GET /metrics`. Raises `OSError` when the server does not answer."""
    with urllib.request.urlopen(f"http://{http}/metrics", timeout=_METRICS_SECONDS) as answer:
        text = answer.read().decode()
    return figures_of(parse_metrics(text), parse_buckets(text))


def parse_metrics(text: str) -> dict[str, float]:
    """Prometheus' text format: the numbers without labels, `mirliton_` and `_total` left out of their names."""
    numbers: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name.startswith("mirliton_") and "{" not in name:
            numbers[name.removeprefix("mirliton_").removesuffix("_total")] = float(value)
    return numbers


def parse_buckets(text: str) -> dict[float, float]:
    """The histogram of how late ticks are: how many were at most so many seconds late; empty if there is none."""
    return {float(found["most"]): float(found["count"]) for found in _BUCKET.finditer(text)}


def figures_of(metrics: Mapping[str, float], late_counts: Mapping[float, float]) -> Figures:
    """Those that are part of a result."""
    return Figures(
        members=int(metrics["conference_members"]),
        packets_in=metrics["media_packets_in"],
        packets_out=metrics["media_packets_out"],
        encodes=metrics["media_encodes"],
        decodes=metrics["media_decodes"],
        skipped_ticks=metrics["media_skipped_ticks"],
        restarts=metrics["media_restarts"],
        late_mean=metrics["media_tick_late_seconds_mean"],
        late_max=metrics["media_tick_late_seconds_max"],
        late_counts=late_counts,
    )
