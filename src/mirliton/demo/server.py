"""A whole server for the demo: `mirliton serve` as a process of its own, on free ports, with a folder that goes."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

START_SECONDS = 120.0  # the first start on a machine compiles the engine's kernels
STOP_SECONDS = 10.0
RTP_PORTS = 8
HOST = "127.0.0.1"


class ServerFailed(Exception):
    """The server did not start. The text says where its log is."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: `http` and `sip` as HOST:PORT."""

    http: str
    sip: str
    account_id: str
    api_key: str


@asynccontextmanager
async def serve(log: Path) -> AsyncIterator[Server]:
    """Start a server, wait until it is ready, stop it at the end. Raises `ServerFailed`."""
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(TemporaryDirectory(prefix="mirliton-demo-")))
        errors = stack.enter_context(log.open("wb"))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mirliton", "serve",
            "--data", str(data), "--http", f"{HOST}:{_free_port()}", "--sip", f"{HOST}:{_free_port()}",
            "--rtp", _free_range(),
            stdout=asyncio.subprocess.PIPE, stderr=errors,
        )  # fmt: skip
        stack.push_async_callback(_stop, process)
        ready = await _ready(process, log)
        credentials = json.loads((data / "credentials.json").read_text())
        yield Server(ready["http"], ready["sip"], credentials["account_id"], credentials["api_key"])


async def _ready(process: asyncio.subprocess.Process, log: Path) -> dict[str, str]:
    """The fields of the line `mirliton ready http=… sip=… account=…`."""
    if process.stdout is None:
        raise ServerFailed("the server's output is not connected")
    try:
        async with asyncio.timeout(START_SECONDS):
            while line := (await process.stdout.readline()).decode():
                if line.startswith("mirliton ready "):
                    return dict(field.split("=", 1) for field in line.split()[2:])
    except TimeoutError:
        raise ServerFailed(f"the server was not ready after {START_SECONDS:g} s; its log: {log}") from None
    raise ServerFailed(f"the server ended with code {await process.wait()} before it was ready; its log: {log}")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_port() -> int:
    """A port that is free for UDP and TCP at this moment."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind((HOST, 0))
            port = int(tcp.getsockname()[1])
            if _udp_free(port):
                return port


def _free_range() -> str:
    """`HOST:FIRST-LAST` of `RTP_PORTS` neighbouring free UDP ports, starting with an even one."""
    for first in range(20_000, 60_000, 2 * RTP_PORTS):
        if all(_udp_free(port) for port in range(first, first + RTP_PORTS)):
            return f"{HOST}:{first}-{first + RTP_PORTS - 1}"
    raise ServerFailed("there are no free UDP ports on this machine")


def _udp_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.bind((HOST, port))
        except OSError:
            return False
    return True
