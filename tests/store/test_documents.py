"""Documents: revisions, claims, deletion, lists."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mirliton.store import ClaimTaken, Document, NotFound, StaleRevision, Store, TooManyDocuments
from mirliton.store.claims import MAX_CLAIMS, TooManyClaims
from mirliton.store.document import GREGORIAN_OFFSET

from . import postgres


async def test_a_document_comes_back_as_it_was_stored(store: Store, account: Document) -> None:
    body = {"name": "Ünïcode \u0000", "deep": [{"x": 1.5}, None]}
    made = await store.documents.create(account.id, "conference", body, {"secret": 1})
    found = await store.documents.get(account.id, made.id, "conference")
    assert found == made
    assert found.body == body
    assert found.private == {"secret": 1}
    assert found.revision.startswith("1-")
    assert found.created == found.modified > GREGORIAN_OFFSET
    assert len(found.id) == 32


async def test_documents_are_invisible_from_other_accounts_and_as_other_types(store: Store, account: Document) -> None:
    other = await store.accounts.create({"name": "other"})
    made = await store.documents.create(account.id, "conference", {"name": "x"})
    with pytest.raises(NotFound):
        await store.documents.get(other.id, made.id)
    with pytest.raises(NotFound):
        await store.documents.get(account.id, made.id, "callflow")
    for nonsense in ("", "\0" * 32, "é"):
        with pytest.raises(NotFound):
            await store.documents.get(account.id, nonsense)


async def test_a_stale_revision_changes_nothing(store: Store, account: Document) -> None:
    first = await store.documents.create(account.id, "conference", {"name": "one"})
    second = await store.documents.replace(account.id, first.id, {"name": "two"}, expected=first.revision)
    assert second.revision.startswith("2-")
    with pytest.raises(StaleRevision) as stale:
        await store.documents.replace(account.id, first.id, {"name": "three"}, expected=first.revision)
    assert stale.value.current == second.revision
    with pytest.raises(StaleRevision):
        await store.documents.delete(account.id, first.id, expected=first.revision)
    assert (await store.documents.get(account.id, first.id)).body == {"name": "two"}


async def test_concurrent_changes_are_all_kept(store: Store, account: Document) -> None:
    made = await store.documents.create(account.id, "conference", {"name": "x"})

    def add(key: str) -> Any:
        return lambda old: (old.body | {key: True}, old.private)

    await asyncio.gather(*(store.documents.update(account.id, made.id, add(f"k{n}")) for n in range(20)))
    found = await store.documents.get(account.id, made.id)
    assert set(found.body) == {"name"} | {f"k{n}" for n in range(20)}
    assert found.revision.startswith("21-")


async def test_of_many_concurrent_claims_on_a_number_one_wins(store: Store, account: Document) -> None:
    bodies = [{"name": str(n), ("member" if n % 2 else "moderator"): {"numbers": ["700"]}} for n in range(20)]
    results = await asyncio.gather(
        *(store.documents.create(account.id, "conference", body) for body in bodies), return_exceptions=True
    )
    assert sum(isinstance(result, Document) for result in results) == 1
    refused = [result for result in results if isinstance(result, ClaimTaken)]
    assert len(refused) == 19
    assert refused[0].values == ["700"]
    assert len((await store.documents.list(account.id, "conference")).documents) == 1


async def test_two_stores_on_one_database_still_agree_on_who_has_a_number(store: Store, account: Document) -> None:
    second = Store(postgres.URL, store.data_dir)
    await second.open()
    try:
        body = {"name": "x", "conference_numbers": ["800"]}
        stores = [store, second] * 5
        results = await asyncio.gather(
            *(one.documents.create(account.id, "conference", body) for one in stores), return_exceptions=True
        )
    finally:
        await second.close()
    assert sorted(type(result).__name__ for result in results) == ["ClaimTaken"] * 9 + ["Document"]


async def test_a_number_may_stand_in_all_three_lists_and_in_other_accounts_and_callflows(
    store: Store, account: Document
) -> None:
    other = await store.accounts.create({"name": "other"})
    lists = {"conference_numbers": ["1"], "member": {"numbers": ["1"]}, "moderator": {"numbers": ["1"]}}
    made = await store.documents.create(account.id, "conference", lists)
    await store.documents.create(other.id, "conference", lists)
    await store.documents.create(account.id, "callflow", {"numbers": ["1"]})
    assert [found.id for found in await store.conference_by_number(account.id, "1")] == [made.id]


async def test_a_refused_change_keeps_the_old_numbers(store: Store, account: Document) -> None:
    await store.documents.create(account.id, "conference", {"conference_numbers": ["1", "2"]})
    made = await store.documents.create(account.id, "conference", {"conference_numbers": ["3"]})
    with pytest.raises(ClaimTaken) as taken:
        await store.documents.replace(account.id, made.id, {"conference_numbers": ["2", "4", "1"]})
    assert taken.value.values == ["2", "1"]
    assert [found.id for found in await store.conference_by_number(account.id, "3")] == [made.id]
    assert await store.conference_by_number(account.id, "4") == []


async def test_deletion_frees_the_numbers(store: Store, account: Document) -> None:
    body = {"conference_numbers": ["5"]}
    made = await store.documents.create(account.id, "conference", body)
    assert (await store.documents.delete(account.id, made.id)).body == body
    with pytest.raises(NotFound):
        await store.documents.get(account.id, made.id)
    with pytest.raises(NotFound):
        await store.documents.delete(account.id, made.id)
    assert await store.conference_by_number(account.id, "5") == []
    await store.documents.create(account.id, "conference", body)


async def test_numbers_of_any_length_and_many_of_them_are_kept_or_refused_clearly(
    store: Store, account: Document
) -> None:
    long = "1" * 5000
    made = await store.documents.create(account.id, "conference", {"conference_numbers": [long]})
    assert [found.id for found in await store.conference_by_number(account.id, long)] == [made.id]
    many = [str(n) for n in range(MAX_CLAIMS + 1)]
    with pytest.raises(TooManyClaims):
        await store.documents.create(account.id, "conference", {"conference_numbers": many})
    await store.documents.create(account.id, "conference", {"conference_numbers": many[:MAX_CLAIMS]})


@pytest.mark.parametrize("ascending", [True, False])
async def test_pages_cover_every_document_once_in_order(store: Store, account: Document, ascending: bool) -> None:
    made = [(await store.documents.create(account.id, "user", {"n": n})).id for n in range(23)]
    seen: list[str] = []
    after = None
    while True:
        page = await store.documents.list(account.id, "user", limit=5, after=after, ascending=ascending)
        seen += [document.id for document in page.documents]
        after = page.next
        if after is None:
            break
        assert len(page.documents) == 5
    assert seen == (made if ascending else made[::-1])


async def test_a_filtered_list_goes_past_batches_without_a_hit(store: Store, account: Document) -> None:
    for n in range(450):
        await store.documents.create(account.id, "user", {"n": n})
    page = await store.documents.list(
        account.id, "user", limit=2, ascending=True, keep=lambda d: d.body["n"] % 200 == 199
    )
    assert [document.body["n"] for document in page.documents] == [199, 399]
    assert page.next is None


async def test_a_full_account_forgets_tombstones_first_and_then_refuses(tmp_path: Path) -> None:
    store = Store(None, tmp_path, max_documents_per_account=3)
    await store.open()
    try:
        account = await store.accounts.create({"name": "small"})
        for _ in range(5):
            made = await store.documents.create(account.id, "user", {})
            await store.documents.delete(account.id, made.id)
        for _ in range(2):
            await store.documents.create(account.id, "user", {})
        with pytest.raises(TooManyDocuments):
            await store.documents.create(account.id, "user", {})
    finally:
        await store.close()
