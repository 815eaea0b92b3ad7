"""`mirliton phone` as a program."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import soundfile

from mirliton.phone.listening import find_tones
from mirliton.phone.phone import CallFailed, Phone

from .callee import PASSWORD, USER, somebody

pytestmark = pytest.mark.slow

PROGRAM = "import typer; from mirliton.phone.answering_command import phone; typer.run(phone)"


class Running:
    """The program, and its lines as they come."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def line(self, words: str) -> str:
        """The next line that has these words."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            while text := (await self.process.stdout.readline()).decode().rstrip():
                self.lines.append(text)
                if words in text:
                    return text
        raise AssertionError(f"{words!r} did not come: {self.lines}")

    async def ended(self) -> tuple[int, str]:
        """Exit code and error text; the rest of the output is in `lines`."""
        out, err = await asyncio.wait_for(self.process.communicate(), 30)
        self.lines += out.decode().splitlines()
        assert self.process.returncode is not None
        return self.process.returncode, err.decode()


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_it_waits_answers_plays_records_and_ends(tmp_path: Path) -> None:
    async with program(
        "--bind", "127.0.0.1:0", "--play", "tone:500", "--record", str(tmp_path / "a.wav"), "--seconds", "1",
        "--calls", "2",
    ) as running:  # fmt: skip
        uri = (await running.line("waiting for calls at ")).rpartition(" ")[2]
        async with Phone() as phone:
            for frequency in (700, 900):
                call = await phone.call(uri)
                call.say(f"tone:{frequency}")
                await asyncio.wait_for(call.ended.wait(), 10)
                assert next(iter(find_tones(call.report.heard, call.rate))) == pytest.approx(500, abs=5)
        assert await running.ended() == (0, "")
    for words in ("ringing: ", "answered: PCMU", "ended after 1.0 s by us", "recorded"):
        assert any(words in line for line in running.lines), running.lines
    for name, frequency in (("a.wav", 700), ("a-2.wav", 900)):
        heard, rate = soundfile.read(tmp_path / name, dtype="int16")
        assert next(iter(find_tones(heard, rate))) == pytest.approx(frequency, abs=5)


async def test_it_registers_is_called_and_leaves_at_an_interrupt() -> None:
    async with somebody(trusted="10.0.0.0/8") as (callee, address):
        async with program("--register", f"sip:{USER}@{address}", "--password", PASSWORD) as running:
            await running.line("registered as ")
            assert len(callee.bindings()) == 1
            running.process.send_signal(signal.SIGINT)
            assert await running.ended() == (0, "")
        assert callee.bindings() == []


async def test_an_interrupt_in_a_call_hangs_up() -> None:
    async with program("--bind", "127.0.0.1:0") as running, Phone() as phone:
        call = await phone.call((await running.line("waiting for calls at ")).rpartition(" ")[2])
        running.process.send_signal(signal.SIGINT)
        await asyncio.wait_for(call.ended.wait(), 10)
        assert await running.ended() == (0, "")
    assert not call.report.ended_by_us
    assert any("ended after" in line for line in running.lines)


async def test_it_can_be_busy() -> None:
    async with program("--refuse", "--calls", "1") as running, Phone() as phone:
        uri = (await running.line("waiting for calls at ")).rpartition(" ")[2]
        with pytest.raises(CallFailed) as failure:
            await phone.call(uri)
        assert failure.value.report.code == 486
        assert await running.ended() == (0, "")


async def test_a_wrong_password_is_exit_code_1_with_a_hint() -> None:
    async with (
        somebody() as (_, address),
        program("--register", f"sip:{USER}@{address}", "--password", "wrong") as running,
    ):
        code, error = await running.ended()
    assert code == 1
    assert "not registered: 401" in error
    assert "what to do: the user name in --register and --password" in error


async def test_an_address_that_somebody_has_is_named_with_the_way_out() -> None:
    async with somebody() as (_, address), program("--bind", address) as running:
        code, error = await running.ended()
    assert code == 1
    assert f"SIP on {address}: " in error
    assert "choose another --bind" in error


@pytest.mark.parametrize(
    "arguments",
    [
        ("--register", "sip:127.0.0.1"),
        ("--register", "desk"),
        ("--play", "nowhere.wav"),
        ("--codec", "speex"),
        ("--transport", "tls"),
        ("--bind", "192.0.2.1:0"),
    ],
)
async def test_what_cannot_work_is_said_at_once(arguments: tuple[str, ...]) -> None:
    async with program(*arguments) as running:
        code, error = await running.ended()
    assert (code, running.lines) == (1, [])
    assert error.startswith("cannot wait for calls: ")
