"""The REST API as a client of one account uses it (semantics 6)."""

import asyncio
from typing import Any

import httpx

Body = dict[str, Any]


class Rest:
    """Logged in with the account's API key. Every call fails the test on an answer other than 2xx."""

    def __init__(self, http: str, account_id: str, api_key: str) -> None:
        self._account = f"/accounts/{account_id}"
        self._client = httpx.Client(base_url=f"http://{http}/v2", timeout=15)
        answer = self._client.put("/api_auth", json={"data": {"api_key": api_key}})
        assert answer.status_code == 201, answer.text
        self._client.headers["X-Auth-Token"] = answer.json()["auth_token"]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @property
    def token(self) -> str:
        """For whom takes it elsewhere than in a header."""
        return str(self._client.headers["X-Auth-Token"])

    async def refused(self, verb: str, path: str, data: Any) -> tuple[int, Body]:
        """One request below the account that must fail; its code and its whole answer."""
        answer = await asyncio.to_thread(self._client.request, verb, self._account + path, json={"data": data})
        assert not answer.is_success, f"{verb} {path}: {answer.status_code} {answer.text}"
        return answer.status_code, answer.json()

    async def call(self, verb: str, path: str, data: Any = None) -> Any:
        """One request below the account; returns the `data` of the answer."""
        body = None if data is None else {"data": data}
        answer = await asyncio.to_thread(self._client.request, verb, self._account + path, json=body)
        assert answer.is_success, f"{verb} {path}: {answer.status_code} {answer.text}"
        return answer.json()["data"]

    async def create(self, kind: str, document: Body) -> str:
        """Store a document; returns its id."""
        return str((await self.call("PUT", f"/{kind}", document))["id"])

    async def recording(self, name: str, sound: bytes, **document: Any) -> str:
        """A media document with a sound file; returns its id."""
        media_id = await self.create("media", {"name": name, **document})
        path = f"{self._account}/media/{media_id}/raw"
        headers = {"Content-Type": "audio/wav"}
        answer = await asyncio.to_thread(self._client.post, path, content=sound, headers=headers)
        assert answer.is_success, answer.text
        return media_id

    async def raw(self, media_id: str) -> bytes:
        """The sound file of a media document."""
        answer = await asyncio.to_thread(self._client.get, f"{self._account}/media/{media_id}/raw")
        assert answer.is_success, answer.text
        return answer.content

    async def participants(self, conference_id: str) -> list[Body]:
        """Who is in the room (semantics 6.5), in the order of joining."""
        found: list[Body] = await self.call("GET", f"/conferences/{conference_id}/participants")
        return found

    async def act(self, conference_id: str, action: str, participant: int | None = None, **data: Any) -> None:
        """An action on a participant; without one, on the room."""
        path = f"/conferences/{conference_id}" + ("" if participant is None else f"/participants/{participant}")
        await self.call("PUT", path, {"action": action, "data": data})

    async def act_on_all(self, conference_id: str, action: str, **data: Any) -> None:
        """An action on all participants."""
        await self.call("PUT", f"/conferences/{conference_id}/participants", {"action": action, "data": data})
