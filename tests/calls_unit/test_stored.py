"""Calls read accounts, callflows and conferences out of the store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mirliton.calls.ports import CallData
from mirliton.calls.stored import StoredCallData
from mirliton.store.store import Store, config_id


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store(None, tmp_path)
    await opened.open()
    yield opened
    await opened.close()


async def test_a_domain_is_an_accounts_realm_else_the_default_account(store: Store) -> None:
    data: CallData = StoredCallData(store)
    assert await data.account_for("one.example") is None
    default = await store.accounts.create({"name": "d", "realm": "d.example", "language": "fr-fr"}, default=True)
    one = await store.accounts.create({"name": "one", "realm": "one.example"})
    await store.accounts.create({"name": "off", "realm": "off.example", "enabled": False})
    found, other = await data.account_for("ONE.example"), await data.account_for("10.0.0.1")
    assert found is not None
    assert other is not None
    assert (found.account_id, other.account_id, other.language) == (one.id, default.id, "fr-fr")
    assert await data.account_for("off.example") is None, "a disabled account's calls are not the default account's"


async def test_documents_are_found_by_id_and_type_only(store: Store) -> None:
    data: CallData = StoredCallData(store)
    account = (await store.accounts.create({"name": "a", "realm": "a.example"})).id
    room = await store.documents.create(account, "conference", {"name": "r", "conference_numbers": ["55"]})
    flow = {"numbers": ["3000"], "flow": {"module": "conference"}}
    callflow = await store.documents.create(account, "callflow", flow)
    assert await data.conference(account, room.id) == {"name": "r", "conference_numbers": ["55"], "id": room.id}
    assert await data.conference(account, callflow.id) is None
    assert await data.conference(account, "x\0") is None
    assert await data.conference("other", room.id) is None
    assert [found["id"] for found in await data.conferences_by_number(account, "55")] == [room.id]
    assert await data.callflow(account, room.id) is None
    route = await data.callflow_for(account, "3000")
    assert route is not None
    assert (route.callflow["flow"], route.captures) == (flow["flow"], ())
    assert await data.callflow_for(account, "3001") is None


async def test_configuration_of_account_and_system(store: Store) -> None:
    data: CallData = StoredCallData(store, {"pin_timeout": 1})
    account = (await store.accounts.create({"name": "a", "realm": "a.example", "language": "de-de"})).id
    await store.documents.create(account, "config", {"entry_tone": "ding"}, document_id=config_id("conferences"))
    configuration = await data.conference_configuration(account)
    assert configuration.account == {"entry_tone": "ding"}
    assert configuration.system == {"pin_timeout": 1}
    assert configuration.account_language == "de-de"
