"""Pauses between attempts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.webhooks.outcome import pause, retry_after


def test_pauses_double_up_to_the_longest() -> None:
    assert [pause(failed, 0, 60, 1.0) for failed in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_pauses_are_spread_over_their_second_half() -> None:
    assert [pause(3, 0, 60, random) for random in (0.0, 0.5, 1.0)] == [2, 3, 4]


@given(st.integers(1, 10_000), st.floats(0, 1e12), st.floats(0, 3600), st.floats(0, 1))
def test_no_pause_is_longer_than_the_longest(failed: int, asked: float, longest: float, random: float) -> None:
    assert 0 <= pause(failed, asked, longest, random) <= longest


def test_the_server_can_ask_for_a_longer_pause_but_not_for_a_shorter_one() -> None:
    assert pause(1, 30, 60, 1.0) == 30
    assert pause(1, 3600, 60, 1.0) == 60
    assert pause(4, 1, 60, 1.0) == 8


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("120", 120),
        (" 7 ", 7),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
        ("-5", 0),
        ("soon", 0),
        ("", 0),
        ("9" * 400, 0),
        ("Tue, 99 Nov 99999 22:14:20 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float) -> None:
    assert retry_after(header, 1_700_000_000.0) == seconds


@given(st.text())
def test_any_header_gives_seconds(header: str) -> None:
    assert retry_after(header, 0.0) >= 0
