"""Control groups (semantics 4.3) and digit matching (4.2)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.conference.digits import DIGIT_SECONDS, MAX_TYPED, BadBinding, Binding, DigitMatcher, check_digits
from mirliton.conference.profile import Configuration
from mirliton.conference.settings import Conference, RoomSettings, room_settings


def room(document: dict[str, Any], **stores: Any) -> RoomSettings:
    return room_settings(Conference("acc", "c1", document, stored=True), Configuration(**stores))


def matcher(*digits: str) -> DigitMatcher:
    return DigitMatcher([Binding(each, "event") for each in digits])


def run(match: DigitMatcher, typed: str, now: float = 0.0) -> list[str]:
    return [binding.digits for digit in typed for binding in match.press(digit, now)]


MUTE_ON_5 = [{"digits": "5", "action": "Mute  On"}]


def test_the_built_in_group_has_the_seven_bindings_for_everybody() -> None:
    settings = room({})
    assert {b.digits: b.action for b in settings.member_controls.bindings} == {
        "*1": "mute",
        "*2": "mute on",
        "*3": "mute off",
        "*4": "deaf",
        "*5": "deaf on",
        "*6": "deaf off",
        "#": "hangup",
    }
    assert settings.moderator_controls.bindings == settings.member_controls.bindings


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"caller_controls": "five"}, "five"),
        ({"profile": {"caller-controls": "five"}}, "five"),
        ({"caller_controls": "five", "profile": {"caller-controls": "none"}}, "five"),
    ],
)
def test_a_named_group_is_found_by_document_then_profile(document: dict[str, Any], name: str) -> None:
    settings = room(document, account={"controls": {"five": MUTE_ON_5}})
    assert settings.member_controls.name == name
    assert settings.member_controls.bindings == (Binding("5", "mute on"),)
    assert settings.moderator_controls.bindings == settings.member_controls.bindings


def test_moderators_can_have_a_group_of_their_own() -> None:
    settings = room({"moderator_controls": "five"}, system={"controls": {"five": MUTE_ON_5}})
    assert settings.moderator_controls.bindings == (Binding("5", "mute on"),)
    assert len(settings.member_controls.bindings) == 7


def test_literal_controls_of_the_document_replace_every_named_group() -> None:
    assert room({"controls": MUTE_ON_5, "caller_controls": "x"}).member_controls.bindings == (Binding("5", "mute on"),)


@pytest.mark.parametrize("name", ["none", "paging", "page"])
def test_empty_groups_are_known(name: str) -> None:
    group = room({"caller_controls": name}).member_controls
    assert (group.bindings, group.complaints) == ((), ())


def test_an_unknown_group_binds_nothing_and_says_so() -> None:
    group = room({"caller_controls": "nope"}).member_controls
    assert group.bindings == ()
    assert "nope" in group.complaints[0]


def test_bad_bindings_are_left_out_and_named() -> None:
    entries = [{"digits": "1", "action": "fly"}, {"digits": "x", "action": "mute"}, 7, *MUTE_ON_5]
    group = room({"controls": entries}).member_controls
    assert group.bindings == (Binding("5", "mute on"),)
    assert len(group.complaints) == 3


def test_binding_the_same_digits_again_replaces() -> None:
    group = room({"controls": [{"digits": "5", "action": "mute"}, *MUTE_ON_5]}).member_controls
    assert [b.action for b in group.bindings] == ["mute on"]


def test_an_exact_match_runs_at_once() -> None:
    assert run(matcher("*1", "#"), "*1#") == ["*1", "#"]


@pytest.mark.parametrize("order", [("1", "12"), ("12", "1")])
def test_a_match_that_is_also_a_prefix_waits_in_any_order_of_binding(order: tuple[str, str]) -> None:
    match = matcher(*order)
    assert run(match, "1") == []
    assert match.deadline == DIGIT_SECONDS
    late = match.expire(DIGIT_SECONDS)
    assert late is not None
    assert late.digits == "1"
    assert run(match, "12") == ["12"]


def test_a_mere_prefix_is_thrown_away_by_the_timer() -> None:
    match = matcher("*1")
    run(match, "*")
    assert match.expire(DIGIT_SECONDS) is None
    assert run(match, "1", DIGIT_SECONDS) == []


def test_what_matches_nothing_is_discarded_with_its_last_digit() -> None:
    match = matcher("*1", "#")
    assert run(match, "**1") == []
    assert run(match, "*1") == ["*1"]


def test_an_overdue_timer_is_served_before_the_next_digit() -> None:
    match = matcher("1", "12", "2")
    assert run(match, "1") == []
    assert run(match, "2", now=5.0) == ["1", "2"]


keys = st.text("0123456789*#", min_size=1, max_size=4)


@given(st.lists(keys, max_size=8), st.lists(st.tuples(st.sampled_from("0123456789*#"), st.floats(0, 1)), max_size=30))
def test_only_bound_digits_ever_run_and_nothing_waits_for_ever(
    bound: list[str], presses: list[tuple[str, float]]
) -> None:
    match = matcher(*bound)
    now = 0.0
    for digit, pause in presses:
        now += pause
        ran = match.press(digit, now)
        assert all(binding.digits in bound for binding in ran)
        assert match.deadline is None or match.deadline > now
    match.expire(now + DIGIT_SECONDS)
    assert match.deadline is None


@given(st.lists(keys, min_size=1, max_size=8), st.data())
def test_every_binding_can_be_typed(bound: list[str], data: st.DataObject) -> None:
    wanted = data.draw(st.sampled_from(bound))
    match = matcher(*bound)
    ran = run(match, wanted)
    late = match.expire(DIGIT_SECONDS)
    assert [*ran, *([late.digits] if late else [])] == [wanted]


@pytest.mark.parametrize(
    ("bound", "typed", "at_once", "later"),
    [
        (["~[1-3]"], "2", [], "2"),
        (["~[1-3]"], "9", [], None),
        (["=~[1-3]"], "2", ["2"], None),
        (["~[1-9]{4}"], "1234", [], "1234"),
        (["=~[1-9]{4}"], "12345", ["1234"], None),
        (["~\\d{2}", "12"], "12", [], "12"),
        (["=1", "12"], "12", ["1"], None),
        (["=1", "~1\\d"], "1", ["1"], None),
        (["=*a"], "*A", ["*A"], None),
        (["~a+"], "AA", [], "AA"),
        (["~1", "~[0-9]"], "1", [], "1"),
    ],
)
def test_expressions_and_first_matches(bound: list[str], typed: str, at_once: list[str], later: str | None) -> None:
    match = DigitMatcher([Binding(check_digits(each), "event") for each in bound])
    assert run(match, typed) == at_once
    late = match.expire(DIGIT_SECONDS)
    assert (late.digits if late else None) == later


def test_the_first_of_two_expressions_that_match_runs() -> None:
    match = DigitMatcher([Binding("~[0-9]", "mute"), Binding("~1", "deaf")])
    run(match, "1")
    late = match.expire(DIGIT_SECONDS)
    assert late is not None
    assert late.action == "mute"


def test_what_is_typed_for_an_expression_is_bounded() -> None:
    match = matcher("~1+")
    run(match, "1" * (MAX_TYPED - 1))
    assert match.deadline is not None
    assert run(match, "1") == ["1" * MAX_TYPED]
    assert match.deadline is None


@pytest.mark.parametrize("digits", ["", "=", "x", "~(", "~(a)\\1", "~" + "1" * 300, "1" * 40, "=~["])
def test_digits_that_cannot_be_matched_are_refused(digits: str) -> None:
    with pytest.raises(BadBinding):
        check_digits(digits)


def test_an_expression_that_takes_others_exponential_time_is_harmless() -> None:
    match = matcher("~(1+)+2")
    assert run(match, "1" * 31 + "3") == []


@given(st.text(max_size=20))
def test_any_digits_are_taken_or_refused(digits: str) -> None:
    group = room({"controls": [{"digits": digits, "action": "mute"}]}).member_controls
    assert len(group.bindings) + len(group.complaints) == 1
