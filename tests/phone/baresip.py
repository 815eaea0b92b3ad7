"""baresip, a phone that is not ours, as a process: it says a tone from a file and keeps what it hears."""

import asyncio
import shutil
import struct
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
CODECS = {"PCMU": "g711.so", "opus/48000/2": "opus.so", "L16/16000/1": "l16.so"}
"""Of its account, and the module of each."""
_HEADER = struct.Struct("<22xHI")  # of WAV: channels and samples a second
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
module {codec}
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
        self.rate = RATE
        self._folder = folder

    @property
    def log(self) -> str:
        return (self._folder / "baresip.log").read_text()

    def heard(self) -> Samples:
        """The sound of its calls so far, at `rate`; the file is still open, so its header does not tell a length."""
        file = next(self._folder.glob("dump-*-dec.wav"), None)
        data = file.read_bytes() if file else b""
        if len(data) <= _HEADER.size:
            return np.zeros(0, np.int16)
        channels, self.rate = _HEADER.unpack_from(data)
        sound = np.frombuffer(data[44 : 44 + (len(data) - 44) // (2 * channels) * 2 * channels], np.int16)
        return sound.reshape(-1, channels)[:, 0]


@asynccontextmanager
async def running(folder: Path, tone: int, account: str, *modules: str, codec: str = "PCMU") -> AsyncIterator[Baresip]:
    """Start it with one account (a line of its own format), one of `CODECS`, and more lines of configuration.

    Whoever uses it ends it: at the end its process must be gone within 10 s, or is killed.
    """
    assert PROGRAM is not None
    soundfile.write(folder / "says.wav", np.tile(load(f"tone:{tone}", RATE).samples, 60), RATE, subtype="PCM_16")
    config = _CONFIG.format(host=HOST, folder=folder, modules=MODULES, codec=CODECS[codec])
    (folder / "config").write_text(config + "".join(f"{line}\n" for line in modules))
    (folder / "accounts").write_text(f"{account};audio_codecs={codec}\n")
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
        f'outbound="sip:{server};transport={transport}";regint=60;answermode=auto'
    )
    async with running(folder, tone, account) as phone:
        yield phone
        phone.process.terminate()
