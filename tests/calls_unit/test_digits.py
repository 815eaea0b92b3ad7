"""Entries of digits (semantics 1.5.2), and presses that are reported twice."""

from hypothesis import given
from hypothesis import strategies as st

from mirliton.calls.digits import DigitEntry, DigitSources


def entry() -> DigitEntry:
    return DigitEntry(max_digits=16, terminator="#", first_digit_ms=5000, interdigit_ms=2000)


def test_the_terminator_ends_the_entry_and_is_no_part_of_it() -> None:
    one = entry()
    for digit in "12*#":
        one.press(digit, 0.0)
    assert (one.complete, one.digits) == (True, "12*")
    assert one.deadline is None


def test_the_last_allowed_digit_ends_the_entry() -> None:
    one = entry()
    for digit in "1" * 20:
        one.press(digit, 0.0)
    assert (one.complete, one.digits) == (True, "1" * 16)


def test_the_first_digit_timer_starts_when_the_prompt_has_finished() -> None:
    one = entry()
    one.prompt_finished(10.0)
    one.prompt_finished(12.0)
    assert one.deadline == 15.0
    one.expire(14.9)
    assert one.deadline == 15.0
    one.expire(15.0)
    assert (one.complete, one.digits) == (True, "")


def test_digits_have_a_timer_of_their_own() -> None:
    one = entry()
    one.prompt_finished(0.0)
    one.press("7", 4.0)
    one.prompt_finished(5.0)
    assert one.deadline == 6.0
    one.expire(6.0)
    assert (one.complete, one.digits) == (True, "7")


def test_one_press_by_two_ways_counts_once_in_either_order() -> None:
    sources = DigitSources()
    assert sources.is_new("rtp", "1", 0.0)
    assert not sources.is_new("info", "1", 0.1)
    assert sources.is_new("info", "2", 1.0)
    assert not sources.is_new("rtp", "2", 1.1)
    assert sources.echoes == 2


def test_the_same_key_pressed_twice_by_two_ways_counts_twice() -> None:
    sources = DigitSources()
    reports = [("rtp", 0.0), ("rtp", 0.2), ("info", 0.25), ("info", 0.3)]
    assert [sources.is_new(source, "1", at) for source, at in reports] == [True, True, False, False]


def test_a_late_report_from_the_other_way_is_a_press() -> None:
    sources = DigitSources()
    assert sources.is_new("rtp", "1", 0.0)
    assert sources.is_new("info", "1", 1.5)


@given(st.lists(st.tuples(st.sampled_from("01#"), st.floats(0.0, 0.6)), max_size=12), st.booleans())
def test_whatever_is_typed_at_a_human_pace_each_press_counts_once(
    presses: list[tuple[str, float]], info_first: bool
) -> None:
    sources = DigitSources()
    order = ("info", "rtp") if info_first else ("rtp", "info")
    now, typed = 0.0, ""
    for digit, pause in presses:
        now += pause
        for delay, source in zip((0.0, 0.05), order, strict=True):
            typed += digit if sources.is_new(source, digit, now + delay) else ""
    assert typed == "".join(digit for digit, _ in presses)
