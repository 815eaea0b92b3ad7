"""baresip, an independent phone: it dials, keys in the PIN, is heard and hears."""

import tempfile
from pathlib import Path

import pytest

from mirliton.phone.listening import tone_levels

from . import baresip
from .measuring import AUDIBLE, TONES, Samples, hears, until
from .serving import free_port
from .switchboard import NO_WELCOME, Switchboard
from .together import Together

pytestmark = pytest.mark.skipif(not baresip.FOUND, reason="needs Debian's baresip-core")

together = Together()

REPORTS_SECONDS = 25
"""Each side reports about every 5 s."""

ANNA, BRUNO, ITS = TONES[0], TONES[3], 440


async def in_the_room(board: Switchboard, codec: str, *, encrypted: bool = False) -> None:
    """It keys in the PIN, hears two others and is heard, does not hear itself, and leaves by key."""
    conference = await board.conference(member={"pins": ["2468"]})
    number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    anna, bruno = await board.dial(number, ANNA), await board.dial(number, BRUNO)
    for call in (anna, bruno):
        call.press("2468#")
    await board.present(conference, 2)
    host, port = board.server.sip
    with tempfile.TemporaryDirectory() as folder:
        async with baresip.running(Path(folder), ITS, free_port(), codec, encrypted=encrypted) as phone:
            await phone.command("dial", f"sip:{number}@{host}:{port}")

            async def asked() -> bool:
                return len(phone.heard()) > 1.0 * phone.rate

            await until(asked, "sound in baresip's file")
            for key in "2468#":
                await phone.command("sndcode", key)
            people = await board.present(conference, 3)
            assert people[-1]["caller_id_number"] == "baresip"
            await hears(anna, BRUNO)  # 440 Hz is not among the phones' tones
            await until(lambda: _heard_in(anna.heard(anna.seconds - 0.7), anna.rate, ITS), "baresip's tone at a phone")
            await until(lambda: _heard_by(phone, ANNA, BRUNO), "the phones' tones at baresip")
            assert not await _heard_by(phone, ITS)
            await phone.command("sndcode", "#")
            await board.present(conference, 2)


@together
async def test_baresip_keys_in_the_pin_is_heard_hears_and_leaves_by_key(board: Switchboard) -> None:
    await in_the_room(board, "PCMU")


@together
async def test_so_does_baresip_with_opus(board: Switchboard) -> None:
    await in_the_room(board, "opus/48000/2")


@together
async def test_so_does_baresip_with_linear_sound(board: Switchboard) -> None:
    await in_the_room(board, "L16/16000/1")


@together
async def test_so_does_baresip_with_encrypted_sound(board: Switchboard) -> None:
    await in_the_room(board, "PCMU", encrypted=True)


@together
async def test_baresip_and_we_tell_each_other_how_well_we_hear(board: Switchboard) -> None:
    await reporting(board, encrypted=False)


@together
async def test_so_we_do_by_encrypted_reports(board: Switchboard) -> None:
    await reporting(board, encrypted=True)


async def reporting(board: Switchboard, *, encrypted: bool) -> None:
    """Reports on ports of their own: baresip's above its RTP port, and ours."""
    conference = await board.conference()
    number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    host, port = board.server.sip
    with tempfile.TemporaryDirectory() as folder:
        async with baresip.running(Path(folder), ITS, free_port(), encrypted=encrypted) as phone:
            await phone.command("dial", f"sip:{number}@{host}:{port}")
            await board.present(conference, 1)

            async def told() -> bool:
                (person,) = await board.present(conference, 1)
                return bool({"round_trip_ms", "sent_loss_percent", "sent_mos"} <= person["quality"].keys())

            await until(told, "baresip's answer to our report", within=REPORTS_SECONDS)
            (person,) = await board.present(conference, 1)
            assert person["quality"]["round_trip_ms"] < 1000
            assert person["quality"]["sent_loss_percent"] < 50


async def _heard_by(phone: baresip.Baresip, *tones: int) -> bool:
    sound = phone.heard()
    return await _heard_in(sound[-phone.rate // 2 :], phone.rate, *tones)


async def _heard_in(sound: Samples, rate: int, *tones: int) -> bool:
    levels = tone_levels(sound, rate, tones)
    return len(sound) > 0.4 * rate and all(level > AUDIBLE for level in levels.values())
