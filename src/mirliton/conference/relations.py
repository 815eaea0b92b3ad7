"""Who does not hear whom (semantics 3.3 and 6.6)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_RELATIONS = 1000


@dataclass(slots=True)
class Relations:
    """Ordered pairs (listener, speaker) of a room in which the one does not hear the other."""

    limit: int = MAX_RELATIONS
    refused: int = 0  # pairs that were too many
    _silent: dict[tuple[int, int], None] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._silent)

    @property
    def left(self) -> int:
        """How many more pairs there can be."""
        return self.limit - len(self._silent)

    def silence(self, listener: int, speaker: int) -> bool | None:
        """True: a new pair. False: it is so already. None: there are too many pairs."""
        pair = (listener, speaker)
        if pair in self._silent:
            return False
        if len(self._silent) >= self.limit:
            self.refused += 1
            return None
        self._silent[pair] = None
        return True

    def clear(self, one: int, other: int) -> Iterable[tuple[int, int]]:
        """Both directions hear each other again; returns the pairs that did not."""
        pairs = [pair for pair in ((one, other), (other, one)) if pair in self._silent]
        for pair in pairs:
            del self._silent[pair]
        return pairs

    def hear(self, listener: int, speaker: int) -> None:
        """The one hears the other again: it could not be prevented after all."""
        self._silent.pop((listener, speaker), None)

    def forget(self, member_id: int) -> None:
        """A member has gone."""
        for pair in [pair for pair in self._silent if member_id in pair]:
            del self._silent[pair]
