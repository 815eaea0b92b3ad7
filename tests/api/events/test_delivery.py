"""What reaches a subscriber: 7.1 and row 23 of Kazoo's documentation, in order and without gaps."""

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest

from mirliton.conference.room import Room
from mirliton.settings import EventSettings

from .conftest import ROOM, Served
from .rooms import storm

ALL = f"conference.event.{ROOM}.*"
DOCUMENTED = {
    "custom_channel_vars", "channel_presence_id", "caller_id_number", "caller_id_name", "mute_detect", "video",
    "energy_level", "current_energy", "talking", "speak", "hear", "floor", "participant_id", "instance_id",
    "conference_id", "focus", "call_id", "event", "node", "msg_id", "event_name", "event_category", "app_name",
    "app_version", "routing_key",
}  # fmt: skip


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["data"]["sequence"] for event in events]


async def test_an_event_has_the_documented_keys(served: Served) -> None:
    room = served.rooms.start(served.account.id, ROOM)
    async with served.client() as client:
        await client.subscribe(ALL)
        served.rooms.join(room, "a84b4c76@10.0.0.7")
        (event,) = await client.happened(1)
    account = served.account.id
    key = f"conference.event.add-member.{account}.{ROOM}.a84b4c76@10%2E0%2E0%2E7"
    data = event.pop("data")
    assert event == {
        "action": "event",
        "subscribed_key": ALL,
        "subscription_key": f"conference.event.*.{account}.{ROOM}.*",
        "name": "event",
        "routing_key": key,
    }
    assert data.keys() >= DOCUMENTED
    assert data["event"] == "add-member"
    assert (data["event_name"], data["event_category"]) == ("participant_event", "conference")
    assert (data["routing_key"], data["call_id"]) == (key, "a84b4c76@10.0.0.7")
    assert data["app_name"] == "mirliton"
    assert data["custom_channel_vars"]["account_id"] == account


async def test_events_of_the_room_itself_are_keyed_by_its_id(served: Served) -> None:
    async with served.client() as client:
        await client.subscribe(ALL)
        served.rooms.start(served.account.id, ROOM)
        (event,) = await client.happened(1)
    assert event["routing_key"] == f"conference.event.conference-create.{served.account.id}.{ROOM}.{ROOM}"
    assert event["data"]["event_name"] == "event"


async def test_name_and_metadata_come_back_from_either_place(served: Served) -> None:
    room = served.rooms.start(served.account.id, ROOM)
    async with served.client() as client:
        await client.order("subscribe", {"binding": ALL, "name": "board", "metadata": {"a": [1]}})
        await client.order("subscribe", {"binding": f"conference.event.add-member.{ROOM}.*"}, name="x", metadata=5)
        served.rooms.join(room)
        first, second = await client.happened(2)
    assert (first["subscription_name"], first["metadata"], first["name"]) == ("board", {"a": [1]}, "event")
    assert (second["subscription_name"], second["metadata"]) == ("x", 5)


async def test_each_binding_gets_its_events_and_no_others(served: Served) -> None:
    account, rooms = served.account.id, served.rooms
    bindings = [ALL, f"conference.event.del-member.{ROOM}.*", f"conference.event.{ROOM}.call-b",
                f"conference.command.{ROOM}", "conference.event.*.*"]  # fmt: skip
    async with served.client() as client:
        await client.subscribe(*bindings)
        room, neighbour = rooms.start(account, ROOM), rooms.start(account, "adhoc.room")
        stranger = rooms.start("0" * 32, ROOM)
        rooms.join(stranger)
        rooms.join(neighbour, "call-b")
        first = rooms.join(room, "call-a")
        rooms.join(room, "call-b")
        rooms.leave(room, first)
        command = {"event_category": "conference", "event_name": "command", "account_id": account,
                   "conference_id": ROOM, "action": "mute", "participant_id": 7}  # fmt: skip
        served.feed.publish(command)
        await client.order("ping")
        events = await client.happened(4 + 1 + 1 + 1 + 6)
        await client.order("ping")
        assert client.events == []
    kinds = {text: [e["data"].get("event") for e in events if e["subscribed_key"] == text] for text in bindings}
    assert kinds == {
        bindings[0]: ["conference-create", "add-member", "add-member", "del-member"],
        bindings[1]: ["del-member"],
        bindings[2]: ["add-member"],
        bindings[3]: [None],
        bindings[4]: ["conference-create"] * 2 + ["add-member"] * 3 + ["del-member"],
    }
    (sent,) = [e for e in events if e["name"] == "command"]
    assert sent["routing_key"] == sent["subscription_key"] == f"conference.command.{ROOM}"
    assert sent["data"] | command == sent["data"]
    assert {"node", "msg_id", "app_name", "app_version", "routing_key"} <= sent["data"].keys()
    assert all(e["data"]["account_id"] == account for e in events)


async def test_a_conference_with_a_dot_in_its_name_can_be_bound(served: Served) -> None:
    async with served.client() as client:
        await client.subscribe("conference.event.our%2Eroom.*")
        served.rooms.start(served.account.id, "our.room")
        (event,) = await client.happened(1)
    assert event["routing_key"].endswith(".our%2Eroom.our%2Eroom")


async def test_an_event_that_cannot_be_written_is_counted_and_the_others_go_on(served: Served) -> None:
    async with served.client() as client:
        await client.subscribe(ALL)
        where = {"account_id": served.account.id, "conference_id": ROOM, "event": "lock"}
        served.feed.publish({**where, "sequence": object()})
        served.feed.publish({**where, "sequence": float("nan")})
        served.feed.publish({**where, "sequence": 3})
        assert numbers(await client.happened(1)) == [3]
    assert served.counted("faults_total") == 2


async def test_a_snapshot_comes_after_the_reply_and_the_events_follow_it(served: Served) -> None:
    room = served.rooms.start(served.account.id, ROOM)
    first = served.rooms.join(room)
    async with served.client() as client:
        await client.subscribe(ALL, snapshot=True)
        assert client.events == []
        served.rooms.join(room)
        snapshot, event = await client.happened(2)
    assert (snapshot["action"], snapshot["name"], snapshot["subscribed_key"]) == ("event", "snapshot", ALL)
    assert [one["participant_id"] for one in snapshot["data"]["participants"]] == [first]
    assert (snapshot["data"]["account_id"], snapshot["data"]["conference_id"]) == (served.account.id, ROOM)
    assert snapshot["data"]["is_running"] is True
    assert numbers([event]) == [snapshot["data"]["sequence"] + 1]


async def test_a_binding_to_all_conferences_gets_a_snapshot_of_each_that_runs(served: Served) -> None:
    for name in ("one", "two"):
        served.rooms.join(served.rooms.start(served.account.id, name))
    served.rooms.start("f" * 32, "three")
    async with served.client() as client:
        await client.subscribe("conference.event.*.*", snapshot=True)
        first, second = await client.happened(2)
        served.rooms.join(served.rooms.running[served.account.id, "one"])
        (event,) = await client.happened(1)
    assert [one["data"]["conference_id"] for one in (first, second)] == ["one", "two"]
    assert numbers([event]) == [first["data"]["sequence"] + 1]


async def test_the_snapshot_of_a_room_that_does_not_run_is_empty(served: Served) -> None:
    async with served.client() as client:
        await client.subscribe(ALL, f"conference.event.lock.{ROOM}.*", snapshot=True)
        first, second = await client.happened(2)
        served.rooms.start(served.account.id, ROOM)
        (created,) = await client.happened(1)
    assert [first["subscribed_key"], second["subscribed_key"]] == [ALL, f"conference.event.lock.{ROOM}.*"]
    assert first["data"]["participants"] == []
    assert first["data"]["is_running"] is False
    assert numbers([first, created]) == [0, 1]


@pytest.mark.slow
async def storms(served: Served, room: Room, enough: asyncio.Event) -> None:
    """Joins and leaves until it is enough, and some more; the others of the loop get their turns."""
    stays = served.rooms.join(room)
    while not enough.is_set():
        await storm(served.rooms, room, 3, per_turn=1)
        for member in [member for member in room if member.member_id != stays]:
            served.rooms.leave(room, member.member_id)
        await asyncio.sleep(0.01)  # the client has its turns, too, or its queue overflows and it is told so
    await storm(served.rooms, room, 10, per_turn=1)


async def test_snapshots_and_events_fit_without_gap_or_overlap_while_the_room_is_busy(served: Served) -> None:
    room = served.rooms.start(served.account.id, ROOM)
    async with served.client() as client:
        asked = asyncio.Event()
        busy = asyncio.create_task(storms(served, room, asked))
        for _ in range(20):
            await client.subscribe(ALL, snapshot=True)
        asked.set()
        await busy
        last = room.sequence
        seen, snapshots, known = 0, 0, -1
        present: set[int] = set()
        while snapshots < 20 or known < last:
            (message,) = await client.happened(1)
            data = message["data"]
            if message["name"] == "snapshot":
                snapshots, known = snapshots + 1, data["sequence"]
                present = {one["participant_id"] for one in data["participants"]}
                continue
            seen, known = seen + 1, known + 1
            assert data["sequence"] == known
            change = present.add if data["event"] == "add-member" else present.remove
            change(data["participant_id"])
    assert present == {member.member_id for member in room}
    assert seen > 0


@pytest.mark.slow
async def test_a_storm_of_joins_and_leaves_arrives_whole_and_in_order(served: Served) -> None:
    room = served.rooms.start(served.account.id, ROOM)
    async with served.client() as one, served.client() as another:
        for client in (one, another):
            await client.subscribe(ALL)
        total = await storm(served.rooms, room, 1000)
        for client in (one, another):
            got = numbers(await client.happened(total))
            assert got == list(range(got[0], got[0] + total))
    assert total > 1900
    assert served.counted("sent_total") == 2 * total
    assert served.counted("lost_total") == 0


@pytest.mark.slow
async def test_a_burst_within_one_turn_of_the_loop_arrives_whole(served: Served) -> None:
    room = served.rooms.start(served.account.id, ROOM)
    async with served.client() as client:
        await client.subscribe(ALL)
        for _ in range(900):
            served.rooms.join(room)
        got = numbers(await client.happened(900))
    assert all(after == before + 1 for before, after in pairwise(got))


@pytest.mark.slow
class TestSlowReaders:
    """A client that stops to read loses events of its own, is told how many, and delays nobody."""

    @pytest.fixture
    def event_settings(self) -> EventSettings:
        return EventSettings(queue=50)

    async def test_a_slow_reader_delays_nobody_and_is_told_what_it_lost(self, served: Served) -> None:
        room = served.rooms.start(served.account.id, ROOM)
        served.rooms.join(room)
        known, lost = room.sequence, 0
        async with served.client(max_queue=1, sock=served.small_socket()) as slow, served.client() as quick:
            for client in (slow, quick):
                await client.subscribe(ALL)
            while served.counted("lost_total") < 500:
                served.rooms.leave(room, served.rooms.join(room))
                got = await quick.happened(2)
                assert all(message["name"] == "event" for message in got)
            last = numbers(got)[-1]
            while known < last:
                message = await slow.receive()
                if message["name"] == "lost":
                    assert message == {"action": "event", "name": "lost", "data": {"lost": message["data"]["lost"]}}
                    lost += message["data"]["lost"]
                    known += message["data"]["lost"]
                else:
                    known += 1
                    assert message["data"]["sequence"] == known
        assert lost == served.counted("lost_total")

    async def test_a_slow_reader_catches_up_with_a_snapshot(self, served: Served) -> None:
        room = served.rooms.start(served.account.id, ROOM)
        served.rooms.join(room)
        async with served.client(max_queue=1, sock=served.small_socket()) as slow:
            await slow.subscribe(ALL)
            while served.counted("lost_total") == 0:
                served.rooms.leave(room, served.rooms.join(room))
                await asyncio.sleep(0)
            order = {"binding": ALL, "snapshot": True}
            await slow.connection.send(json.dumps({"action": "subscribe", "data": order}))
            await slow.reply()
            slow.events.clear()
            while (message := await slow.receive())["name"] != "snapshot":
                pass
            served.rooms.join(room)
            (after,) = await slow.happened(1)
            assert after["data"]["sequence"] == message["data"]["sequence"] + 1
            assert len(message["data"]["participants"]) == room.count - 1
