"""What all tests of the demo share."""

import asyncio

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_loop_before_the_first_async_test() -> None:
    """Otherwise pytest-asyncio makes one to put back at the end, and nobody closes it: a warning, so an error."""
    asyncio.set_event_loop(None)
