"""baresip as a caller, told what to do over its control port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mirliton.phone.hearing import Samples
from tests.phone import baresip

from .measuring import until
from .serving import HOST

FOUND, CODECS = baresip.FOUND, baresip.CODECS


class Baresip:
    """One running baresip."""

    def __init__(self, phone: baresip.Baresip, writer: asyncio.StreamWriter) -> None:
        self._phone, self._writer = phone, writer

    async def command(self, name: str, parameters: str = "") -> None:
        """One command of its menu, over its control port (JSON in a netstring)."""
        body = f'{{"command":"{name}","params":"{parameters}"}}'.encode()
        self._writer.write(f"{len(body)}:".encode() + body + b",")
        await self._writer.drain()

    @property
    def rate(self) -> int:
        """Hz of what it heard."""
        return self._phone.rate

    def heard(self) -> Samples:
        """The sound of its calls so far."""
        return self._phone.heard()


@asynccontextmanager
async def running(
    folder: Path, tone: int, port: int, codec: str = "PCMU", *, encrypted: bool = False
) -> AsyncIterator[Baresip]:
    """Start it with an account that needs no registrar, and end it by its own command."""
    account = f"<sip:baresip@{HOST}>;regint=0{';mediaenc=srtp-mand' if encrypted else ''}"
    control = ["module_app ctrl_tcp.so", f"ctrl_tcp_listen {HOST}:{port}", *(["module srtp.so"] if encrypted else [])]
    async with baresip.running(folder, tone, account, *control, codec=codec) as phone:

        async def connected() -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
            try:
                return await asyncio.open_connection(HOST, port)
            except OSError:
                assert phone.process.returncode is None, phone.log
                return None

        _, writer = await until(connected, "baresip's control port")
        try:
            caller = Baresip(phone, writer)
            yield caller
            await caller.command("quit")
        finally:
            writer.close()
