"""baresip, a phone that is not ours, as a process: a tone from a file, and what it hears into a file."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import soundfile

from mirliton.phone.hearing import Samples
from mirliton.phone.playing import load

from .measuring import until
from .serving import HOST

MODULES = Path("/usr/lib/baresip/modules")
FOUND = MODULES.is_dir()
RATE = 8000
_CONFIG = """\
poll_method select
sip_listen {host}:0
call_max_calls 1
audio_player aubridge,nowhere
audio_source aufile,{folder}/says.wav
audio_alert aubridge,nowhere
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
rtcp_mux no
jitter_buffer_delay 5-10
net_interface {host}
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
snd_path {folder}
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{port}
"""


class Baresip:
    """One running baresip."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, folder: Path) -> None:
        self._reader, self._writer, self._folder = reader, writer, folder

    async def command(self, name: str, parameters: str = "") -> None:
        """One command of its menu, over its control port (JSON in a netstring)."""
        body = f'{{"command":"{name}","params":"{parameters}"}}'.encode()
        self._writer.write(f"{len(body)}:".encode() + body + b",")
        await self._writer.drain()

    def heard(self) -> Samples:
        """The sound that it has written so far; the file is still open, so its header does not tell a length."""
        file = next(self._folder.glob("dump-*-dec.wav"), None)
        data = file.read_bytes()[44:] if file else b""
        return np.frombuffer(data[: len(data) // 2 * 2], np.int16)


@asynccontextmanager
async def running(folder: Path, tone: int, port: int) -> AsyncIterator[Baresip]:
    """Start it with an account that needs no registrar, and end it by its own command."""
    wave = np.tile(load(f"tone:{tone}", RATE).samples, 60)
    soundfile.write(folder / "says.wav", wave, RATE, subtype="PCM_16")
    (folder / "config").write_text(_CONFIG.format(host=HOST, folder=folder, modules=MODULES, port=port))
    (folder / "accounts").write_text(f"<sip:baresip@{HOST}>;regint=0;audio_codecs=PCMU\n")
    (folder / "contacts").write_text("")
    log = (folder / "baresip.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        "baresip", "-f", str(folder), "-t", "90", stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
    )
    log.close()

    async def connected() -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        try:
            return await asyncio.open_connection(HOST, port)
        except OSError:
            assert process.returncode is None, (folder / "baresip.log").read_text()
            return None

    try:
        reader, writer = await until(connected, "baresip's control port")
        try:
            phone = Baresip(reader, writer, folder)
            yield phone
            await phone.command("quit")
            async with asyncio.timeout(10):
                await process.wait()
        finally:
            writer.close()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
