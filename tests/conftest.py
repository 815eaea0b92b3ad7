"""Shared by all tests."""

import asyncio
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def main_loop() -> Iterator[None]:
    """pytest-asyncio asks for the thread's loop, and on Python 3.11 that makes one which nobody closes."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
