"""Login tokens, by a clock that the test sets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mirliton.store import Store, tokens


class Clock:
    """UNIX seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def timed(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    store = Store(None, tmp_path, now=clock)
    await store.open()
    yield store
    await store.close()


async def test_a_token_lives_on_with_use_and_dies_without(timed: Store, clock: Clock) -> None:
    token = await timed.tokens.issue("a" * 32, None, "api_auth", 3600)
    for _ in range(5):
        clock.now += 3000
        assert await timed.tokens.use(token, 3600) is not None
    clock.now += 3601
    assert await timed.tokens.use(token, 3600) is None


async def test_a_revoked_or_foreign_text_is_no_token(timed: Store) -> None:
    token = await timed.tokens.issue("a" * 32, "b" * 32, "user_auth", 3600)
    other = await timed.tokens.issue("a" * 32, "c" * 32, "user_auth", 3600)
    await timed.tokens.revoke(token)
    assert await timed.tokens.use(token, 3600) is None
    for text in ("", "x", "\udc80", "\x00", other[:-1]):
        assert await timed.tokens.look(text) is None
    await timed.tokens.revoke_all("a" * 32, "c" * 32)
    assert await timed.tokens.look(other) is None


async def test_an_account_has_a_bounded_number_of_tokens(
    timed: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MAX_PER_ACCOUNT", 5)
    issued = []
    for _ in range(8):
        clock.now += 1
        issued.append(await timed.tokens.issue("a" * 32, None, "api_auth", 36000))
    alive = [token for token in issued if await timed.tokens.look(token)]
    assert alive == issued[3:]
