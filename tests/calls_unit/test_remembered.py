"""Remembered lookups: asked once, forgotten at a change, bounded in number and age."""

from typing import Any

from mirliton.calls.ports import Route
from mirliton.calls.remembered import RememberedCallData


class Counting:
    """A source that counts how often it is asked, and can be changed while it thinks."""

    def __init__(self) -> None:
        self.asked = 0
        self.meanwhile: Any = None

    async def callflow_for(self, account_id: str, number: str) -> Route | None:
        self.asked += 1
        answer = Route({"number": number, "version": self.asked})
        if self.meanwhile:
            self.meanwhile()
        return answer


def remembered(source: Counting, **bounds: float) -> tuple[RememberedCallData, list[float]]:
    now = [0.0]
    return RememberedCallData(source, lambda: now[0], **bounds), now  # type: ignore[arg-type]


async def test_the_same_question_is_asked_once() -> None:
    source = Counting()
    data, _ = remembered(source)
    first = await data.callflow_for("a", "1")
    assert await data.callflow_for("a", "1") is first
    assert await data.callflow_for("a", "2") is not first
    assert await data.callflow_for("b", "1") is not first
    assert source.asked == 3


async def test_after_a_change_it_is_asked_again() -> None:
    source = Counting()
    data, _ = remembered(source)
    first = await data.callflow_for("a", "1")
    data.forget()
    assert await data.callflow_for("a", "1") != first


async def test_an_answer_from_before_a_change_is_not_kept() -> None:
    source = Counting()
    data, _ = remembered(source)
    source.meanwhile = data.forget
    first = await data.callflow_for("a", "1")
    source.meanwhile = None
    assert await data.callflow_for("a", "1") != first


async def test_an_answer_grows_old() -> None:
    source = Counting()
    data, now = remembered(source, max_age=5)
    first = await data.callflow_for("a", "1")
    now[0] = 4.9
    assert await data.callflow_for("a", "1") is first
    now[0] = 5.1
    assert await data.callflow_for("a", "1") is not first


async def test_no_more_answers_are_kept_than_allowed() -> None:
    source = Counting()
    data, _ = remembered(source, max_answers=10)
    for number in range(100):
        await data.callflow_for("a", str(number))
    await data.callflow_for("a", "99")
    assert source.asked == 100
    await data.callflow_for("a", "0")
    assert source.asked == 101
