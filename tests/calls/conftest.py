"""The server that all these tests call."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .measuring import jingle, wav
from .serving import Server, serving

GONE = (
    "mirliton_media_legs", "mirliton_media_mixes", "mirliton_calls_active", "mirliton_conference_rooms",
    "mirliton_conference_members", "mirliton_sip_sessions", "mirliton_sip_dialogs",
)  # fmt: skip

SETTINGS = """
[sip]
trusted = ["127.0.0.1/32"]

[rtp]
codecs = ["OPUS", "G722", "PCMU", "PCMA", "L16"]

[events]
publish = ["dtmf", "execute_app", "floor-change", "gain-level", "volume-level", "energy-level", "transfer"]

[sounds]
fetch_networks = ["127.0.0.0/8"]
streams = {{ waltz = "{folder}/waltz.wav" }}
speech_seconds = 60

[conferences.profiles.default]
is-unlocked-sound = "tone_stream://%(300,200,541)"

[conferences.profiles.house]
muted-sound = "tone_stream://%(300,200,449)"
alone-sound = "tone_stream://%(300,200,797)"

[conferences.controls]
floor-keys = [{{ digits = "5", action = "mute" }}]
desk-keys = [{{ digits = "6", action = "mute" }}]
"""
"""What is not so by default: calls from 127.0.0.2 need a password; linear sound is spoken; more events are told of;
sounds may be fetched from this machine; an operator's own music, profiles, controls."""
WALTZ = jingle(70, seconds=2.0)
"""The music behind `local_stream://waltz`."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the session; at its end nothing of all the calls may be left in it."""
    folder: Path = tmp_path_factory.mktemp("server")
    (folder / "waltz.wav").write_bytes(wav(WALTZ))
    with serving(folder, SETTINGS.format(folder=folder)) as running:
        yield running
        nothing_is_left(running)


def nothing_is_left(server: Server, within: float = 10.0) -> None:
    """Wait until the server counts no leg, mix, call, room, member or session."""
    deadline = time.monotonic() + within
    while True:
        metrics = server.metrics()  # takes its time: this is no busy waiting
        left = {name: metrics[name] for name in GONE if metrics[name]}
        if not left:
            return
        assert time.monotonic() < deadline, f"left behind: {left}"
