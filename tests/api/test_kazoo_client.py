"""A client written from Kazoo's public documentation, and the whole server: rows 1-11 and 16-22 of its requests.

The client knows HTTP and those pages. The rooms are live: real phones are in them.
"""

import asyncio
import io
import itertools
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from mirliton.phone.phone import Phone, PhoneSettings
from tests.calls.measuring import until
from tests.calls.serving import Server, serving

pytestmark = pytest.mark.slow

Body = dict[str, Any]

ROLE = {"join_muted", "join_deaf", "numbers", "pins"}
PARTICIPANT = {
    "call_id", "conference_name", "conference_uuid", "switch_hostname", "floor", "hear", "speak", "talking",
    "mute_detect", "participant_id", "energy_level", "current_energy", "video", "is_moderator", "join_time", "duration",
}  # fmt: skip
TONE = "tone_stream://%(200,0,440)"
_numbers = itertools.count(5000)


class Client:
    """What the pages show: a base, a token, and paths below the account."""

    def __init__(self, server: Server, http: httpx.AsyncClient) -> None:
        self.server = server
        self.http = http
        self.account = server.account.account_id

    async def log_in(self) -> None:
        answer = await self.http.put("/api_auth", json={"data": {"api_key": self.server.account.api_key}})
        self.http.headers["X-Auth-Token"] = answer.json()["auth_token"]

    async def ask(self, verb: str, path: str, body: Body | None = None) -> Any:
        """The `data` of an answer that has to be a success in the documented envelope."""
        answer = await self.http.request(verb, f"/accounts/{self.account}{path}", json=body)
        assert answer.is_success, f"{verb} {path}: {answer.status_code} {answer.text}"
        envelope = answer.json()
        assert envelope["status"] == "success"
        assert {"data", "auth_token", "request_id"} <= set(envelope)
        return envelope["data"]

    async def conference(self, **keys: Any) -> str:
        data = await self.ask("PUT", "/conferences", {"data": {"name": "Conf", **keys}})
        assert isinstance(data["id"], str) and len(data["id"]) == 32
        return str(data["id"])

    async def participants(self, conference_id: str) -> list[Body]:
        found: list[Body] = await self.ask("GET", f"/conferences/{conference_id}/participants")
        return found

    async def recording(self) -> str:
        """A media document with half a second of sound."""
        media_id = (await self.ask("PUT", "/media", {"data": {"name": "beep"}}))["id"]
        file = io.BytesIO()
        with wave.open(file, "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(b"\x00\x10\x00\xf0" * 2000)
        path = f"/accounts/{self.account}/media/{media_id}/raw"
        answer = await self.http.post(path, content=file.getvalue(), headers={"Content-Type": "audio/wav"})
        assert answer.is_success, answer.text
        return str(media_id)


class Phones:
    """People with telephones."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stack = AsyncExitStack()

    async def close(self) -> None:
        await self._stack.aclose()

    async def phone(self) -> Phone:
        return await self._stack.enter_async_context(Phone(PhoneSettings()))

    async def call_in(self, conference_id: str, *moderator: bool) -> list[int]:
        """As many callers; their participant ids, in the order of coming."""
        for chair in moderator:
            number = str(next(_numbers))
            data = {"id": conference_id, "moderator": chair}
            flow = {"module": "conference", "data": data, "children": {}}
            await self._client.ask("PUT", "/callflows", {"data": {"numbers": [number], "flow": flow}})
            phone = await self.phone()
            before = len(await self._client.participants(conference_id))
            await phone.call(f"sip:{number}@127.0.0.1:{self._client.server.sip[1]}")
            await self.arrived(conference_id, before + 1)
        return [one["participant_id"] for one in await self._client.participants(conference_id)]

    async def arrived(self, conference_id: str, count: int) -> None:
        async def there() -> list[bool]:
            return [True] if len(await self._client.participants(conference_id)) == count else []

        await until(there, f"{count} in {conference_id}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("kazoo")) as running:
        yield running


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(base_url=f"http://{server.http}/v2", timeout=30) as http:
        client = Client(server, http)
        await client.log_in()
        yield client


@pytest.fixture
async def phones(client: Client) -> AsyncIterator[Phones]:
    phones = Phones(client)
    yield phones
    await phones.close()


async def test_rows_1_to_6_documents(client: Client) -> None:
    owner = "0123456789abcdef0123456789abcdef"
    made = await client.ask("PUT", "/conferences", {"data": {"name": "Conf", "owner_id": owner}})
    path = f"/conferences/{made['id']}"
    row = next(row for row in await client.ask("GET", "/conferences") if row["id"] == made["id"])
    assert {"id", "name", "owner_id", "member", "moderator", "members", "admins", "duration", "is_locked"} <= set(row)
    assert set(row["member"]) == set(row["moderator"]) == ROLE
    assert (row["name"], row["owner_id"]) == ("Conf", owner)
    assert (row["members"], row["admins"], row["duration"], row["is_locked"]) == (0, 0, 0, False)
    patched = await client.ask("PATCH", path, {"data": {"member": {"pins": ["1234"]}}})
    assert (patched["id"], patched["name"], patched["member"]["pins"]) == (made["id"], "Conf", ["1234"])
    replaced = await client.ask("POST", path, {"data": {"name": "Other"}})
    assert (replaced["id"], replaced["name"], replaced["member"]["pins"]) == (made["id"], "Other", [])
    assert "owner_id" not in replaced
    deleted = await client.ask("DELETE", path)
    assert (deleted["id"], deleted["name"]) == (made["id"], "Other")
    assert made["id"] not in [row["id"] for row in await client.ask("GET", "/conferences")]


async def test_rows_1_3_and_22_a_room_with_people(client: Client, phones: Phones) -> None:
    conference = await client.conference()
    ids = await phones.call_in(conference, True, False, False)
    data = await client.ask("GET", f"/conferences/{conference}")
    live = data["_read_only"]
    assert {"members", "admins", "duration", "is_locked", "participants"} <= set(live)
    assert (live["members"], live["admins"], live["is_locked"]) == (2, 1, False)
    assert isinstance(live["duration"], int)
    assert all(set(one) >= PARTICIPANT for one in live["participants"])
    assert [one["is_moderator"] for one in live["participants"]] == [True, False, False]
    assert [one["speak"] for one in live["participants"]] == [True, False, False]  # members join muted by default
    row = next(row for row in await client.ask("GET", "/conferences") if row["id"] == conference)
    assert (row["members"], row["admins"]) == (2, 1)
    listed = await client.participants(conference)
    assert [one["participant_id"] for one in listed] == ids
    one = await client.ask("GET", f"/conferences/{conference}/participants/{ids[1]}")
    assert set(one) >= PARTICIPANT
    assert (one["participant_id"], one["call_id"]) == (ids[1], listed[1]["call_id"])


async def test_rows_7_to_11_actions_on_the_room(client: Client, phones: Phones) -> None:
    conference = await client.conference()
    await phones.call_in(conference, False)
    path = f"/conferences/{conference}"
    assert await client.ask("PUT", path, {"action": "lock", "data": {}}) == "ok"
    assert (await client.ask("GET", path))["_read_only"]["is_locked"] is True
    assert await client.ask("PUT", path, {"action": "unlock", "data": {}}) == "ok"
    assert (await client.ask("GET", path))["_read_only"]["is_locked"] is False
    media = await client.recording()
    assert await client.ask("PUT", path, {"action": "play", "data": {"media_id": media}}) == "ok"
    for media_id in (media, TONE):
        assert await client.ask("PUT", path, {"action": "play", "data": {"data": {"media_id": media_id}}}) == "ok"
    started = await client.ask("PUT", path, {"action": "record", "data": {"action": "start"}})
    assert started == "starting recording"
    assert (await client.ask("GET", path))["_read_only"]["is_recording"] is True
    stopped = await client.ask("PUT", path, {"action": "record", "data": {"action": "stop"}})
    assert stopped == "stopping recording"
    assert (await client.ask("GET", path))["_read_only"]["is_recording"] is False


async def test_row_16_dialling_from_an_unknown_id_makes_a_room_of_that_name(client: Client, phones: Phones) -> None:
    phone = await phones.phone()
    address = await phone.listen()
    answering = asyncio.create_task(phone.next_call())
    inner = {
        "endpoints": [f"sip:callee@{address}"],
        "caller_id_name": "Conference XYZ", "caller_id_number": "5551212",
        "play_entry_tone": True, "play_exit_tone": True, "play_name": False,
    }  # fmt: skip
    data = await client.ask("PUT", "/conferences/fresh-room", {"action": "dial", "data": {"data": inner}})
    await answering
    assert set(data) == {"endpoint_responses"}
    assert len(data["endpoint_responses"]) == 1
    response = data["endpoint_responses"][0]
    assert {"call_id", "endpoint_id", "job_id", "message", "status"} <= set(response)
    assert response["status"] == "success"
    people = await client.participants("fresh-room")
    assert [(one["call_id"], one["conference_name"]) for one in people] == [(response["call_id"], "fresh-room")]


async def test_rows_17_and_18_actions_on_many(client: Client, phones: Phones) -> None:
    conference = await client.conference(member={"join_muted": False})
    ids = await phones.call_in(conference, True, False, False)
    path = f"/conferences/{conference}/participants"
    for action, key, wanted in (
        ("mute", "speak", [True, False, False]),
        ("unmute", "speak", [True, True, True]),
        ("deaf", "hear", [True, False, False]),
        ("undeaf", "hear", [True, True, True]),
    ):
        answer = await client.ask("PUT", path, {"data": {"action": action}})
        assert answer["id"] == conference
        assert [one[key] for one in await client.participants(conference)] == wanted, action
    pair = {"participant_id": ids[1], "other_participant": ids[2]}
    for relation in ({}, {"relationship": "mute"}, {"relationship": "deaf"}, {"relationship": "clear"}):
        body = {"data": {"action": "relate", "data": pair | relation}}
        assert await client.ask("PUT", path, body) == "relating participants"
    await client.ask("PUT", path, {"data": {"action": "kick"}})
    assert await client.participants(conference) == []


async def test_rows_19_to_21_actions_on_one(client: Client, phones: Phones) -> None:
    conference = await client.conference()
    ids = await phones.call_in(conference, False, True)
    for query in ("", "?random=x"):
        path = f"/conferences/{conference}/participants/{ids[0]}"
        for action, key, wanted in (
            ("unmute", "speak", True),
            ("mute", "speak", False),
            ("deaf", "hear", False),
            ("undeaf", "hear", True),
        ):
            assert await client.ask("PUT", path + query, {"data": {"action": action}}) == "ok"
            assert (await client.ask("GET", path))[key] is wanted
    body = {"data": {"action": "play", "data": {"media_id": await client.recording()}}}
    assert await client.ask("PUT", f"/conferences/{conference}/participants/{ids[0]}", body) == "ok"
    for number, query in ((ids[0], ""), (ids[1], "?random=x")):
        path = f"/conferences/{conference}/participants/{number}{query}"
        assert await client.ask("PUT", path, {"data": {"action": "kick"}}) == "ok"
        assert number not in [one["participant_id"] for one in await client.participants(conference)]
