"""What is told of a room over `/v2/events` while real callers come, talk and go (semantics 7)."""

import asyncio
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from mirliton.conference.events import PUBLISHED

from .measuring import PATIENCE, TONES, hears
from .rest import Body
from .switchboard import NO_WELCOME, Switchboard
from .together import Together

together = Together()

ANNA = TONES[3]
EVERY_PARTICIPANT_EVENT = {
    "custom_channel_vars", "channel_presence_id", "caller_id_number", "caller_id_name", "mute_detect", "video",
    "energy_level", "current_energy", "talking", "speak", "hear", "floor", "participant_id", "instance_id",
    "conference_id", "focus", "call_id", "event", "node", "msg_id", "event_name", "event_category", "app_name",
    "app_version", "routing_key",
}  # fmt: skip


async def subscribed(socket: ClientConnection, board: Switchboard, conference: str) -> Body:
    """Listen to a conference; returns its state."""
    data = {"binding": f"conference.event.{conference}.*", "snapshot": True}
    await socket.send(json.dumps({"action": "subscribe", "auth_token": board.rest.token, "data": data}))
    reply, snapshot = json.loads(await socket.recv()), json.loads(await socket.recv())
    assert (reply["action"], reply["status"], snapshot["name"]) == ("reply", "success", "snapshot")
    state: Body = snapshot["data"]
    return state


async def collected(socket: ClientConnection, events: list[Body], last: str) -> Body:
    """Take events in up to one of a kind; returns that."""
    async with asyncio.timeout(PATIENCE):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            assert (message["action"], message["name"]) == ("event", "event"), message
            events.append(message["data"])
            if message["data"]["event"] == last:
                return events[-1]


@together
async def test_a_subscriber_is_told_of_all_that_happens_in_a_room_in_order_and_without_a_gap(
    board: Switchboard,
) -> None:
    conference = await board.conference()
    number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    events: list[Body] = []
    async with connect(f"ws://{board.server.http}/v2/events", max_size=None) as socket:
        state = await subscribed(socket, board, conference)
        assert (state["is_running"], state["sequence"], state["participants"]) == (False, 0, [])
        anna = await board.dial(number, display="Anna", user="anna")
        came = await collected(socket, events, "add-member")
        bruno = await board.dial(number)
        await collected(socket, events, "add-member")
        people = await board.present(conference, 2)
        anna.say(f"tone:{ANNA}")
        talks = await collected(socket, events, "start-talking")
        await hears(bruno, ANNA)
        for action in ("mute", "unmute", "deaf", "undeaf"):
            await board.rest.act(conference, action, people[0]["participant_id"])
            await collected(socket, events, "start-talking" if action == "unmute" else f"{action}-member")
        await board.rest.act(conference, "lock")
        await collected(socket, events, "lock")
        bruno.press("*2", bruno.seconds)
        await collected(socket, events, "mute-member")
        await anna.hang_up()
        await collected(socket, events, "del-member")
        await bruno.hang_up()
        await collected(socket, events, "conference-destroy")

    first, second = (one["participant_id"] for one in people)
    of_anna = [event["event"] for event in events if event.get("participant_id") == first]
    of_bruno = [event["event"] for event in events if event.get("participant_id") == second]
    of_room = [event["event"] for event in events if "participant_id" not in event and event["event"] in PUBLISHED]
    assert of_anna == [
        "add-member", "start-talking", "stop-talking", "mute-member", "unmute-member", "start-talking", "deaf-member",
        "undeaf-member", "stop-talking", "del-member",
    ]  # fmt: skip
    assert of_bruno == ["add-member", "mute-member", "del-member"]
    assert of_room == ["conference-create", "lock", "conference-destroy"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["instance_id"] for event in events}) == 1
    assert len({event["msg_id"] for event in events}) == len(events)

    for event in events:
        if "participant_id" in event:
            assert event.keys() >= EVERY_PARTICIPANT_EVENT
            assert event["event_name"] == "participant_event"
        assert (event["event_category"], event["conference_id"]) == ("conference", conference)
    assert (came["caller_id_name"], came["caller_id_number"], came["call_id"]) == (
        "Anna", "anna", people[0]["call_id"]
    )  # fmt: skip
    assert (came["talking"], talks["talking"], talks["speak"]) == (False, True, True)
    by_kind = {event["event"]: event for event in events if event.get("participant_id") == first}
    assert (by_kind["mute-member"]["speak"], by_kind["unmute-member"]["speak"]) == (False, True)
    assert (by_kind["deaf-member"]["hear"], by_kind["undeaf-member"]["hear"]) == (False, True)
    assert by_kind["stop-talking"]["talking_seconds"] > 0
