"""Many long sounds of one account do not keep others waiting for theirs."""

import asyncio
import threading
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile

from mirliton.media.types import MediaEngine
from mirliton.sounds.decoding import decode_file
from mirliton.sounds.library import SoundLibrary, SoundLimits, SoundsBusy
from mirliton.sounds.shared_work import TooMuchWork, Turns

from .test_sounds import Clips, nothing

GREEDY, MODEST = "greedy", "modest"


async def test_an_account_waits_for_its_own_work_only() -> None:
    turns, running, let_go = Turns(2, 4), set[str](), asyncio.Event()

    async def work(name: str, account: str) -> None:
        async with turns.one(account):
            running.add(name)
            await let_go.wait()

    tasks = [asyncio.create_task(work(f"long {number}", GREEDY)) for number in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(TooMuchWork):
        await work("one too many", GREEDY)
    tasks.append(asyncio.create_task(work("short", MODEST)))
    await asyncio.sleep(0)
    assert running == {"long 0", "long 1", "short"}
    tasks[3].cancel()
    let_go.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert running == {"long 0", "long 1", "long 2", "short"}
    assert not turns._gates


async def test_long_sounds_of_one_account_are_decoded_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        soundfile.write(tmp_path / f"{number}.wav", np.zeros(80, np.int16), 8000)
    let_go = threading.Event()

    def decode(path: Path, *args: object, **named: object) -> object:
        if path.is_relative_to(tmp_path):
            assert let_go.wait(20)
        return decode_file(path, *args, **named)  # type: ignore[arg-type]

    async def media_file(_account_id: str, media_id: str) -> Path:
        return tmp_path / f"{int(media_id, 16)}.wav"

    monkeypatch.setattr("mirliton.sounds.library.decode_file", decode)
    limits = SoundLimits(decoding_of_account=4, decoding_of_account_at_a_time=1)
    library = SoundLibrary(cast(MediaEngine, Clips()), account_prompt=nothing, media_file=media_file, limits=limits)
    asked = [asyncio.create_task(library.resolve(GREEDY, f"{number:032x}", "en-us")) for number in range(4)]
    for _ in range(20):  # each takes its place before any is decoded
        await asyncio.sleep(0)
    with pytest.raises(SoundsBusy):
        await library.resolve(GREEDY, f"{4:032x}", "en-us")
    assert await library.resolve(MODEST, "tone_stream://%(20,0,440)", "en-us") is not None
    assert await library.resolve(GREEDY, "conf-alone", "en-us") is not None  # it ships with us
    assert not any(task.done() for task in asked)
    let_go.set()
    await asyncio.gather(*asked)
    await library.close()
