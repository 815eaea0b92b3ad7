"""The example client of the documentation works."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from .conftest import ROOM, Served

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "follow_room.py"


async def started(served: Served, token: str) -> asyncio.subprocess.Process:
    order = [sys.executable, str(EXAMPLE), served.uri, token, ROOM]
    return await asyncio.create_subprocess_exec(*order, stdout=PIPE, stderr=PIPE)


async def test_the_example_shows_who_is_there(served: Served) -> None:
    room = served.rooms.start(served.account.id, ROOM)
    served.rooms.join(room)
    client = await started(served, served.token)
    assert client.stdout is not None
    lines = [await client.stdout.readline()]
    second = served.rooms.join(room)
    lines.append(await client.stdout.readline())
    served.rooms.leave(room, second)
    lines.append(await client.stdout.readline())
    client.terminate()
    await client.communicate()
    assert [line[:6] for line in lines] == [b"1 here", b"2 here", b"1 here"]


async def test_the_example_says_why_it_was_refused(served: Served) -> None:
    client = await started(served, "wrong")
    _, errors = await client.communicate()
    assert client.returncode == 1
    assert errors.startswith(b"refused: invalid credentials")
