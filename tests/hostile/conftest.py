"""One server for all attacks, two innocent callers in it, and at the end nothing of the attacks may be left."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.calls.conftest import nothing_is_left
from tests.calls.serving import Server, serving

from .attacker import Attacker
from .witness import Witness

MORE_MEMORY = 150_000_000  # bytes; what kept sounds, caches and the allocator may hold after all attacks
MORE_FILES = 40


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever needs the server is slow."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here and "server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own. Its log is searched for exceptions when it stops."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    with serving(folder) as running:
        before = usage(running)
        yield running
        nothing_is_left(running, within=60.0)  # answers that nobody acknowledges are repeated for 32 s (RFC 3261)
        after = usage(running)
        assert after["bytes"] < before["bytes"] + MORE_MEMORY
        assert after["files"] < before["files"] + MORE_FILES
        assert running.metrics()["mirliton_http_faults_total"] == 0
        assert running.metrics()["mirliton_calls_failed_total"] == 0


@pytest.fixture(scope="session")
def witness(server: Server) -> Iterator[Witness]:
    """The innocent callers."""
    with Witness(server) as callers:
        yield callers


@pytest.fixture(autouse=True)
def innocents_go_on(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every attack on the server the innocent callers are heard as before."""
    callers: Witness | None = request.getfixturevalue("witness") if "server" in request.fixturenames else None
    yield
    if callers is not None:
        callers.undisturbed()


@pytest.fixture
def attacker(server: Server) -> Iterator[Attacker]:
    """A socket to attack with."""
    with Attacker(server.sip) as one:
        assert one.alive()
        yield one
        assert one.alive()


@pytest.fixture(scope="session")
def rest(server: Server) -> Iterator[httpx.Client]:
    """Logged in, with paths below the account."""
    account = server.account
    base = f"http://{server.http}/v2"
    answer = httpx.put(f"{base}/api_auth", json={"data": {"api_key": account.api_key}})
    headers = {"X-Auth-Token": answer.json()["auth_token"]}
    with httpx.Client(base_url=f"{base}/accounts/{account.account_id}", headers=headers, timeout=30) as client:
        yield client


def usage(server: Server) -> dict[str, int]:
    """Memory and open files of the control process and its engine."""
    found = {"bytes": 0, "files": 0}
    for process in (server.process.pid, server.engine_process()):
        folder = Path(f"/proc/{process}")
        found["bytes"] += int((folder / "statm").read_text().split()[1]) * 4096
        found["files"] += len(list((folder / "fd").iterdir()))
    return found
