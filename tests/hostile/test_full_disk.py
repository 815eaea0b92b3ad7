"""A disk that takes nothing more ends recordings, and nothing else: calls, rooms and names that are being said go on."""

import asyncio
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from mirliton.phone.phone import Phone, PhoneSettings
from tests.calls.serving import Server
from tests.calls.switchboard import NO_WELCOME, QUIET

from .witness import Witness

PATIENCE = 20.0


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """No file of the server can grow, its log neither."""
    process = server.process.pid
    soft, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_ends_only_the_recording(server: Server, rest: httpx.Client, witness: Witness) -> None:
    named = {"name": "named", "play_name": True, "profile": QUIET, "member": {"join_muted": False}}
    room = rest.put("/conferences", json={"data": named}).json()["data"]["id"]
    flow = {"module": "conference", "data": {"id": room, "welcome_prompt": NO_WELCOME}, "children": {}}
    rest.put("/callflows", json={"data": {"numbers": ["5550177"], "flow": flow}})
    recording = {"data": {"action": "record", "data": {"action": "start"}}}
    answer = rest.put(f"/conferences/{witness.conference_id}", json=recording)
    assert answer.is_success, answer.text
    before = server.metrics()
    with full_disk(server):
        asyncio.run(come_in(server, rest, room))
        witness.undisturbed()
        answer = rest.put("/conferences", json={"data": {"name": "too much"}})
        print(answer.status_code, answer.text)
        assert rest.get(f"/conferences/{room}").is_success
    wait_until(lambda: server.metrics()["mirliton_recordings_running"] == 0)
    after = server.metrics()
    for n in after:
        if after[n] != before.get(n) and ("fail" in n or "record" in n or "name" in n or "fault" in n or 'refus' in n): print(n, before.get(n), after[n])
    print(server.log.read_text()[-6000:])
    assert rest.put("/conferences", json={"data": {"name": "room again"}}).status_code == 201


async def come_in(server: Server, rest: httpx.Client, room: str) -> None:
    """Say a name that cannot be kept, and be in the room all the same."""
    async with Phone(PhoneSettings()) as phone:
        call = await phone.call(f"sip:5550177@127.0.0.1:{server.sip[1]}")
        call.say("tone:600")
        await asyncio.sleep(3)
        call.press("#")
        end = time.monotonic() + PATIENCE
        while not (await asyncio.to_thread(rest.get, f"/conferences/{room}/participants")).json()["data"]:
            assert time.monotonic() < end and not call.ended.is_set(), call.report
            await asyncio.sleep(0.2)
        await call.hang_up()


def wait_until(true) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)
