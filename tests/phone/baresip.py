"""baresip, a phone that is not ours, as a process: it says a tone from a file and keeps what it hears."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import soundfile

from mirliton.phone.hearing import Samples
from mirliton.phone.playing import load

MODULES = Path("/usr/lib/baresip/modules")
PROGRAM = shutil.which("baresip")
FOUND = PROGRAM is not None and MODULES.is_dir()
HOST = "127.0.0.1"
RATE = 8000
_CONFIG = """\
poll_method select
sip_listen {host}:0
call_max_calls 4
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
"""


class Baresip:
    """One running baresip. `log` is what it said so far."""

    def __init__(self, folder: Path, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._folder = folder

    @property
    def log(self) -> str:
        return (self._folder / "baresip.log").read_text()

    def heard(self) -> Samples:
        """The sound of its calls so far, 8000 Hz; the file is still open, so its header does not tell a length."""
        file = next(self._folder.glob("dump-*-dec.wav"), None)
        data = file.read_bytes()[44:] if file else b""
        return np.frombuffer(data[: len(data) // 2 * 2], np.int16)


@asynccontextmanager
async def running(folder: Path, tone: int, account: str, *modules: str) -> AsyncIterator[Baresip]:
    """Start it with one account (a line of its own format) and more lines of configuration.

    Whoever uses it ends it: at the end its process must be gone within 10 s, or is killed.
    """
    assert PROGRAM is not None
    soundfile.write(folder / "says.wav", np.tile(load(f"tone:{tone}", RATE).samples, 60), RATE, subtype="PCM_16")
    config = _CONFIG.format(host=HOST, folder=folder, modules=MODULES)
    (folder / "config").write_text(config + "".join(f"{line}\n" for line in modules))
    (folder / "accounts").write_text(f"{account}\n")
    (folder / "contacts").write_text("")
    with (folder / "baresip.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            PROGRAM, "-f", str(folder), "-t", "90", stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield Baresip(folder, process)
        async with asyncio.timeout(10):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def registered(
    folder: Path, server: str, domain: str, user: str, password: str, *, transport: str = "udp", tone: int = 500
) -> AsyncIterator[Baresip]:
    """Start it with one account that registers at `server` (HOST:PORT), and end it, which takes its contact back.

    It is not waited for the registration: look at the server for that.
    """
    account = (
        f"<sip:{user}@{domain};transport={transport}>;auth_user={user};auth_pass={password};"
        f'outbound="sip:{server};transport={transport}";regint=60;answermode=auto;audio_codecs=PCMU'
    )
    async with running(folder, tone, account) as phone:
        yield phone
        phone.process.terminate()
