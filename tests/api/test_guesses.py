"""What an attempt with a PIN costs, in virtual time."""

import asyncio

import pytest

from mirliton.api.guesses import FIRST_PAUSE, FORGIVEN_SECONDS, FREE, MAX_TARGETS, Busy, Guesses, Pauses

pytestmark = pytest.mark.looptime

LONGEST = 4.0


class Clock:
    """Seconds, moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def guesses(max_waiting: int = 10, per_minute: int = 1000) -> Guesses:
    loop = asyncio.get_running_loop()
    return Guesses(per_minute, LONGEST, max_waiting, loop.time, asyncio.sleep)


async def test_pauses_double_up_to_the_longest() -> None:
    pauses = Pauses(LONGEST, Clock())
    assert [pauses.take("board") for _ in range(FREE)] == [0.0] * FREE
    assert [pauses.take("board") for _ in range(6)] == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0]
    for _ in range(5000):
        assert pauses.take("board") == LONGEST
    assert pauses.take("other") == 0.0


async def test_wrong_pins_are_forgiven_with_time_and_right_ones_do_not_count() -> None:
    clock = Clock()
    pauses = Pauses(LONGEST, clock)
    for _ in range(FREE + 1):
        pauses.take("board")
    assert pauses.take("board") == FIRST_PAUSE * 2
    pauses.give_back("board")
    assert pauses.take("board") == FIRST_PAUSE * 2
    clock.now += FORGIVEN_SECONDS * (FREE + 2)
    assert pauses.take("board") == 0.0


async def test_the_table_is_bounded() -> None:
    pauses = Pauses(LONGEST, Clock())
    for number in range(MAX_TARGETS + 50):
        pauses.take(number)
    assert len(pauses._wrong) == MAX_TARGETS


async def slow(attempts: Guesses) -> None:
    """So many wrong PINs that the next answers wait for the longest time."""
    for number in range(FREE + 5):
        await attempts.begin(f"stranger {number}", "board")


async def test_an_address_waits_for_one_answer_at_a_time() -> None:
    attempts = guesses()
    await slow(attempts)
    first = asyncio.create_task(attempts.begin("ann", "board"))
    await asyncio.sleep(1)
    with pytest.raises(Busy) as busy:
        await attempts.begin("ann", "other")
    assert busy.value.seconds == 1
    await attempts.begin("bob", "board")
    await first
    await attempts.begin("ann", "other")


async def test_so_many_answers_wait_and_no_more_and_those_who_give_up_make_room() -> None:
    attempts = guesses(max_waiting=2)
    await slow(attempts)
    waiting = [asyncio.create_task(attempts.begin(f"waiter {number}", "board")) for number in range(2)]
    await asyncio.sleep(1)
    with pytest.raises(Busy):
        await attempts.begin("third", "board")
    waiting[0].cancel()
    await asyncio.sleep(0)
    started = asyncio.get_running_loop().time()
    await attempts.begin("third", "board")
    assert asyncio.get_running_loop().time() - started == pytest.approx(LONGEST)
    await waiting[1]


async def test_an_address_that_is_out_of_attempts_costs_the_conference_nothing() -> None:
    attempts = guesses(per_minute=2)
    for _ in range(2):
        await attempts.begin("ann", "board")
    for _ in range(50):
        with pytest.raises(Busy):
            await attempts.begin("ann", "board")
    started = asyncio.get_running_loop().time()
    await attempts.begin("bob", "board")
    assert asyncio.get_running_loop().time() == started
    attempts.right("bob", "board")
