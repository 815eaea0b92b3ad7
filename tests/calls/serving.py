"""`mirliton serve` as a process of its own: started, waited for, stopped, and its log judged."""

import asyncio
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from mirliton.schemas import validate
from mirliton.store import Store, bootstrap

START_SECONDS = 110.0  # the first start on a machine compiles the engine's kernels
START_ATTEMPTS = 4
STOP_SECONDS = 5.0  # the promise of design section 2
RTP_PORTS = 16
HOST = "127.0.0.1"
OTHER_REALM = "localhost"
"""The realm of the second account: a name that leads to this machine, so that a phone can call it."""


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant as a client knows it. `domain`: what to put behind the @ of a number to call it."""

    account_id: str
    api_key: str
    domain: str


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `log`: its stderr."""

    http: str
    sip: tuple[str, int]
    account: Account
    other_account: Account
    process: subprocess.Popen[bytes]
    log: Path

    def metrics(self) -> dict[str, float]:
        """Every number of `/metrics`."""
        text = httpx.get(f"http://{self.http}/metrics", timeout=10).text
        lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def engine_process(self) -> int:
        """The process id of the media engine: the oldest one, the other is its spare."""
        found = [_engine_of(folder, self.process.pid) for folder in Path("/proc").glob("[0-9]*")]
        return min(process for process in found if process is not None)


def _engine_of(folder: Path, parent: int) -> int | None:
    try:
        status = (folder / "stat").read_text().rpartition(")")[2].split()
        command = (folder / "cmdline").read_bytes()
    except OSError:  # it ended while we looked
        return None
    return int(folder.name) if int(status[1]) == parent and b"mirliton.media.process" in command else None


@contextmanager
def serving(folder: Path, settings: str = "") -> Iterator[Server]:
    """A server with its data and log in `folder`. `settings`: what its settings file holds, as TOML.

    At the end it must stop by SIGTERM in time, with code 0, and without a word of an exception in its log.
    """
    data, log, config = folder / "data", folder / "server.log", folder / "mirliton.toml"
    config.write_text(settings)
    other = asyncio.run(_second_account(data))
    process, ready = _started(["--config", str(config), "--data", str(data)], log)
    try:
        credentials = json.loads((data / "credentials.json").read_text())
        sip_host, _, sip_port = ready["sip"].partition(":")
        account = Account(credentials["account_id"], credentials["api_key"], HOST)
        yield Server(ready["http"], (sip_host, int(sip_port)), account, other, process, log)
        _stop(process, log)
    finally:
        process.kill()
        process.communicate()


def _started(options: list[str], log: Path) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    """The process, and what its line `ready` says. Tried again when somebody else was faster to take its ports."""
    for attempt in range(START_ATTEMPTS):
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "mirliton", "serve", *options,
                    "--http", f"{HOST}:0", "--sip", f"{HOST}:{free_port()}", "--rtp", _free_range(),
                ],
                stdout=subprocess.PIPE, stderr=errors, env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        try:
            return process, _ready(process, log)
        except AssertionError:
            process.kill()
            process.communicate()
            if attempt + 1 == START_ATTEMPTS or "Address already in use" not in log.read_text():
                raise
    raise AssertionError("no attempt was made")


async def _second_account(data: Path) -> Account:
    """Tenants are made by the operator, not over REST: so they are put into the store before the start."""
    store = Store(None, data)
    await store.open()
    try:
        await bootstrap(store, data)
        body = validate("accounts", {"name": "other", "realm": OTHER_REALM})
        made = await store.accounts.create(body)
        return Account(made.id, made.private["api_key"], OTHER_REALM)
    finally:
        await store.close()


def _ready(process: subprocess.Popen[bytes], log: Path) -> dict[str, str]:
    """The fields of the line `mirliton ready http=… sip=… account=…`."""
    assert process.stdout is not None
    deadline = time.monotonic() + START_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            line = process.stdout.readline().decode()
            if line.startswith("mirliton ready "):
                return dict(field.split("=", 1) for field in line.split()[2:])
            assert line, f"the server ended before it was ready:\n{log.read_text()}"
    raise AssertionError(f"the server was not ready after {START_SECONDS:g} s:\n{log.read_text()}")


def _stop(process: subprocess.Popen[bytes], log: Path) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        code = process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"the server did not end within {STOP_SECONDS:g} s; its log: {log}") from None
    text = log.read_text()
    assert code == 0, f"the server ended with code {code}:\n{text}"
    assert "Traceback" not in text, text


def free_port() -> int:
    """A port that is free for UDP and TCP at this moment."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind((HOST, 0))
            port = int(tcp.getsockname()[1])
            if _udp_free(port):
                return port


def _free_range() -> str:
    """`HOST:FIRST-LAST` of neighbouring free UDP ports below those that the kernel gives to phones."""
    for _ in range(100):
        first = random.randrange(12_000, 32_000, RTP_PORTS)
        if all(_udp_free(port) for port in range(first, first + RTP_PORTS)):
            return f"{HOST}:{first}-{first + RTP_PORTS - 1}"
    raise AssertionError("there are no free UDP ports on this machine")


def _udp_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.bind((HOST, port))
        except OSError:
            return False
    return True
