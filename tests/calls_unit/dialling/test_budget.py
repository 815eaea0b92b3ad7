"""What an account may spend on the trunk in 24 hours."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.calls.dialling.budget import DAY_SECONDS, STEP_SECONDS, Exhausted, Spent, StoredBudgets, spend
from mirliton.store import Store, TooManyDocuments, bootstrap

NOON = 1_700_000_000.0


class Clock:
    """Seconds, moved by hand."""

    now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(None, tmp_path)
    await made.open()
    yield made
    await made.close()


async def test_a_budget_is_used_up_and_comes_back_after_a_day(store: Store, tmp_path: Path) -> None:
    account, clock = await bootstrap(store, tmp_path), Clock()
    budgets = StoredBudgets(store.documents, calls_per_day=2, minutes_per_day=3, now=clock)
    assert await budgets.spend(account.id, calls=1)
    assert await budgets.spend(account.id, minutes=2)
    assert await budgets.spend(account.id, calls=1)
    assert not await budgets.spend(account.id, calls=1)
    assert await budgets.spend(account.id, minutes=1)
    assert not await budgets.spend(account.id, minutes=1)
    clock.now += DAY_SECONDS - 1
    assert not await budgets.spend(account.id, minutes=1)
    clock.now += STEP_SECONDS + 1
    assert await budgets.spend(account.id, calls=1)


async def test_a_restart_and_another_account_change_nothing(store: Store, tmp_path: Path) -> None:
    account = await bootstrap(store, tmp_path)
    other = await store.accounts.create({"name": "other"})
    for _ in range(2):
        budgets = StoredBudgets(store.documents, calls_per_day=1, minutes_per_day=3, now=Clock())
        spent = await budgets.spend(account.id, calls=1)
    assert not spent
    assert await budgets.spend(other.id, calls=1)


async def test_calls_at_the_same_moment_do_not_share_what_is_left(store: Store, tmp_path: Path) -> None:
    account = await bootstrap(store, tmp_path)
    budgets = StoredBudgets(store.documents, calls_per_day=3, minutes_per_day=3, now=Clock())
    granted = await asyncio.gather(*(budgets.spend(account.id, calls=1) for _ in range(8)))
    assert sum(granted) == 3


async def test_what_cannot_be_written_down_is_not_spent(tmp_path: Path) -> None:
    store = Store(None, tmp_path, max_documents_per_account=8)
    await store.open()
    try:
        account = await bootstrap(store, tmp_path)
        with pytest.raises(TooManyDocuments):
            for _ in range(9):
                await store.documents.create(account.id, "device", {"name": "x"})
        budgets = StoredBudgets(store.documents, calls_per_day=3, minutes_per_day=3)
        assert not await budgets.spend(account.id, calls=1)
    finally:
        await store.close()


def test_a_call_needs_a_minute_that_is_left() -> None:
    spent = spend({}, NOON, calls=0, minutes=5, max_calls=9, max_minutes=5)
    with pytest.raises(Exhausted):
        spend(spent, NOON, calls=1, minutes=0, max_calls=9, max_minutes=5)


@given(st.lists(st.tuples(st.integers(0, 20_000), st.booleans()), max_size=60), st.integers(1, 10), st.integers(1, 10))
def test_no_24_hours_ever_see_more_than_the_budget(
    orders: list[tuple[int, bool]], max_calls: int, max_minutes: int
) -> None:
    """`orders`: seconds since the one before, and whether it is a call or a minute."""
    spent: Spent = {}
    now = NOON
    granted: list[tuple[float, bool]] = []
    for later, is_call in orders:
        now += later
        try:
            spent = spend(spent, now, calls=is_call, minutes=not is_call, max_calls=max_calls, max_minutes=max_minutes)
        except Exhausted:
            continue
        granted.append((now, is_call))
        assert len(spent) <= DAY_SECONDS // STEP_SECONDS + 2
        recent = [call for at, call in granted if at > now - DAY_SECONDS]
        assert sum(recent) <= max_calls
        assert len(recent) - sum(recent) <= max_minutes
