"""Shared by the engine's tests."""

from collections.abc import Iterator

import pytest

from tests.media.bench import EngineBench


@pytest.fixture
def bench() -> Iterator[EngineBench]:
    bench = EngineBench()
    yield bench
    bench.close()
