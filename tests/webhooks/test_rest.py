"""The REST resource, over a real store and with the webhooks behind it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from mirliton.api.app import create_app
from mirliton.settings import Settings, WebhookSettings
from mirliton.webhooks import Webhooks
from tests.api.fake_rooms import FakeRooms

from .conftest import HERE, House, until
from .receiver import BROKEN, receiving

URI = "https://hook.example/in"


@dataclass
class Rest:
    """A client that is logged in, and what it talks to."""

    http: httpx.AsyncClient
    house: House
    webhooks: Webhooks
    token: str

    async def call(self, method: str, path: str = "", data: Any = None) -> httpx.Response:
        """A request below the account's webhooks."""
        url = f"/v2/accounts/{self.house.account_id}/webhooks{path}"
        body = None if data is None else {"data": data}
        return await self.http.request(method, url, json=body, headers={"X-Auth-Token": self.token})

    async def make(self, **data: Any) -> dict[str, Any]:
        """A new webhook; its data."""
        answer = await self.call("PUT", "", {"name": "w", "uri": URI, "hook": "conference", **data})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()["data"]
        return made

    async def problems(self, **data: Any) -> dict[str, Any]:
        """What is said against a new webhook."""
        answer = await self.call("PUT", "", {"name": "w", "uri": URI, "hook": "conference", **data})
        assert (answer.status_code, answer.json()["message"]) == (400, "validation error"), answer.text
        errors: dict[str, Any] = answer.json()["data"]
        return errors


@pytest.fixture
async def rest(house: House, tmp_path: Path) -> AsyncIterator[Rest]:
    settings = Settings(data=tmp_path, webhooks=WebhookSettings(networks=HERE, max_per_account=3, disable_after=2))
    webhooks = Webhooks(
        house.store, house.feed, settings.webhooks, now=house.time, sleep=house.time.sleep, jitter=lambda: 1.0
    )
    app = create_app(
        settings,
        house.store,
        FakeRooms(),
        CollectorRegistry(),
        webhooks.changed,
        webhook_attempts=webhooks.attempts,
    )
    await webhooks.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mirliton") as http:
        account = await house.store.accounts.by_id(house.account_id)
        assert account is not None
        answer = await http.put("/v2/api_auth", json={"data": {"api_key": account.private["api_key"]}})
        yield Rest(http, house, webhooks, answer.json()["auth_token"])
    await webhooks.close()


async def test_defaults_are_written_and_the_secret_is_told_once(rest: Rest) -> None:
    made = await rest.make()
    assert len(made.pop("secret")) == 64
    read = (await rest.call("GET", f"/{made['id']}")).json()["data"]
    assert read == made
    assert {key: read[key] for key in ("http_verb", "format", "enabled", "custom_data")} == {
        "http_verb": "post",
        "format": "json",
        "enabled": True,
        "custom_data": {},
    }
    for method, data in (("POST", {"name": "w2", "uri": URI, "hook": "all"}), ("PATCH", {"enabled": False})):
        assert "secret" not in (await rest.call(method, f"/{made['id']}", data)).json()["data"]
    assert "secret" not in (await rest.call("DELETE", f"/{made['id']}")).json()["data"]


async def test_a_secret_stays_until_another_is_given(rest: Rest) -> None:
    made = await rest.make(secret="sixteen letters!")
    key = (rest.house.account_id, made["id"])
    await rest.call("POST", f"/{made['id']}", {"name": "w", "uri": URI, "hook": "all"})
    assert (await rest.house.store.documents.get(*key)).private == {"secret": "sixteen letters!"}
    await rest.call("PATCH", f"/{made['id']}", {"secret": "sixteen others!!"})
    assert (await rest.house.store.documents.get(*key)).private == {"secret": "sixteen others!!"}


async def test_a_list_row_has_the_columns(rest: Rest) -> None:
    made = await rest.make()
    assert (await rest.call("GET")).json()["data"] == [
        {"id": made["id"], "name": "w", "uri": URI, "hook": "conference", "http_verb": "post", "enabled": True}
    ]


@pytest.mark.parametrize(
    ("wrong", "path", "code"),
    [
        ({"uri": "ftp://hook.example/"}, "uri", "wrong_format"),
        ({"uri": "http://"}, "uri", "wrong_format"),
        ({"uri": "/in"}, "uri", "wrong_format"),
        ({"uri": "http://hook.example:99999/"}, "uri", "wrong_format"),
        ({"uri": "http://hook\n.example/"}, "uri", "wrong_format"),
        ({"uri": "http://10.0.0.1/"}, "uri", "forbidden"),
        ({"uri": "http://[::1]/"}, "uri", "forbidden"),
        ({"uri": "http://169.254.169.254/latest"}, "uri", "forbidden"),
        ({"hook": "fax"}, "hook", "enum"),
        ({"http_verb": "delete"}, "http_verb", "enum"),
        ({"format": "xml"}, "format", "enum"),
        ({"retries": 6}, "retries", "maximum"),
        ({"retries": 0}, "retries", "minimum"),
        ({"events": ["add-member", "nonsense"]}, "events.1", "enum"),
        ({"secret": "short"}, "secret", "minLength"),
        ({"custom_data": {"a": {}}}, "custom_data.a", "type"),
        ({"name": None}, "name", "type"),
    ],
)
async def test_what_cannot_work_is_refused(rest: Rest, wrong: dict[str, Any], path: str, code: str) -> None:
    assert code in (await rest.problems(**wrong))[path]


async def test_a_network_that_the_operator_allows_is_accepted(rest: Rest) -> None:
    await rest.make(uri="http://127.0.0.1:8080/")


async def test_an_account_has_a_limited_number(rest: Rest) -> None:
    made = [await rest.make() for _ in range(3)]
    assert (await rest.problems())["webhooks"]["maxItems"]["target"] == 3
    assert (await rest.call("PATCH", f"/{made[0]['id']}", {"name": "still changeable"})).status_code == 200
    await rest.call("DELETE", f"/{made[0]['id']}")
    await rest.make()


async def test_what_can_be_hooked_to_is_told_to_everybody(rest: Rest) -> None:
    answer = await rest.http.get("/v2/webhooks")
    hooks = {hook["id"]: hook for hook in answer.json()["data"]}
    assert hooks.keys() == {"conference", "all"}
    assert "add-member" in hooks["conference"]["modifiers"]["events"]["items"]


async def test_a_new_webhook_is_told_at_once_and_its_attempts_can_be_read(rest: Rest) -> None:
    async with receiving() as server:
        made = await rest.make(uri=server.uri)
        rest.house.tell("add-member")
        (request,) = await server.have(1)
        await until(lambda: bool(rest.webhooks.attempts(rest.house.account_id)))
        of_one = (await rest.call("GET", f"/{made['id']}/attempts")).json()
        of_all = (await rest.call("GET", "/attempts")).json()
        await rest.webhooks.close()
    assert of_one["data"] == of_all["data"]
    assert (of_all["page_size"], of_all["data"][0]["delivery_id"]) == (1, request.data["delivery_id"])
    assert (await rest.call("GET", f"/{'0' * 32}/attempts")).status_code == 404


async def test_a_disabled_webhook_says_why_until_it_is_enabled_again(rest: Rest) -> None:
    async with receiving(lambda _: BROKEN) as server:
        made = await rest.make(uri=server.uri, retries=1)
        rest.house.tell("lock", "unlock")
        await until(lambda: rest.webhooks.statistics()["disabled"] == 1)
        await rest.webhooks.close()
    (row,) = (await rest.call("GET")).json()["data"]
    assert (row["enabled"], row["disable_reason"]) == (False, "2 events in a row failed: the server answered 500")
    renamed = (await rest.call("PATCH", f"/{made['id']}", {"name": "new", "disable_message": "forged"})).json()["data"]
    assert renamed["disable_message"] == row["disable_reason"]
    enabled = (await rest.call("PATCH", f"/{made['id']}", {"enabled": True})).json()["data"]
    assert "disable_message" not in enabled


async def test_one_request_enables_all_that_failed_but_not_those_that_somebody_disabled(
    rest: Rest,
) -> None:
    by_hand = await rest.make(enabled=False)
    async with receiving(lambda _: BROKEN) as server:
        failed = await rest.make(uri=server.uri, retries=1)
        rest.house.tell("lock", "unlock")
        await until(lambda: rest.webhooks.statistics()["disabled"] == 1)
        answer = await rest.call("PATCH", "", {"re-enable": True})
        assert [row["id"] for row in answer.json()["data"]] == [failed["id"]]
        assert rest.webhooks.statistics()["active"] == 1
        await rest.webhooks.close()
    assert (await rest.call("GET", f"/{by_hand['id']}")).json()["data"]["enabled"] is False
    assert (await rest.call("GET", f"/{failed['id']}")).json()["data"]["enabled"] is True
    assert (await rest.call("PATCH", "", {"enabled": True})).status_code == 400


async def test_the_reason_of_disabling_cannot_be_invented(rest: Rest) -> None:
    made = await rest.make(enabled=False, disable_message="forged")
    assert "disable_message" not in made
