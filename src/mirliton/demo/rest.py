"""The few REST calls of the demo, as any Kazoo client would make them (semantics 6)."""

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

TIMEOUT = 10.0


class RestRefused(Exception):
    """The server answered with an error; the text is its answer."""


class Rest:
    """A logged-in client of one account. `http`: HOST:PORT."""

    def __init__(self, http: str, account_id: str) -> None:
        self._base = f"http://{http}/v2"
        self._account = f"/accounts/{account_id}"
        self._token = ""

    async def log_in(self, api_key: str) -> None:
        """Exchange the account's API key for a token. Raises `RestRefused`."""
        answer = await self._request("PUT", "/api_auth", {"data": {"api_key": api_key}})
        self._token = answer["auth_token"]

    async def create(self, kind: str, document: dict[str, Any]) -> str:
        """Store a document ("conferences", "callflows"); returns its id."""
        answer = await self._request("PUT", f"{self._account}/{kind}", {"data": document})
        return str(answer["data"]["id"])

    async def participants(self, conference_id: str) -> list[dict[str, Any]]:
        """Who is in the room now (semantics 6.5)."""
        answer = await self._request("GET", f"{self._account}/conferences/{conference_id}/participants")
        data = answer["data"]
        return data if isinstance(data, list) else []

    async def act(self, conference_id: str, participant_id: int, action: str) -> None:
        """`mute`, `unmute` … one participant."""
        path = f"{self._account}/conferences/{conference_id}/participants/{participant_id}"
        await self._request("PUT", path, {"data": {"action": action}})

    async def _request(self, verb: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return await asyncio.to_thread(self._blocking, verb, path, body)

    def _blocking(self, verb: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - always our own http:// server
            self._base + path,
            method=verb,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "X-Auth-Token": self._token},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 - as above
                parsed: dict[str, Any] = json.load(answer)
                return parsed
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace")
            raise RestRefused(f"{verb} {path}: {error.code} {text}") from error
