"""The server that all these tests call."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .serving import Server, serving

GONE = (
    "mirliton_media_legs", "mirliton_media_mixes", "mirliton_calls_active", "mirliton_conference_rooms",
    "mirliton_conference_members", "mirliton_sip_sessions", "mirliton_sip_dialogs",
)  # fmt: skip


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the session; at its end nothing of all the calls may be left in it."""
    folder: Path = tmp_path_factory.mktemp("server")
    with serving(folder) as running:
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
