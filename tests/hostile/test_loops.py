"""Rooms that call themselves or each other: they neither feed on their own sound nor stay for ever."""

from dataclasses import replace
from typing import Any

import httpx

from mirliton.conference.effects import Destroy, HangUp
from mirliton.conference.room import TRUNKS_ALONE_SECONDS
from tests.calls.serving import Server
from tests.conference.driving import MEMBER, Driver

TRUNK = replace(MEMBER, bridge=True)


def test_a_room_cannot_be_linked_to_itself(server: Server, rest: httpx.Client) -> None:
    secret = {"bridge_username": "loop-1", "bridge_password": "a password that is long"}
    document = {"name": "loop", "member": {"join_muted": False}} | secret
    room = rest.put("/conferences", json={"data": document}).json()["data"]["id"]

    def dial(from_room: str, to_room: str) -> dict[str, Any]:
        route = f"sip:{to_room}@127.0.0.1:{server.sip[1]}"
        sip = {"route": route, "username": secret["bridge_username"], "password": secret["bridge_password"]}
        asked = {"endpoints": [{"sip": sip, "bridge": True}], "timeout": 5}
        answer = rest.put(f"/conferences/{from_room}", json={"data": {"action": "dial", "data": asked}})
        found: dict[str, Any] = answer.json()["data"]["endpoint_responses"][0]
        return found

    looped = dial(room, room)
    assert (looped["status"], looped["message"][:12]) == ("error", "refused: 482")
    assert rest.get(f"/conferences/{room}/participants").json()["data"] == []

    other = rest.put("/conferences", json={"data": {"name": "other"}}).json()["data"]["id"]
    assert dial(other, room)["status"] == "success"
    rest.put(f"/conferences/{other}/participants", json={"data": {"action": "kick"}})


def test_a_room_of_trunks_alone_ends() -> None:
    driver = Driver()
    caller = driver.join()
    trunks = [driver.join(TRUNK), driver.join(replace(TRUNK, ghost=True))]
    driver.leave(caller)
    assert driver.room.next_deadline == driver.now + TRUNKS_ALONE_SECONDS
    driver.now += TRUNKS_ALONE_SECONDS - 1
    driver.room.tick(driver.now)
    assert not driver.room.ended
    driver.now += 1
    driver.room.tick(driver.now)
    effects = driver.take()
    assert [effect.member_id for effect in effects if isinstance(effect, HangUp)] == trunks
    assert effects[-1] == Destroy()


def test_a_caller_who_comes_keeps_a_linked_room() -> None:
    driver = Driver()
    driver.join(TRUNK)
    driver.now += TRUNKS_ALONE_SECONDS - 1
    caller = driver.join()
    driver.now += 2 * TRUNKS_ALONE_SECONDS
    driver.room.tick(driver.now)
    assert not driver.room.ended
    driver.leave(caller)
    driver.now += TRUNKS_ALONE_SECONDS
    driver.room.tick(driver.now)
    assert driver.room.ended
