"""Webhooks follow their documents, and write into them when a server fails."""

from typing import Any

from mirliton.store import Document
from mirliton.webhooks import Webhooks

from .conftest import House, until
from .receiver import BROKEN, OK, receiving


async def changed(house: House, webhooks: Webhooks, hook: Document, **body: Any) -> Document:
    new = await house.store.documents.replace(hook.account_id, hook.id, hook.body | body)
    webhooks.changed("changed", new)
    return new


async def test_a_new_a_changed_a_disabled_and_a_deleted_webhook_are_followed(house: House) -> None:
    async with receiving() as first, receiving() as second, house.serving() as webhooks:
        hook = await house.hook(first.uri)
        webhooks.changed("created", hook)
        house.tell("lock")
        await first.have(1)
        hook = await changed(house, webhooks, hook, uri=second.uri)
        house.tell("lock")
        await second.have(1)
        hook = await changed(house, webhooks, hook, enabled=False)
        assert webhooks.statistics()["active"] == 0
        hook = await changed(house, webhooks, hook, enabled=True)
        webhooks.changed("deleted", await house.store.documents.delete(hook.account_id, hook.id))
        assert webhooks.statistics()["active"] == 0
        assert webhooks.attempts(house.account_id) == []
    assert (len(first.requests), len(second.requests)) == (1, 1)


async def test_news_that_come_late_change_nothing(house: House) -> None:
    async with receiving() as server, house.serving() as webhooks:
        old = await house.hook("http://127.0.0.1:1/")
        webhooks.changed("created", old)
        new = await changed(house, webhooks, old, uri=server.uri)
        webhooks.changed("created", old)
        house.tell("lock")
        await server.have(1)
        webhooks.changed("deleted", new)
        webhooks.changed("changed", new)
        assert webhooks.statistics()["active"] == 0


async def test_other_documents_are_nothing_to_webhooks(house: House) -> None:
    async with house.serving() as webhooks:
        conference = await house.store.documents.create(house.account_id, "conference", {"name": "x"})
        webhooks.changed("created", conference)
        assert webhooks.statistics()["active"] == 0


async def test_after_a_restart_enabled_webhooks_are_served_again(house: House) -> None:
    async with receiving() as server, receiving() as disabled:
        await house.hook(server.uri)
        await house.hook(disabled.uri, enabled=False)
        for _ in range(2):
            async with house.serving() as webhooks:
                assert webhooks.statistics()["active"] == 1
                house.tell("lock")
                await until(lambda served=webhooks: served.statistics()["delivered"] == 1)  # type: ignore[misc]
    assert (len(server.requests), len(disabled.requests)) == (2, 0)


async def test_many_stored_webhooks_are_all_found(house: House) -> None:
    for _ in range(203):
        await house.hook("http://127.0.0.1:1/")
    async with house.serving(max_per_account=1000) as webhooks:
        assert webhooks.statistics()["active"] == 203


async def test_no_more_are_served_than_the_limits_allow(house: House) -> None:
    for _ in range(5):
        await house.hook("http://127.0.0.1:1/")
    async with house.serving(max_per_account=3) as webhooks:
        assert (webhooks.statistics()["active"], webhooks.statistics()["not_served"]) == (3, 2)
    async with house.serving(max_active=2) as webhooks:
        assert (webhooks.statistics()["active"], webhooks.statistics()["not_served"]) == (2, 3)


async def test_a_server_that_keeps_failing_disables_its_webhook_with_the_reason(house: House) -> None:
    async with receiving(lambda _: BROKEN) as server:
        hook = await house.hook(server.uri, retries=2)
        async with house.serving(disable_after=3) as webhooks:
            house.tell(*["lock"] * 5)
            await until(lambda: webhooks.statistics()["disabled"] == 1)
            assert (webhooks.statistics()["active"], webhooks.statistics()["waiting"]) == (0, 0)
            assert len(webhooks.attempts(house.account_id, hook.id)) == 6
    assert len(server.requests) == 6
    stored = await house.store.documents.get(house.account_id, hook.id)
    assert stored.body["enabled"] is False
    assert stored.body["disable_message"] == "3 events in a row failed: the server answered 500"
    async with house.serving() as webhooks:
        assert webhooks.statistics()["active"] == 0


async def test_one_success_forgives_the_failures_before(house: House) -> None:
    async with receiving(lambda request: OK if request.data["number"] == 2 else BROKEN) as server:
        await house.hook(server.uri, retries=1)
        async with house.serving(disable_after=3) as webhooks:
            house.tell(*["lock"] * 5)
            await server.have(5)
            await until(lambda: webhooks.statistics()["given_up"] == 4)
            assert (webhooks.statistics()["active"], webhooks.statistics()["disabled"]) == (1, 0)


async def test_a_webhook_that_was_just_changed_is_not_disabled(house: House) -> None:
    async with receiving(lambda _: BROKEN) as server:
        hook = await house.hook(server.uri, retries=1)
        async with house.serving(disable_after=1) as webhooks:
            await house.store.documents.replace(hook.account_id, hook.id, hook.body | {"name": "by another"})
            house.tell("lock")
            await until(lambda: webhooks.statistics()["given_up"] == 1)
            assert webhooks.statistics()["disabled"] == 0
    assert (await house.store.documents.get(house.account_id, hook.id)).body["enabled"] is True


async def test_only_the_last_attempts_are_kept(house: House) -> None:
    async with receiving() as server:
        first = await house.hook(server.uri)
        second = await house.hook(server.uri)
        async with house.serving(kept_attempts=4) as webhooks:
            house.tell(*["lock"] * 6)
            await until(lambda: webhooks.statistics()["delivered"] == 12)
            every = webhooks.attempts(house.account_id)
            assert len(webhooks.attempts(house.account_id, first.id)) == 4
            assert {attempt["hook_id"] for attempt in every} == {first.id, second.id}
            assert webhooks.attempts("another account") == []
    assert len(every) == 8
    assert every[0]["result"] == "success"
    assert every[0]["timestamp"] == 62_167_219_200 + 1_700_000_000
