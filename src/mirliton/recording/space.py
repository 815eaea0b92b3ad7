"""How many bytes an account's recordings take, and may take."""

from collections import Counter

from mirliton.store import Document, Store


class Space:
    """`limit` in bytes for the recordings of one account, those of names included; 0: none."""

    def __init__(self, store: Store, limit: int) -> None:
        self.limit = limit
        self._store = store
        self._kept: Counter[str] = Counter()

    async def look(self, account_id: str) -> int:
        """Bytes that are free of the account's share, but for those of recordings that run."""
        page = await self._store.documents.list(account_id, "media", keep=_is_recording)
        self._kept[account_id] = sum(_size(document) for document in page.documents)
        return self.limit - self._kept[account_id]

    def exceeded(self, account_id: str, running: int) -> bool:
        """Whether the recordings that run, of `running` bytes, take more than there was when last looked."""
        return bool(self.limit) and self._kept[account_id] + running >= self.limit

    def kept(self, account_id: str, size: int) -> None:
        """A recording of this size was finished."""
        self._kept[account_id] += size

    def forget(self, account_id: str) -> None:
        """Nothing of the account runs: what is kept will be looked up again."""
        self._kept.pop(account_id, None)


def _is_recording(document: Document) -> bool:
    return document.body.get("media_source") == "recording"


def _size(document: Document) -> int:
    size = document.body.get("content_length", 0)
    return size if isinstance(size, int) else 0
