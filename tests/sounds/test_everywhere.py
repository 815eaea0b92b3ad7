"""The whole library with web servers, speech and streams: every kind of address ends as sound in the engine."""

from collections.abc import AsyncIterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
from structlog.testing import capture_logs

from mirliton.media.types import MediaEngine
from mirliton.server.telemetry import flat
from mirliton.settings import SoundSettings
from mirliton.sounds import finding
from mirliton.sounds.addresses import SoundNotFound
from mirliton.sounds.decoding import SoundBroken
from mirliton.sounds.library import Sound, SoundLibrary, SoundLimits
from mirliton.sounds.prompts import HOLD_MUSIC, shipped_prompts

from .spectrum import strongest
from .test_library import ACCOUNT, ClipMemory
from .web_server import WebServer, answer, wav


class World:
    """A library that may do everything, on this machine."""

    def __init__(self, folder: Path, server: WebServer) -> None:
        self.folder = folder
        self.server = server
        self.recordings: dict[tuple[str, str], Path] = {}
        self.opened: list[SoundLibrary] = []
        self.start()

    def start(self, default_language: str = "en-us", seconds: float = 600, **settings: Any) -> None:
        self.memory = ClipMemory()
        self.library = SoundLibrary(
            cast(MediaEngine, self.memory),
            account_prompt=self.account_prompt,
            media_file=self.media_file,
            limits=SoundLimits(seconds=seconds),
            settings=SoundSettings(
                **{"fetch_networks": [IPv4Network("127.0.0.0/8")], "speech_seconds": 60, **settings}
            ),
            cache=self.folder / "cache",
            default_language=default_language,
        )
        self.opened.append(self.library)

    async def account_prompt(self, _account_id: str, prompt_id: str, language: str) -> Path | None:
        return self.recordings.get((prompt_id, language))

    async def media_file(self, _account_id: str, _media_id: str) -> Path | None:
        return None

    async def sound(self, address: str, language: str = "en-us") -> Sound:
        sound = await self.library.resolve(ACCOUNT, address, language)
        assert sound is not None
        return sound

    async def heard(self, address: str, language: str = "en-us") -> np.typing.NDArray[np.int16]:
        return self.memory.samples[(await self.sound(address, language)).clip.key][8000]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with WebServer() as server:
        world = World(tmp_path, server)
        yield world
        for library in world.opened:
            await library.close()


@pytest.fixture
def without_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra is not installed."""
    monkeypatch.setattr("mirliton.sounds.speech.find_spec", lambda _name: None)


async def test_a_file_of_a_web_server_plays(world: World) -> None:
    world.server.answers["/a.wav"] = answer(200, wav(700))
    samples = await world.heard(f"{{vol=1}}{world.server.url('/a.wav')}")
    assert strongest(samples, 8000, 1)[0] == pytest.approx(700, abs=5)
    assert world.library.statistics.fetched == 1


async def test_a_web_file_that_is_too_long_is_called_by_its_address(world: World) -> None:
    world.start(seconds=0.2)
    world.server.answers["/a.wav"] = answer(200, wav(700))
    with pytest.raises(SoundBroken, match=r"http://127\.0\.0\.1:\d+/a.wav is longer"):
        await world.sound(world.server.url("/a.wav"))


@pytest.mark.parametrize("form", ["tts://{}", "say:{}"])
async def test_a_text_is_spoken_in_the_language_of_the_room(world: World, form: str) -> None:
    text = form.format("Information")
    english, french = await world.heard(text, "en-us"), await world.heard(text, "fr-fr")
    assert min(len(english), len(french)) > 2000
    assert not np.array_equal(english, french)
    assert np.array_equal(await world.heard(text, "xx"), english), "no voice: the default language speaks"
    assert world.library.statistics.spoken == 3


async def test_parts_of_all_kinds_follow_each_other(world: World) -> None:
    world.server.answers["/a.wav"] = answer(200, wav(700))
    spoken = len(await world.heard("tts://hello"))
    whole = await world.heard(f"file_string://{world.server.url('/a.wav')}!tts://hello!tone_stream://%(100,0,440)")
    assert len(whole) == pytest.approx(4000 + spoken + 800, abs=4)


@pytest.mark.parametrize("name", ["hold_music", "moh", "default"])
async def test_the_usual_names_of_music_lead_to_the_shipped_music_without_an_end(world: World, name: str) -> None:
    sound = await world.sound(f"local_stream://{name}")
    assert sound.loops == -1
    assert sound.clip.seconds == pytest.approx(soundfile.info(HOLD_MUSIC).duration, 0.01)


async def test_streams_of_the_operator_are_found_and_may_replace_the_music(world: World, tmp_path: Path) -> None:
    (tmp_path / "jazz.wav").write_bytes(wav(800))
    world.start(streams={"jazz": tmp_path / "jazz.wav", "moh": tmp_path / "jazz.wav", "lost": tmp_path / "lost.wav"})
    for address in ("local_stream://jazz", "$${jazz}", "local_stream://moh"):
        assert strongest(await world.heard(address), 8000, 1)[0] == pytest.approx(800, abs=5)
    with pytest.raises(SoundNotFound, match=r"jazz, lost, moh; the operator adds others to sounds\.streams"):
        await world.sound("local_stream://rock")
    with pytest.raises(SoundNotFound, match=r"lost\.wav"):
        await world.sound("local_stream://lost")


# languages of prompts


async def test_a_prompt_is_spoken_where_there_is_a_text_and_no_recording(world: World) -> None:
    english, german = await world.heard("conf-muted"), await world.heard("conf-muted", "de-de")
    assert len(german) > 4000
    assert not np.array_equal(english, german)
    assert np.array_equal(german, await world.heard("tts://Ihr Mikrofon ist aus.", "de-de"))
    assert world.library.statistics.language_fallbacks == 0


async def test_a_recording_of_a_parent_language_comes_before_speech(world: World, tmp_path: Path) -> None:
    (tmp_path / "own.wav").write_bytes(wav(900))
    world.recordings["conf-muted", "fr"] = tmp_path / "own.wav"
    world.recordings["conf-muted", "en-us"] = tmp_path / "other.wav"
    assert strongest(await world.heard("conf-muted", "fr-fr_en-us"), 8000, 1)[0] == pytest.approx(900, abs=5)
    assert world.library.statistics.spoken == 0


async def test_a_prompt_of_the_system_leaves_out_the_account_s_recording(world: World, tmp_path: Path) -> None:
    (tmp_path / "own.wav").write_bytes(wav(900))
    world.recordings["conf-muted", "de"] = tmp_path / "own.wav"
    spoken = await world.heard("prompt://system_media/conf-muted/de")
    assert np.array_equal(spoken, await world.heard("tts://Ihr Mikrofon ist aus.", "de"))


async def test_brazil_has_words_of_its_own(world: World) -> None:
    european, brazilian = await world.heard("conf-deaf", "pt"), await world.heard("conf-deaf", "pt-br")
    assert not np.array_equal(european, brazilian)


async def test_a_language_without_texts_falls_back_and_says_so_once(world: World) -> None:
    with capture_logs() as logs:
        for prompt_id in ("conf-muted", "conf-unmuted", "conf-muted"):
            await world.sound(prompt_id, "fi")
        await world.sound("conf-muted", "sv")
    told = [entry["wanted"] for entry in logs if entry["event"] == "prompts are played in another language"]
    assert told == ["fi", "sv"]
    assert world.library.statistics.language_fallbacks == 4


async def test_other_english_is_no_fallback(world: World) -> None:
    sound = await world.sound("conf-muted", "en-gb")
    assert str(shipped_prompts()["en-us"]["conf-muted"]) in sound.clip.key
    assert world.library.statistics.language_fallbacks == 0


@pytest.mark.usefixtures("without_speech")
async def test_without_the_extra_prompts_are_english_and_the_log_says_what_to_install(world: World) -> None:
    world.start()
    with capture_logs() as logs:
        sound = await world.sound("conf-muted", "de")
    assert str(shipped_prompts()["en-us"]["conf-muted"]) in sound.clip.key
    assert "pip install 'mirliton[speech]'" in logs[0]["advice"]
    assert world.library.statistics.language_fallbacks == 1


async def test_the_system_s_language_comes_before_english(world: World) -> None:
    world.start(default_language="de")
    assert np.array_equal(await world.heard("conf-muted", "fi"), await world.heard("conf-muted", "de"))


async def test_an_engine_that_fails_leaves_prompts_in_english(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with capture_logs() as logs:
        sound = await world.sound("conf-muted", "de")
    assert str(shipped_prompts()["en-us"]["conf-muted"]) in sound.clip.key
    assert [entry["event"] for entry in logs] == ["prompt not spoken", "prompts are played in another language"]


async def test_languages_that_tenants_invent_fill_no_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MOST_LANGUAGES_TOLD", 2)
    with capture_logs() as logs:
        for language in ("fi", "sv", "da", "no"):
            await world.sound("conf-muted", language)
    assert len(logs) == 2
    assert world.library.statistics.language_fallbacks == 4


async def test_every_counter_is_a_number_for_the_metrics(world: World) -> None:
    await world.sound("tts://hello")
    with pytest.raises(SoundNotFound):
        await world.sound(world.server.url("/missing.wav"))
    numbers = flat(world.library.statistics)
    assert (numbers["spoken"], numbers["fetch_failed_status"], numbers["failed"]) == (1, 1, 1)
    assert numbers["cache_bytes"] > 0
