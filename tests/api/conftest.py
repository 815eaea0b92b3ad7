"""An application over a real SQLite file, and a client that is logged in to its first account."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from mirliton.api.app import create_app
from mirliton.links import Links
from mirliton.settings import HttpSettings, MediaSettings, Settings
from mirliton.store import Document, Store, bootstrap

from .fake_rooms import FakeRooms


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Time passes at once."""
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Api:
    """What a test needs: `http` sends without a token, `call` with one."""

    app: FastAPI
    store: Store
    rooms: FakeRooms
    clock: Clock
    http: httpx.AsyncClient
    account: Document
    credentials: dict[str, str]
    token: str = ""
    changes: list[tuple[str, str, str]] = field(default_factory=list)

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """A request below the account, or from the root when the path starts with /v2."""
        url = path if path.startswith("/v2") else f"/v2/accounts/{self.account.id}{path}"
        headers = {"X-Auth-Token": self.token} | options.pop("headers", {})
        return await self.http.request(method, url, json=body, headers=headers, **options)

    async def make(self, collection: str, **data: Any) -> dict[str, Any]:
        """A new document; its data."""
        answer = await self.call("PUT", f"/{collection}", {"data": data})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()["data"]
        return made

    async def login(self) -> None:
        """A token by API key."""
        answer = await self.http.put("/v2/api_auth", json={"data": {"api_key": self.credentials["api_key"]}})
        assert answer.status_code == 201, answer.text
        self.token = answer.json()["auth_token"]


@pytest.fixture
def settings() -> Settings:
    """Small limits, so that they can be reached."""
    return Settings(
        http=HttpSettings(
            max_body_bytes=100_000, max_media_bytes=400_000, max_page_size=20, auth_attempts_per_minute=5
        ),
        media=MediaSettings(max_clip_seconds=3),
    )


@pytest.fixture
async def api(tmp_path: Path, settings: Settings) -> AsyncIterator[Api]:
    """The application after its first start."""
    clock, rooms = Clock(), FakeRooms()
    store = Store(None, tmp_path, now=clock, max_documents_per_account=200)
    await store.open()
    account = await bootstrap(store, tmp_path)
    changes: list[tuple[str, str, str]] = []
    app = create_app(
        settings,
        store,
        rooms,
        CollectorRegistry(),
        lambda event, d: changes.append((event, d.type, d.id)),
        now=clock,
        links=Links(store, settings.links.lifetime_seconds, clock),
        sleep=clock.sleep,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://mirliton") as http:
        credentials = json.loads((tmp_path / "credentials.json").read_text())
        api = Api(app, store, rooms, clock, http, account, credentials, changes=changes)
        await api.login()
        yield api
    await store.close()
