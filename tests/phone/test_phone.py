"""Whole calls of the phone over real sockets, to somebody who echoes."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirliton.phone import phone as phone_module
from mirliton.phone.listening import find_tones, gaps
from mirliton.phone.phone import CallFailed, Phone, PhoneSettings
from mirliton.phone.placing import place_call
from mirliton.phone.playing import tone

from .callee import PASSWORD, USER, somebody

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("codec", "number", "rate"), [("PCMU", "1", 8000), ("PCMA", "1", 8000), ("G722", "wide", 16000)]
)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_plays_presses_hears_and_reports(codec: str, number: str, rate: int, transport: str) -> None:
    lines: list[str] = []
    async with somebody() as (callee, address):
        report = await place_call(
            f"sip:{number}@{address}",
            settings=PhoneSettings(codecs=(codec,), transport=transport),
            play="tone:440",
            digits=[("24", 0.3)],
            seconds=1.5,
            tell=lines.append,
        )
        await asyncio.wait_for(callee.ended.wait(), 5)
    assert (report.exit_code, report.codec, report.rate, report.ended_by_us) == (0, codec, rate, True)
    assert report.digits_sent == report.digits_heard == callee.echo.hearer.digits == "24"
    assert report.ringing_after is not None
    assert report.packets_sent >= 50
    assert report.received.packets >= report.packets_sent * 0.8
    assert report.received.lost == 0
    assert next(iter(find_tones(report.heard, rate))) == pytest.approx(440, abs=3)
    assert [line.partition(":")[0] for line in lines] == ["calling sip", "ringing", "answered"]
    assert any("packets of 20 ms" in line for line in report.lines())


async def test_digits_as_sound_are_heard_as_sound() -> None:
    async with somebody() as (callee, address):
        report = await place_call(
            f"sip:1@{address}",
            settings=PhoneSettings(events=False),
            digits=[("5", 0.2)],
            hang_up_after_digits=True,
        )
    assert callee.echo.hearer.digits == ""
    assert report.digits_sent == "5"
    loud = np.flatnonzero(np.abs(report.heard) > 500)
    digit = report.heard[loud[0] : loud[-1]]
    assert len(digit) == pytest.approx(960, abs=40)
    assert sorted(find_tones(digit, 8000, above=-30)) == pytest.approx([770, 1336], abs=8)


async def test_a_file_ends_the_call_a_second_after_it(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(600, 8000).samples[:4000], 8000)
    async with somebody() as (_, address):
        report = await place_call(f"sip:1@{address}", play=tmp_path / "a.wav")
    assert report.seconds == pytest.approx(1.5, abs=0.5)
    silence = gaps(report.heard, 8000, shortest=0.3)
    assert silence[-1][1] - silence[-1][0] > 0.6


async def test_the_other_side_can_hang_up() -> None:
    async with somebody() as (_, address):
        report = await place_call(f"sip:leave@{address}", seconds=30)
    assert not report.ended_by_us
    assert report.exit_code == 0
    assert report.seconds < 10


@pytest.mark.parametrize(("number", "code", "hint"), [("busy", 486, "busy"), ("wide", 488, "--codec PCMU")])
async def test_a_refused_call_says_why_and_what_to_do(number: str, code: int, hint: str) -> None:
    async with somebody() as (_, address):
        report = await place_call(f"sip:{number}@{address}", seconds=1)
    assert (report.code, report.exit_code, report.answered) == (code, 1, False)
    assert hint in " ".join(report.lines())


async def test_nobody_there_is_told_at_once_over_tcp_and_with_a_hint_over_udp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone_module, "PATIENCE", 0.1)
    async with somebody() as (_, address):
        pass
    report = await place_call(f"sip:1@{address}", settings=PhoneSettings(transport="tcp"), seconds=1)
    assert report.exit_code == 1
    assert report.code in (408, 503)
    hint = asyncio.Event()
    report = await place_call(
        f"sip:1@{address}", stop=hint, tell=lambda line: hint.set() if "no reply" in line else None
    )
    assert report.code == 487


async def test_a_password_opens_the_door_and_a_wrong_one_does_not() -> None:
    async with somebody(trusted="10.0.0.0/8") as (_, address):

        async def code(user: str | None, password: str | None) -> int:
            settings = PhoneSettings(user=user, password=password)
            return (await place_call(f"sip:1@{address}", settings=settings, seconds=0.1)).code

        assert await code(USER, PASSWORD) == 200
        assert await code(USER, "wrong") in (401, 403)
        assert await code(None, None) == 401


async def test_giving_up_before_the_answer_cancels_the_call() -> None:
    stop = asyncio.Event()
    async with somebody() as (callee, address):
        calling = asyncio.create_task(
            place_call(f"sip:never@{address}", stop=stop, tell=lambda line: stop.set() if line == "ringing" else None)
        )
        report = await asyncio.wait_for(calling, 5)
        await asyncio.wait_for(callee.ended.wait(), 5)
    assert (report.code, report.exit_code) == (487, 1)


async def test_an_answer_that_never_comes_is_408() -> None:
    async with somebody() as (_, address), Phone() as phone:
        with pytest.raises(CallFailed) as failure:
            await phone.call(f"sip:never@{address}", answer_within=0.2)
    assert failure.value.report.code == 408


async def test_one_phone_makes_several_calls_at_once_and_each_hears_its_own() -> None:
    async with somebody() as (_, first), somebody() as (_, second), Phone() as phone:
        one, two = await asyncio.gather(phone.call(f"sip:1@{first}"), phone.call(f"sip:1@{second}"))
        one.say("tone:500")
        two.say(np.tile(tone(900, 8000).samples, 2))
        async with asyncio.timeout(10):
            await two.said()
        heard = [next(iter(find_tones(call.heard(0.5, 1.5), 8000))) for call in (one, two)]
        await one.hang_up()
    assert heard == pytest.approx([500, 900], abs=3)
    assert two.report.reason == "hung up"


@pytest.mark.parametrize("uri", ["hello", "sip:", "http://x"])
async def test_a_uri_that_is_none_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=uri):
        await place_call(uri)
