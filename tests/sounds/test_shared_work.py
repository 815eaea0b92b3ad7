"""Work that several ask for is done once, within bounds."""

import asyncio

import pytest

from mirliton.sounds.shared_work import SharedWork, Shares, TooMuchWork


async def never() -> int:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


async def test_an_error_reaches_everybody_who_waits_and_the_next_try_begins_anew() -> None:
    work: SharedWork[int] = SharedWork(1)
    go = asyncio.Event()

    async def fail() -> int:
        await go.wait()
        raise LookupError("gone")

    async def succeed() -> int:
        return 5

    waiting = [asyncio.create_task(work.result("a", fail)) for _ in range(2)]
    await asyncio.sleep(0)
    go.set()
    assert [str(error) for error in await asyncio.gather(*waiting, return_exceptions=True)] == ["gone", "gone"]
    assert await work.result("a", succeed) == 5


async def test_as_many_as_allowed_are_under_way_and_a_known_one_can_still_be_joined() -> None:
    work: SharedWork[int] = SharedWork(1)
    first = asyncio.create_task(work.result("a", never))
    await asyncio.sleep(0)
    with pytest.raises(TooMuchWork):
        await work.result("b", never)
    joined = asyncio.create_task(work.result("a", never))
    await asyncio.sleep(0)
    assert not joined.done()
    await work.close()
    assert all(
        isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(first, joined, return_exceptions=True)
    )


async def test_an_error_that_nobody_waits_for_is_no_complaint_at_the_end() -> None:
    work: SharedWork[int] = SharedWork(1)
    go, failed = asyncio.Event(), asyncio.Event()
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))

    async def fail() -> int:
        await go.wait()
        failed.set()
        raise LookupError

    waiting = asyncio.create_task(work.result("a", fail))
    await asyncio.sleep(0)
    waiting.cancel()
    go.set()
    await failed.wait()
    await work.close()
    assert complaints == []


def test_an_account_has_its_share_and_gets_it_back_also_after_an_error() -> None:
    shares = Shares(2)
    with shares.one("a"), shares.one("a"), shares.one("b"), pytest.raises(TooMuchWork), shares.one("a"):
        raise AssertionError("a third")
    with pytest.raises(LookupError), shares.one("a"):
        raise LookupError
    with shares.one("a"), shares.one("a"):
        assert shares
