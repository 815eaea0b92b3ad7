"""Conferences that call: phones ring, those who answer hear the room, and those who must not be called are not."""

import asyncio
import secrets
from typing import Any

from mirliton.phone.phone import Phone, PhoneSettings

from .measuring import TONES, hears, until
from .rest import Body
from .switchboard import QUIET, Switchboard, new_number
from .together import Together

together = Together()

ANNA, BRUNO = TONES[2], TONES[7]


async def registered(board: Switchboard, phone: Phone, **document: Any) -> str:
    """A new device of the account whose phone is registered; its id."""
    username, password = f"phone-{new_number()}", secrets.token_hex(8)
    sip = {"username": username, "password": password}
    device = await board.rest.create("devices", {"name": username, "sip": sip} | document)
    server = "sip:{}:{}".format(*board.server.sip)
    if phone.settings.transport == "tcp":
        server += ";transport=tcp"
    await phone.register(server, board.account.domain, username, password)
    return device


async def dial(board: Switchboard, room: str, *endpoints: Any, **request: Any) -> list[Body]:
    """What became of the endpoints."""
    data = {"endpoints": list(endpoints), "profile": QUIET, **request}
    answer = await board.rest.call("PUT", f"/conferences/{room}", {"action": "dial", "data": data})
    responses: list[Body] = answer["endpoint_responses"]
    return responses


async def realm_is_set(board: Switchboard) -> None:
    """SIP passwords need one."""
    account = await board.rest.call("GET", "")
    if not account.get("realm"):
        await board.rest.call("PATCH", "", {"realm": board.account.domain})


@together
async def test_a_registered_phone_is_called_and_hears_the_room_and_is_heard(board: Switchboard) -> None:
    await realm_is_set(board)
    for transport in ("udp", "tcp"):
        number, room = await board.quiet_room()
        anna = await board.dial(number, ANNA)
        async with Phone(PhoneSettings(transport=transport)) as phone:
            device = await registered(board, phone)
            asking = asyncio.ensure_future(dial(board, room, device, caller_id_name="Sales", caller_id_number="4711"))
            call = await phone.next_call(ring=0.5)
            call.say(f"tone:{BRUNO}")
            (response,) = await asking
            assert (response["status"], response["endpoint_id"]) == ("success", device), response
            assert (call.session.from_name, call.session.from_number) == ("Sales", "4711")
            await hears(call, ANNA)
            await hears(anna, BRUNO)
            members = await board.present(room, 2)
            assert members[1]["call_id"] == response["call_id"]
            assert members[1]["custom_channel_vars"]["authorizing_id"] == device
        await board.present(room, 1)


@together
async def test_of_a_users_phones_the_first_to_answer_is_in_and_the_other_stops_ringing(board: Switchboard) -> None:
    await realm_is_set(board)
    user = await board.rest.create("users", {"username": f"user-{new_number()}", "password": "a password"})
    room = f"room-{new_number()}"
    async with Phone() as quick, Phone() as slow:
        for phone in (quick, slow):
            await registered(board, phone, owner_id=user)
        asking = asyncio.ensure_future(dial(board, room, user))
        call = await quick.next_call(ring=0.3)
        (response,) = await asking
        assert response["status"] == "success", response

        async def stopped() -> bool:
            return slow.waiting.missed == 1

        await until(stopped, "the other phone stops ringing")
        assert not call.ended.is_set()
        await board.present(room, 1)


@together
async def test_a_refusal_and_an_unregistered_device_are_told_and_a_muted_callee_is_not_heard(
    board: Switchboard,
) -> None:
    number, room = await board.quiet_room()
    anna = await board.dial(number, ANNA)
    idle = await board.rest.create("devices", {"name": "idle"})
    async with Phone() as busy, Phone() as muted:
        addresses = [f"sip:x@{await phone.listen()}" for phone in (busy, muted)]
        asking = asyncio.ensure_future(dial(board, room, *addresses, idle, participant_flags=["mute"]))
        await busy.refuse_call(486)
        call = await muted.next_call()
        call.say(f"tone:{BRUNO}")
        refused, joined, unknown = await asking
        assert (refused["status"], refused["message"]) == ("error", "busy")
        assert (unknown["status"], unknown["message"]) == ("error", "not registered")
        assert joined["status"] == "success", joined
        await hears(call, ANNA)
        members = await board.present(room, 2)
        assert [member["speak"] for member in members] == [True, False]
        await hears(anna)


@together
async def test_nobody_rings_for_a_number_without_a_trunk_or_for_the_server_itself(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    itself = f"sip:{number}@127.0.0.1:{board.server.sip[1]}"
    responses = await dial(board, f"room-{new_number()}", "+4930123456", itself, "sip:x@192.0.2.1")
    assert [response["status"] for response in responses] == ["error"] * 3


@together
async def test_the_devices_of_another_account_are_not_called(board: Switchboard) -> None:
    await realm_is_set(board)
    async with Phone() as phone:
        theirs = await registered(board, phone)
        mine = await board.of_other_account()
        async with Phone() as own:
            asking = asyncio.ensure_future(dial(mine, "room", theirs, f"sip:x@{await own.listen()}"))
            await own.next_call()
            responses = await asking
        assert len(responses) == 1
        assert (len(phone.waiting), phone.waiting.missed) == (0, 0)
