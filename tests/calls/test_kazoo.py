"""What Kazoo's public documentation shows, sent as it stands there, with real phones: rows 12 to 16 and 24 to 27.

The other rows are in tests/api/test_kazoo_client.py and in the test of events. Knows HTTP, JSON and SIP, and not us.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from mirliton.phone.conversation import Conversation
from mirliton.phone.phone import Phone

from .measuring import TONES, hears, prompted, until
from .switchboard import Switchboard, new_number
from .together import Together

together = Together()

ANNA, BRUNO = TONES[4], TONES[8]
Send = Callable[[str, str, Any], Awaitable[httpx.Response]]


@asynccontextmanager
async def client(board: Switchboard) -> AsyncIterator[Send]:
    """Sends a verb, a path below the account and a whole body."""
    base = f"http://{board.server.http}/v2"
    async with httpx.AsyncClient(timeout=30) as http:
        login = await http.put(f"{base}/api_auth", json={"data": {"api_key": board.account.api_key}})
        http.headers["X-Auth-Token"] = login.json()["auth_token"]

        async def send(verb: str, path: str, body: Any = None) -> httpx.Response:
            return await http.request(verb, f"{base}/accounts/{board.account.account_id}{path}", json=body)

        yield send


@asynccontextmanager
async def called() -> AsyncIterator[tuple[Phone, str]]:
    """A phone that waits, and its `sip:` URI."""
    async with Phone() as phone:
        yield phone, f"sip:anybody@{await phone.listen()}"


async def answered(phone: Phone, asking: "asyncio.Future[httpx.Response]") -> tuple[Conversation, dict[str, Any]]:
    """The call that the phone took, and what the API said of it."""
    call = await phone.next_call()
    answer = await asking
    assert answer.status_code == 202, answer.text
    (response,) = answer.json()["data"]["endpoint_responses"]
    assert response.keys() == {"call_id", "endpoint_id", "job_id", "message", "status"}
    assert response["status"] == "success", response
    return call, response


@together
async def test_row_12_dialling_an_address_with_a_caller_id(board: Switchboard) -> None:
    number, room = await board.quiet_room()
    anna = await board.dial(number, ANNA)
    await board.present(room, 1)
    async with client(board) as send, called() as (phone, uri):
        inner = {"endpoints": [uri], "caller_id_name": "Conference XYZ", "caller_id_number": "5551212"}
        body = {"action": "dial", "data": {"data": inner}}
        call, response = await answered(phone, asyncio.ensure_future(send("PUT", f"/conferences/{room}", body)))
        assert (call.session.from_name, call.session.from_number) == ("Conference XYZ", "5551212")
        call.say(f"tone:{BRUNO}")
        await asyncio.gather(hears(anna, BRUNO), hears(call, ANNA))
        assert response["call_id"] == (await board.present(room, 2))[1]["call_id"]


@together
async def test_row_13_application_variables_are_on_the_leg(board: Switchboard) -> None:
    number, room = await board.quiet_room()
    await board.dial(number)
    await board.present(room, 1)
    async with client(board) as send, called() as (phone, uri):
        body = {"action": "dial", "data": {"custom_application_vars": {"foo": "bar"}, "data": {"endpoints": [uri]}}}
        await answered(phone, asyncio.ensure_future(send("PUT", f"/conferences/{room}", body)))
        assert (await board.present(room, 2))[1]["custom_application_vars"] == {"foo": "bar"}


@together
async def test_row_14_an_own_call_id_is_used(board: Switchboard) -> None:
    wanted = f"xyz-{secrets.token_hex(4)}"
    async with client(board) as send, called() as (phone, uri):
        body = {"action": "dial", "data": {"data": {"endpoints": [uri], "outbound_call_id": wanted}}}
        asking = asyncio.ensure_future(send("PUT", f"/conferences/room-{new_number()}", body))
        call, response = await answered(phone, asking)
        assert response["call_id"] == call.session.call_id == wanted


@together
async def test_row_15_flags_of_the_participant(board: Switchboard) -> None:
    number, room = await board.quiet_room()
    anna = await board.dial(number, ANNA)
    await board.present(room, 1)
    async with client(board) as send, called() as (phone, uri):
        body = {"action": "dial", "data": {"data": {"endpoints": [uri], "participant_flags": ["deaf", "mute"]}}}
        call, _ = await answered(phone, asyncio.ensure_future(send("PUT", f"/conferences/{room}", body)))
        call.say(f"tone:{BRUNO}")
        (_, one) = await board.present(room, 2)
        assert (one["hear"], one["speak"]) == (False, False)
        await asyncio.gather(hears(anna), hears(call))


@together
async def test_row_15_all_eight_flags(board: Switchboard) -> None:
    number, room = await board.quiet_room()
    anna = await board.dial(number)
    await board.present(room, 1)
    flags = [
        "mute", "deaf", "distribute_dtmf", "is_moderator", "disable_moh", "ghost", "join_existing", "video_mute",
    ]  # fmt: skip
    async with client(board) as send, called() as (phone, uri):
        body = {"action": "dial", "data": {"data": {"endpoints": [uri], "participant_flags": flags}}}
        call, _ = await answered(phone, asyncio.ensure_future(send("PUT", f"/conferences/{room}", body)))
        call.press("5*")

        async def told() -> bool:
            return anna.digits_heard == "5*"

        await until(told, "the digits of the called phone at the others' phones")


@together
async def test_row_16_an_unknown_conference_is_an_ad_hoc_room_with_these_settings(board: Switchboard) -> None:
    room = f"room-{new_number()}"
    async with client(board) as send, called() as (phone, uri):
        inner = {"endpoints": [uri], "play_entry_tone": True, "play_exit_tone": True, "play_name": False}
        body = {"action": "dial", "data": {"data": inner}}
        call, _ = await answered(phone, asyncio.ensure_future(send("PUT", f"/conferences/{room}", body)))
        await board.present(room, 1)
        await prompted(call, "conf-alone")


async def callflow(send: Send, **flow: Any) -> None:
    answer = await send("PUT", "/callflows", {"data": flow})
    assert answer.status_code == 201, answer.text


@together
async def test_row_24_a_number_leads_to_a_stored_conference(board: Switchboard) -> None:
    number = new_number()
    async with client(board) as send:
        made = await send("PUT", "/conferences", {"data": {"name": f"Conf {number}"}})
        conference = made.json()["data"]["id"]
        flow = {"module": "conference", "data": {"id": conference}, "children": {}}
        await callflow(send, numbers=[number], flow=flow)
        call = await board.dial(number)
        await prompted(call, "conf-welcome")
        (one,) = await board.present(conference, 1)
        assert one["conference_name"] == f"Conf {number}"


@together
async def test_row_25_a_pattern_leads_to_the_conference_whose_id_was_dialled(board: Switchboard) -> None:
    async with client(board) as send:
        made = await send("PUT", "/conferences", {"data": {"name": f"Conf {new_number()}"}})
        conference = made.json()["data"]["id"]
        await callflow(send, patterns=["(.{32})"], flow={"module": "conference_feature", "data": {}})
        await board.dial(conference)
        await board.present(conference, 1)


@together
async def test_row_26_an_ad_hoc_room(board: Switchboard) -> None:
    number, name = new_number(), f"adhoc-{new_number()}"
    async with client(board) as send:
        flow = {"module": "conference", "data": {"config": {"name": name}}}
        await callflow(send, numbers=[number], flow=flow)
        await board.dial(number)
        await board.present(name, 1)


@together
async def test_row_27_without_id_and_config_the_caller_is_asked_for_a_number(board: Switchboard) -> None:
    number, digits = new_number(), new_number()
    async with client(board) as send:
        made = await send("PUT", "/conferences", {"data": {"name": f"Conf {number}", "conference_numbers": [digits]}})
        await callflow(send, numbers=[number], flow={"module": "conference", "data": {}})
        call = await board.dial(number)
        await prompted(call, "conf-enter_conf_number")
        call.press(f"{digits}#")
        await board.present(made.json()["data"]["id"], 1)
