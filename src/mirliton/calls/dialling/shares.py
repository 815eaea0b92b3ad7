"""How many calls an account may make at a time: what rings for one tenant cannot ring for another."""

from collections import Counter


class Shares:
    """Counts calls by account, from the first ring to the end; at most `most` each."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    def take(self, account_id: str, count: int) -> bool:
        """Take all of these, or (False) none."""
        if self._taken[account_id] + count > self._most:
            self._forget_idle(account_id)
            return False
        self._taken[account_id] += count
        return True

    def give_back(self, account_id: str, count: int = 1) -> None:
        """What was taken is free again."""
        self._taken[account_id] -= count
        self._forget_idle(account_id)

    def _forget_idle(self, account_id: str) -> None:
        if not self._taken[account_id]:
            del self._taken[account_id]
