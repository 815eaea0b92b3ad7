"""`mirliton call` as a program."""

import asyncio
import sys
from pathlib import Path

import pytest
import soundfile

from mirliton.phone.command import read_digits
from mirliton.phone.listening import find_tones

from .callee import somebody

PROGRAM = "import typer; from mirliton.phone.command import call; typer.run(call)"


async def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, output and error text."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.slow
async def test_a_call_is_recorded_and_told_line_by_line(tmp_path: Path) -> None:
    async with somebody() as (callee, address):
        code, out, err = await run(
            f"sip:1@{address}", "--play", "tone:700", "--record", str(tmp_path / "a.wav"), "--digits", "12#@0.5",
            "--seconds", "2",
        )  # fmt: skip
    assert (code, err) == (0, "")
    assert callee.echo.hearer.digits == "12#"
    for words in ("ringing", "answered: PCMU", "ended after 2.0 s by us", "digits    sent 12# (RFC 4733)", "recorded"):
        assert words in out
    heard, rate = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert rate == 8000
    assert len(heard) == pytest.approx(16_000, abs=800)
    assert next(iter(find_tones(heard, rate))) == pytest.approx(700, abs=3)


@pytest.mark.slow
async def test_a_tone_may_be_as_high_as_the_codec_can_carry(tmp_path: Path) -> None:
    record = tmp_path / "a.wav"
    async with somebody() as (_, address):
        code, out, err = await run(
            f"sip:full@{address}", "--codec", "opus", "--play", "tone:10000", "--record", str(record), "--seconds", "2"
        )
    assert (code, err) == (0, "")
    assert "answered: OPUS" in out
    heard, rate = soundfile.read(record, dtype="int16")
    assert rate == 48_000
    assert next(iter(find_tones(heard[rate // 2 :], rate))) == pytest.approx(10_000, abs=5)


@pytest.mark.slow
async def test_a_refused_call_is_exit_code_1_with_a_hint() -> None:
    async with somebody() as (_, address):
        code, out, _ = await run(f"sip:busy@{address}", "--seconds", "1")
    assert code == 1
    assert "486" in out
    assert "what to do" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("sip:1@127.0.0.1", "--digits", "12x"),
        ("sip:1@127.0.0.1", "--play", "nowhere.wav"),
        ("sip:1@127.0.0.1", "--codec", "speex"),
        ("sip:1@127.0.0.1", "--codec", "OPUS,PCMU", "--play", "tone:10000"),
        ("sip:1@127.0.0.1", "--transport", "tls"),
        ("sip:1@127.0.0.1", "--ptime", "25"),
        ("not a uri",),
    ],
)
async def test_what_cannot_work_is_said_before_anything_rings(arguments: tuple[str, ...]) -> None:
    code, out, err = await run(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("cannot call: ")


async def test_what_is_no_address_is_answered_with_what_one_looks_like() -> None:
    _, _, err = await run("3000")
    assert "write sip:USER@HOST[:PORT]" in err


def test_digits_have_times() -> None:
    assert read_digits(["2468#@3", "1", "a@0.5"]) == [("2468#", 3.0), ("1", 1.0), ("A", 0.5)]


@pytest.mark.parametrize("text", ["", "@3", "12@soon", "hello"])
def test_digits_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--digits"):
        read_digits([text])
