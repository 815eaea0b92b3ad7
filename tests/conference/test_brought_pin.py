"""A PIN that arrives with the call is checked without a question (semantics 1.5.4, last item)."""

from typing import Any

import pytest

from mirliton.conference.directory import Directory
from mirliton.conference.entry import Admission, enter
from mirliton.conference.settings import Role

from .scripted import MemoryDocuments, ScriptedCaller

ID = "c" * 32
PIN = "conf-enter_conf_pin"


async def go(caller: ScriptedCaller, pin: str | None, **document: Any) -> Admission | None:
    return await enter(caller, {"id": ID}, MemoryDocuments({"id": ID, **document}), Directory(), pin=pin)


@pytest.mark.parametrize(("pin", "role"), [("11", Role.MEMBER), ("99", Role.MODERATOR)])
async def test_a_right_pin_lets_in_with_its_role_and_without_a_question(pin: str, role: Role) -> None:
    caller = ScriptedCaller()
    admission = await go(caller, pin, member={"pins": ["11"]}, moderator={"pins": ["99"]})
    assert PIN not in caller.heard
    assert admission is not None
    assert admission.caller.role is role


@pytest.mark.parametrize("pin", ["12", "", None, "011"])
async def test_any_other_pin_leaves_the_question_with_all_its_attempts(pin: str | None) -> None:
    caller = ScriptedCaller("1", "2", "11")
    admission = await go(caller, pin, member={"pins": ["11"]})
    assert caller.heard.count(PIN) == 3
    assert admission is not None


async def test_no_pin_at_all_is_still_a_question_where_only_moderators_have_one() -> None:
    caller = ScriptedCaller("")
    admission = await go(caller, "", moderator={"pins": ["99"]})
    assert caller.heard.count(PIN) == 1
    assert admission is not None


async def test_a_pin_for_a_room_without_any_is_no_matter() -> None:
    caller = ScriptedCaller()
    admission = await go(caller, "11")
    assert admission is not None
    assert admission.caller.role is Role.MEMBER
