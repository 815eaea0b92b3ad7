"""Resolving: who finds what, in which language, once, and within bounds."""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile

from mirliton.media.types import Clip, MediaEngine
from mirliton.sounds import decoding
from mirliton.sounds import library as library_module
from mirliton.sounds.addresses import SoundNotFound, SoundRefused
from mirliton.sounds.decoding import SoundBroken
from mirliton.sounds.library import SoundLibrary, SoundLimits, SoundsBusy
from mirliton.sounds.prompts import HOLD_MUSIC, shipped_prompts

from .spectrum import strongest

ACCOUNT, OTHER, MEDIA = "a" * 32, "b" * 32, "c" * 32


class ClipMemory:
    """Keeps what the engine would: the samples by key."""

    def __init__(self) -> None:
        self.samples: dict[str, dict[int, np.typing.NDArray[np.int16]]] = {}

    def clip(self, key: str, samples_by_rate: dict[int, Sequence[int]], owner: str = "") -> Clip:
        arrays = {rate: np.asarray(samples) for rate, samples in samples_by_rate.items()}
        self.samples.setdefault(key, arrays)
        return Clip(key, len(arrays[8000]) / 8000, {rate: (0, len(wave)) for rate, wave in arrays.items()})


class World:
    """A library over recordings that a test puts in."""

    def __init__(self, **limits: Any) -> None:
        self.memory = ClipMemory()
        self.recordings: dict[tuple[str, str, str], Path] = {}
        self.files: dict[tuple[str, str], Path] = {}
        self.library = SoundLibrary(
            cast(MediaEngine, self.memory),
            account_prompt=self.account_prompt,
            media_file=self.media_file,
            limits=SoundLimits(**limits),
        )

    async def account_prompt(self, account_id: str, prompt_id: str, language: str) -> Path | None:
        return self.recordings.get((account_id, prompt_id, language))

    async def media_file(self, account_id: str, media_id: str) -> Path | None:
        return self.files.get((account_id, media_id))

    async def pitch(self, address: str, language: str = "en-us") -> float:
        """Hz of the tone behind an address."""
        sound = await self.library.resolve(ACCOUNT, address, language)
        assert sound is not None
        return strongest(self.memory.samples[sound.clip.key][8000], 8000, 1)[0]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def tone(tmp_path: Path) -> Callable[[int], Path]:
    def write(frequency: int) -> Path:
        path = tmp_path / f"{frequency}.wav"
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * frequency * np.arange(8000) / 8000), 8000)
        return path

    return write


async def test_a_shipped_prompt_comes_at_both_rates(world: World) -> None:
    sound = await world.library.resolve(ACCOUNT, "conf-welcome", "en-us")
    assert sound is not None
    assert (sound.loops, sound.gain) == (1, 1.0)
    assert sound.clip.seconds == pytest.approx(
        soundfile.info(shipped_prompts()["en-us"]["conf-welcome"]).duration, 0.01
    )
    rendered = world.memory.samples[sound.clip.key]
    assert len(rendered[16000]) == pytest.approx(2 * len(rendered[8000]), abs=2)


@pytest.mark.parametrize("address", [None, "", "silence", "{vol=1}silence"])
async def test_no_sound_is_none(world: World, address: str | None) -> None:
    assert await world.library.resolve(ACCOUNT, address, "en-us") is None


async def test_loops_and_volume_of_the_address_reach_the_player(world: World) -> None:
    sound = await world.library.resolve(ACCOUNT, "{vol=-1,loops=4}tone_stream://%(100,0,440)", "en-us")
    assert sound is not None
    assert (sound.loops, sound.gain, sound.clip.seconds) == (4, 0.8, 0.1)


async def test_endless_silence_is_a_short_clip_that_loops(world: World) -> None:
    sound = await world.library.resolve(ACCOUNT, "silence_stream://-1,10", "en-us")
    assert sound is not None
    assert sound.loops == -1
    noise = world.memory.samples[sound.clip.key]
    assert (int(noise[8000].max()), int(noise[16000].max())) == (3276, 1638)


async def test_prompts_fall_back_from_own_recordings_over_languages_to_the_default(
    world: World, tone: Callable[[int], Path]
) -> None:
    async def heard() -> float:
        return await world.pitch("conf-welcome", "fr-fr_en-us")

    world.recordings[ACCOUNT, "conf-welcome", "en-us"] = tone(400)
    assert await heard() == pytest.approx(400, abs=3)
    for language, frequency in (("fr", 500), ("fr-fr", 600), ("fr-fr_en-us", 700)):
        world.recordings[ACCOUNT, "conf-welcome", language] = tone(frequency)
        assert await heard() == pytest.approx(frequency, abs=3)


async def test_the_system_s_prompt_can_be_asked_for_by_name(world: World, tone: Callable[[int], Path]) -> None:
    world.recordings[ACCOUNT, "conf-muted", "en-us"] = tone(400)
    sound = await world.library.resolve(ACCOUNT, "prompt://system_media/conf-muted/en-us", "fr")
    assert sound is not None
    assert sound.clip.key.startswith(f"file:{shipped_prompts()['en-us']['conf-muted']}")
    own = await world.library.resolve(ACCOUNT, f"prompt://{ACCOUNT}/conf-muted/en-us", "fr")
    assert own is not None
    assert own.clip.key != sound.clip.key


async def test_media_of_the_account_and_hold_music_are_found(world: World, tone: Callable[[int], Path]) -> None:
    world.files[ACCOUNT, MEDIA] = tone(900)
    assert await world.pitch(MEDIA) == pytest.approx(900, abs=3)
    assert await world.pitch(f"/{ACCOUNT}/{MEDIA}") == pytest.approx(900, abs=3)
    music = await world.library.resolve(ACCOUNT, "$${hold_music}", "en-us")
    assert music is not None
    assert music.clip.seconds == pytest.approx(soundfile.info(HOLD_MUSIC).duration, 0.01)


async def test_parts_follow_each_other_with_their_own_volume(world: World, tone: Callable[[int], Path]) -> None:
    world.files[ACCOUNT, MEDIA] = tone(900)
    sound = await world.library.resolve(
        ACCOUNT, f"file_string://tone_stream://%(500,0,440)!silence!{{vol=-2,loops=2}}{MEDIA}", "en-us"
    )
    assert sound is not None
    assert sound.clip.seconds == pytest.approx(2.5)
    samples = world.memory.samples[sound.clip.key][8000]
    assert strongest(samples[:4000], 8000, 1)[0] == pytest.approx(440, abs=3)
    assert np.abs(samples[4000:]).max() == pytest.approx(0.3 * 32768 * 0.6, rel=0.01)


@pytest.mark.parametrize(
    ("address", "refusal", "advice"),
    [
        ("no-such-prompt", SoundNotFound, "check the id"),
        (MEDIA, SoundNotFound, "upload"),
        (f"/{OTHER}/{MEDIA}", SoundRefused, "another account"),
        (f"prompt://{OTHER}/conf-welcome/en-us", SoundRefused, "another account"),
        ("$${nothing}", SoundNotFound, "hold_music, moh"),
        ("local_stream://nothing", SoundNotFound, r"sounds\.streams"),
        ("https://example.com/x.wav", SoundRefused, "no folder"),
        ("tts://hello", SoundRefused, "no folder"),
        ("tone_stream://nothing", SoundNotFound, "holds no tone"),
        ("silence_stream://99999999", SoundNotFound, "never ends"),
        ("file_string://silence!silence", SoundNotFound, "no sound"),
        ("file_string://{loops=999}silence_stream://500000!1", SoundNotFound, "leave parts out"),
    ],
)
async def test_what_cannot_be_played_says_why(
    world: World, address: str, refusal: type[SoundNotFound], advice: str
) -> None:
    with pytest.raises(refusal, match=advice):
        await world.library.resolve(ACCOUNT, address, "en-us")
    assert world.library.statistics.failed == 1


async def test_a_damaged_upload_is_refused_and_its_replacement_plays(world: World, tone: Callable[[int], Path]) -> None:
    path = world.files[ACCOUNT, MEDIA] = tone(500)
    whole = path.read_bytes()
    path.write_bytes(b"not sound")
    with pytest.raises(SoundBroken):
        await world.library.resolve(ACCOUNT, MEDIA, "en-us")
    path.write_bytes(whole)
    assert await world.pitch(MEDIA) == pytest.approx(500, abs=3)


async def test_a_file_changed_in_place_is_a_new_sound(world: World, tone: Callable[[int], Path]) -> None:
    path = world.files[ACCOUNT, MEDIA] = tone(500)
    assert await world.pitch(MEDIA) == pytest.approx(500, abs=3)
    path.write_bytes(tone(700).read_bytes())
    os.utime(path, ns=(1, 1))  # the clock of a file system may be too coarse to see the change
    assert await world.pitch(MEDIA) == pytest.approx(700, abs=3)


class SlowDecoding:
    """Holds every decoding until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go, self.started = threading.Event(), threading.Event()
        self.calls = 0
        decode = decoding.decode_file

        def held(*arguments: Any, **how: Any) -> Any:
            self.calls += 1
            self.started.set()
            assert self.go.wait(10)
            return decode(*arguments, **how)

        monkeypatch.setattr(library_module, "decode_file", held)


async def test_two_who_ask_for_the_same_sound_decode_it_once_even_if_one_hangs_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowDecoding(monkeypatch)
    first, second = (asyncio.create_task(world.library.resolve(ACCOUNT, "conf-alone", "en-us")) for _ in range(2))
    assert await asyncio.to_thread(slow.started.wait, 10)
    first.cancel()
    slow.go.set()
    assert await second is not None
    assert slow.calls == world.library.statistics.decoded == 1
    assert await world.library.resolve(ACCOUNT, "conf-alone", "en-us") is not None
    assert slow.calls == 1


async def test_more_decodings_at_once_than_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world, slow = World(decoding=1), SlowDecoding(monkeypatch)
    first = asyncio.create_task(world.library.resolve(ACCOUNT, "conf-alone", "en-us"))
    assert await asyncio.to_thread(slow.started.wait, 10)
    with pytest.raises(SoundsBusy, match="try again"):
        await world.library.resolve(ACCOUNT, "conf-muted", "en-us")
    slow.go.set()
    assert await first is not None


async def test_what_is_kept_is_bounded_and_the_oldest_goes_first() -> None:
    size = 3 * 8000 * 2  # one second at both rates, in bytes
    world = World(kept_bytes=2 * size)
    for frequency in (300, 400, 500):
        await world.library.resolve(ACCOUNT, f"tone_stream://%(1000,0,{frequency})", "en-us")
    assert world.library.statistics.kept_bytes == 2 * size
    await world.library.resolve(ACCOUNT, "tone_stream://%(1000,0,500)", "en-us")
    assert world.library.statistics.decoded == 3
    await world.library.resolve(ACCOUNT, "tone_stream://%(1000,0,300)", "en-us")
    assert world.library.statistics.decoded == 4
