"""Two nodes on one PostgreSQL. The other tests of this folder run on it too when MIRLITON_TEST_POSTGRES is set."""

import asyncio
from pathlib import Path

import pytest

from mirliton.store import Document, Store, bootstrap

from . import postgres

pytestmark = pytest.mark.skipif(
    postgres.URL is None,
    reason="no PostgreSQL: set MIRLITON_TEST_POSTGRES to the URL of a database that may be emptied",
)


async def test_nodes_that_start_together_agree_on_tables_account_and_numbers(tmp_path: Path) -> None:
    assert postgres.URL is not None
    await postgres.empty(postgres.URL)
    nodes = [Store(postgres.URL, tmp_path / str(n)) for n in range(3)]
    try:
        await asyncio.gather(*(node.open() for node in nodes))
        accounts = await asyncio.gather(*(bootstrap(node, tmp_path / str(n)) for n, node in enumerate(nodes)))
        assert len({account.id for account in accounts}) == 1
        body = {"name": "x", "conference_numbers": ["1", "2"]}
        account_id = accounts[0].id
        results = await asyncio.gather(
            *(node.documents.create(account_id, "conference", body) for node in nodes * 5), return_exceptions=True
        )
        assert sorted(type(result).__name__ for result in results) == ["ClaimTaken"] * 14 + ["Document"]
        made = next(result for result in results if isinstance(result, Document))
        await asyncio.gather(
            *(
                node.documents.update(account_id, made.id, lambda old: (old.body | {"n": old.body.get("n", 0) + 1}, {}))
                for node in nodes * 5
            )
        )
        assert (await nodes[0].documents.get(account_id, made.id)).body["n"] == 15
    finally:
        for node in nodes:
            await node.close()
