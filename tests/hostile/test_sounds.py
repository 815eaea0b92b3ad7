"""Media addresses, tone scripts and sound files that are meant to harm: each is a sound, or a reason in words."""

import tracemalloc
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile

from mirliton.media.types import MediaEngine
from mirliton.sounds.addresses import SoundNotFound
from mirliton.sounds.decoding import decode_file
from mirliton.sounds.library import SoundLibrary

NINES = "9" * 400
"""More than a float can hold."""

SCRIPTS = [
    f"%({NINES},0,440)", f"%(10,{NINES},440)", f"%(100,0,{NINES})", f"l={NINES};%(10,0,440)", f"l=-{NINES};%(10,0,440)",
    f"L={NINES};%(10,0,440)", f"d={NINES};1", f"w={NINES};1", f">={NINES};+={NINES};%(100,0,440)",
    f">=1;+={NINES};%(100,0,440)", f">=1;+=-{NINES};%(100,0,440)", f"v={NINES};1", f"r={NINES};1",
    "L=1000;" + "v=1;" * 900, "%(1,0,440)" * 400, "%(" * 1000, "%(-100,-100,-440)", "path=/etc/passwd", "",
]  # fmt: skip

ADDRESSES = [
    *(f"tone_stream://{script}" for script in SCRIPTS), "/etc/passwd", "file:///etc/passwd", "../../../etc/passwd",
    "http://127.0.0.1:1/x.wav", "file_string://a!b!file_string://c!d", "file_string://" + "!".join(["conf-alone"] * 33),
    "file_string://silence_stream://-1!x", "file_string://" + "!".join(["silence_stream://600000"] * 32),
    f"file_string://{{loops={NINES}}}conf-alone!conf-alone", f"{{loops=-{NINES}}}silence_stream://100",
    f"{{vol={NINES}}}silence_stream://10", "{" * 4000, "{}" * 2000, f"silence_stream://{NINES}", "silence_stream://0",
    f"silence_stream://1000,{NINES}", "silence_stream://-99999", "conf\0alone", "prompt://x/../../etc/passwd",
    "$${../../etc/passwd}", f"/{'a' * 32}/{'b' * 32}", "a" * 5000, "prompt-\xe9", "{loops=nan}x", f"say:{NINES}",
]  # fmt: skip


class Clips:
    """Of the engine only what the library asks for."""

    def clip(self, key: str, samples: object, owner: str = "") -> str:
        """The key."""
        return key


async def nothing(_account_id: str, *_: str) -> Path | None:
    """The account has no recordings."""
    return None


def library() -> SoundLibrary:
    """Without recordings of an account."""
    return SoundLibrary(cast(MediaEngine, Clips()), account_prompt=nothing, media_file=nothing)


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda address: ascii(address)[:32])
async def test_an_address_is_a_sound_or_a_reason(address: str) -> None:
    try:
        sound = await library().resolve("a" * 32, address, "../../en")
    except SoundNotFound as reason:
        assert str(reason)
    else:
        assert sound is None or -1 <= sound.loops < 2**31


@pytest.mark.parametrize("loops", [NINES, "9" * 22, "-" + NINES])
async def test_loops_fit_a_machine_word(loops: str) -> None:
    sound = await library().resolve("a" * 32, f"{{loops={loops}}}silence_stream://100", "en-us")
    assert sound is not None
    assert -1 <= sound.loops < 2**31


def test_a_small_file_cannot_take_much_memory(tmp_path: Path) -> None:
    """Silence compresses to nothing: this file has 30 kB, and 123 MB as floats."""
    path, seconds = tmp_path / "bomb.flac", 20
    with soundfile.SoundFile(path, "w", 192_000, 8, subtype="PCM_16") as file:
        second = np.zeros((192_000, 8), np.int16)
        for _ in range(seconds):
            file.write(second)
    assert path.stat().st_size < 60_000
    tracemalloc.start()
    try:
        decoded = decode_file(path, (8000, 16000), max_seconds=600, max_bytes=1_000_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [len(decoded[rate]) for rate in (8000, 16000)] == [8000 * seconds, 16000 * seconds]
    assert peak < 12_000_000
