"""A sender whose clock is too fast: a file of its own, because two hours take a while even in virtual time."""

import pytest

from tests.media.wrong_clock import assert_follows


def test_a_clock_ten_times_too_wrong_does_not_let_delay_creep() -> None:
    assert_follows(2000, 720)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_hours_with_a_wrong_clock_do_not_let_delay_creep() -> None:
    assert_follows(200, 7200)
