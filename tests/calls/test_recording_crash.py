"""The whole server is killed in the middle of a recording: the file can be played, and the next start finishes it."""

import asyncio
import io
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import soundfile

from mirliton.phone.listening import tone_levels
from mirliton.phone.phone import Phone, PhoneSettings

from .measuring import AUDIBLE, TONES
from .rest import Rest
from .serving import HOST, Account, Server, _started
from .switchboard import Switchboard
from .test_recording import record, writer_of

TONE = TONES[1]
PATIENCE = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def started(data: Path, log: Path) -> tuple[Server, Account]:
    process, ready = _started(["--data", str(data)], log)
    account = ready["account"]
    key = httpx.Response(200, text=(data / "credentials.json").read_text()).json()["api_key"]
    tenant = Account(account, key, HOST)
    host, _, port = ready["sip"].partition(":")
    return Server(ready["http"], (host, int(port)), tenant, tenant, process, log), tenant


async def talk_until_killed(server: Server, tenant: Account) -> None:
    rest = await asyncio.to_thread(Rest, server.http, tenant.account_id, tenant.api_key)
    async with Switchboard(server, {tenant.account_id: rest}) as board:
        number, name = await board.quiet_room()
        async with Phone(PhoneSettings()) as phone:
            call = await phone.call(f"sip:{number}@{HOST}:{server.sip[1]}")
            call.say(f"tone:{TONE}")
            await board.present(name, 1)
            await record(board, name, "start", tracks=True)
            await asyncio.sleep(5.0)
            for victim in (writer_of(server.process.pid), server.process.pid):
                os.kill(victim, signal.SIGKILL)
    rest.close()


def tones(sound: Any, rate: int) -> set[float]:
    return {tone for tone, level in tone_levels(sound[-rate:], rate, TONES).items() if level > AUDIBLE}


def test_after_kill_9_of_everything_the_files_can_be_played_and_are_finished_at_the_next_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    server, tenant = started(data, tmp_path / "first.log")
    try:
        asyncio.run(talk_until_killed(server, tenant))
    finally:
        end(server.process)
    left = sorted((data / "media" / tenant.account_id).glob(".recording-*"))
    assert len(left) == 2
    for path in left:
        sound, rate = soundfile.read(path, dtype="int16")
        assert len(sound) > 3 * rate
        assert tones(sound, rate) == {TONE}
    server, tenant = started(data, tmp_path / "second.log")
    try:
        asyncio.run(both_are_finished(server, tenant))
    finally:
        end(server.process)


async def both_are_finished(server: Server, tenant: Account) -> None:
    rest = await asyncio.to_thread(Rest, server.http, tenant.account_id, tenant.api_key)
    until = time.monotonic() + PATIENCE
    rows: list[dict[str, Any]] = []
    while sum("content_length" in row for row in rows) < 2:
        assert time.monotonic() < until, rows
        await asyncio.sleep(0.2)
        rows = await rest.call("GET", "/media?paginate=false")
    for row in rows:
        sound, rate = soundfile.read(io.BytesIO(await rest.raw(row["id"])), dtype="int16")
        assert row["duration"] == round(len(sound) / rate, 3)
        assert row["duration"] > 3.0
        assert tones(sound, rate) == {TONE}
    rest.close()


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()
