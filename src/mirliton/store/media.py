"""Media files: `DATA/media/ACCOUNT/ID`, put in place by an atomic rename."""

import os
import tempfile
from pathlib import Path


class MediaFiles:
    """The recordings of all accounts. Blocking, short calls; run the long ones (`install`) in a thread."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "media"

    def path(self, account_id: str, media_id: str) -> Path | None:
        """The file of a media document, if one was uploaded."""
        place = self._place(account_id, media_id)
        return place if place.is_file() else None

    def draft(self, account_id: str) -> Path:
        """An empty file beside the finished ones; the caller fills it and then installs or discards it."""
        folder = self._root / account_id
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".draft-", dir=folder)
        os.close(handle)
        return Path(name)

    def install(self, draft: Path, account_id: str, media_id: str) -> None:
        """Make a finished draft the media's file: readers see the old sound or the new one, never half of it."""
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(self._place(account_id, media_id))

    def remove(self, account_id: str, media_id: str) -> None:
        """Remove the file, if there is one."""
        self._place(account_id, media_id).unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove drafts that a crash left behind, and say how many; only when nobody uploads."""
        drafts = list(self._root.glob("*/.draft-*"))
        for draft in drafts:
            draft.unlink(missing_ok=True)
        return len(drafts)

    def _place(self, account_id: str, media_id: str) -> Path:
        if not (account_id.isalnum() and media_id.isalnum()):
            raise ValueError("ids are hexadecimal")
        return self._root / account_id / media_id
