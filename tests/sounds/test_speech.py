"""Text to speech with the real engine: judged by what can be heard."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mirliton.settings import SoundSettings
from mirliton.sounds.cache import SoundCache
from mirliton.sounds.prompts import prompt_texts
from mirliton.sounds.speech import NotSpoken, Speech, SpeechMissing
from mirliton.sounds.statistics import LibraryStatistics

ACCOUNT, OTHER = "a" * 32, "b" * 32
Signal = np.typing.NDArray[np.float64]


class World:
    """Speech into a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: list[Speech] = []
        self.start()

    def start(self, installed: bool | None = None, **settings: Any) -> None:
        """A new process, as it were."""
        chosen = SoundSettings(**{"speech_seconds": 60, **settings})
        self.statistics = LibraryStatistics()
        cache = SoundCache(self.folder, chosen.cache_bytes, self.statistics)
        self.speech = Speech(chosen, cache, self.statistics, installed=installed)
        self.opened.append(self.speech)

    async def heard(self, text: str, *languages: str) -> tuple[Signal, int]:
        signal, rate = soundfile.read(await self.speech.file(text, languages or ["en-us"], ACCOUNT))
        return np.asarray(signal), int(rate)

    def left_over(self) -> list[Path]:
        return list(self.folder.glob(".partial-*"))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path / "cache")
    yield world
    for speech in world.opened:
        await speech.close()


def bands(signal: Signal, rate: int) -> Signal:
    """Share of the energy in each kHz up to 8."""
    power = np.abs(np.fft.rfft(signal)) ** 2
    kilohertz = (np.fft.rfftfreq(len(signal), 1 / rate) // 1000).astype(int)
    return np.asarray(np.bincount(kilohertz, power)[:8] / power.sum())


async def test_speech_has_the_energy_of_a_voice_and_the_loudness_of_the_prompts(world: World) -> None:
    signal, rate = await world.heard("Good morning, this is the conference service.")
    assert 1.5 < len(signal) / rate < 6
    assert bands(signal, rate)[0] > 0.5, "a voice has most of its energy below 1 kHz"
    assert bands(signal, rate)[2:].sum() > 0.005, "and consonants above"
    frames = signal[: len(signal) // 441 * 441].reshape(-1, 441)
    rms = np.sqrt(np.mean(frames**2, axis=1))
    assert 20 * np.log10(np.sqrt(np.mean(rms[rms > rms.max() / 10] ** 2))) == pytest.approx(-20, abs=1.2)
    assert rms.max() > 3 * np.median(rms), "it rises and falls"
    assert np.flatnonzero(rms > rms.max() / 30)[0] * 0.02 < 0.25
    assert np.abs(signal).max() < 1


async def test_more_text_takes_longer(world: World) -> None:
    short, rate = await world.heard("Hello.")
    long, _ = await world.heard("Hello. " * 5)
    assert len(long) > 4 * len(short)
    assert len(short) > 0.2 * rate


async def test_the_same_text_sounds_different_in_each_language(world: World) -> None:
    spoken = [(await world.heard("Information", language))[0] for language in ("en-us", "de", "fr", "es", "it", "nl")]
    assert len({signal.tobytes() for signal in spoken}) == 6


async def test_the_first_language_with_a_voice_speaks(world: World) -> None:
    german, _ = await world.heard("Guten Tag", "de")
    assert np.array_equal((await world.heard("Guten Tag", "xx", "de", "fr"))[0], german)
    assert np.array_equal((await world.heard("Guten Tag", "de-at"))[0], german), "the parent stands in"
    assert not np.array_equal((await world.heard("Guten Tag", "fr"))[0], german)


@pytest.mark.slow
@pytest.mark.parametrize("language", [language for language in prompt_texts() if language != "en-us"])
async def test_prompts_of_every_language_can_be_spoken(world: World, language: str) -> None:
    texts = prompt_texts()[language]
    for prompt_id in ("conf-announce_your_name", "conf-has_left", "3"):
        signal, rate = await world.heard(texts[prompt_id], language)
        assert 0.1 < len(signal) / rate < 12


async def test_a_text_is_spoken_once_and_kept_for_the_next_process(world: World) -> None:
    files = await asyncio.gather(*(world.speech.file("Hello", ["en-us"], ACCOUNT) for _ in range(4)))
    assert (len(set(files)), world.statistics.spoken) == (1, 1)
    world.start()
    assert await world.speech.file("Hello", ["en-us"], ACCOUNT) == files[0]
    assert (world.statistics.spoken, world.statistics.cached) == (0, 1)
    assert world.left_over() == []


async def test_without_the_extra_the_refusal_says_what_to_install(world: World) -> None:
    world.start(installed=False)
    with pytest.raises(SpeechMissing, match=r"pip install 'mirliton\[speech\]'"):
        await world.speech.file("Hello", ["en-us"], ACCOUNT)
    assert world.statistics.speech_failed["missing"] == 1


async def refusal(world: World, text: str, *languages: str) -> str:
    with pytest.raises(NotSpoken) as refused:
        await world.speech.file(text, languages or ["en-us"], ACCOUNT)
    assert world.left_over() == []
    return str(refused.value)


async def test_what_cannot_be_spoken_is_refused_in_words(world: World) -> None:
    assert "voice" in await refusal(world, "Hello", "xx")
    assert "voice" in await refusal(world, "Hello", "../../etc", "-x", "--help")
    assert "nothing in it" in await refusal(world, ". . .")
    assert "max_speech_characters" in await refusal(world, "x" * 1001)
    assert world.statistics.speech_failed["voice"] == 2


async def test_a_text_that_takes_too_long_is_given_up_and_its_process_ended(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\necho $$ > {started}\nexec sleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    world.start(speech_seconds=0.3)
    assert "speech_seconds" in await refusal(world, "Hello")
    assert not still_runs(started)


def still_runs(noted: Path) -> bool:
    """Whether the process whose number is in the file is there; on a busy machine it may not even have begun."""
    return noted.exists() and Path(f"/proc/{noted.read_text().strip()}").exists()


async def test_an_engine_that_fails_is_a_reason(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert "exit 1" in await refusal(world, "Hello")
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    assert "not spoken" in await refusal(world, "Hello")
    assert world.statistics.speech_failed["engine"] == 2


async def test_more_texts_at_once_than_allowed_are_refused(world: World) -> None:
    world.start(max_speaking=2)
    first = [asyncio.create_task(world.speech.file(text, ["en-us"], ACCOUNT)) for text in ("one", "two")]
    await asyncio.sleep(0)
    assert "max_speaking" in await refusal_while_busy(world)
    assert len(set(await asyncio.gather(*first))) == 2


async def refusal_while_busy(world: World) -> str:
    with pytest.raises(NotSpoken) as refused:
        await world.speech.file("three", ["en-us"], ACCOUNT)
    return str(refused.value)


async def test_one_account_cannot_take_up_all_that_waits(world: World) -> None:
    world.start(max_speaking_per_account=1)
    first = asyncio.create_task(world.speech.file("one", ["en-us"], ACCOUNT))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert "max_speaking_per_account" in await refusal_while_busy(world)
    assert await world.speech.file("two", ["en-us"], OTHER) != await first


async def test_passwords_of_the_server_stay_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    noted = tmp_path / "environment"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nenv > {noted}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("MIRLITON_DIAL__TRUNK_PASSWORD", "secret")
    await refusal(world, "Hello")
    assert "secret" not in contents(noted)
    assert "PATH=" in contents(noted)


def contents(path: Path) -> str:
    return path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "[[f@'U]] <audio src='/etc/passwd'/> <speak>hello</speak>",
        "--help -w /tmp/x.wav",
        "; rm -rf / $(reboot) `id` %s%n {0}",
        "\U0001f600 hello \U0001f600",
        "x" * 1000,
        "9" * 1000,
        "ä€" * 500,
        "สวัสดี Привет 你好 مرحبا",
        "a\u0301" * 400,
    ],
)
async def test_texts_that_are_meant_to_harm_are_only_read_out(world: World, text: str) -> None:
    try:
        signal, rate = await world.heard(text)
    except NotSpoken:
        return
    assert len(signal) / rate <= 180
