"""Media documents that the server makes itself, with their files; whoever follows changes is told of each."""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mirliton.recording.sound_files import FileFacts
from mirliton.schemas.validation import defaults
from mirliton.store import Document, NotFound, Store
from mirliton.store.document import gregorian

Changed = Callable[[str, Document], None]
"""("created" | "changed" | "deleted", the document), as `api.call.OnDocumentChange`."""

_LONGEST_NAME = 128


class MediaDocuments:
    """Makes, fills and removes media documents. Errors are those of `store.Documents`."""

    def __init__(self, store: Store, changed: Changed, now: Callable[[], float] = time.time) -> None:
        self.store = store
        self.changed = changed
        self.now = now

    async def create(
        self,
        account_id: str,
        media_id: str,
        name: str,
        *,
        source_type: str,
        source_id: str,
        owner_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Document:
        """A document without a file yet. Where it comes from stays what it is whatever clients write (`origin`).

        `details`: further keys of that kind.
        """
        origin = {
            "media_source": "recording",
            "source_type": source_type,
            "source_id": source_id,
            "start": gregorian(self.now()),
            **(details or {}),
        }
        body: dict[str, Any] = defaults("media") | {"name": name[:_LONGEST_NAME]} | origin
        if owner_id is not None:
            body["owner_id"] = owner_id
        document = await self.store.documents.create(
            account_id, "media", body, {"origin": origin}, document_id=media_id
        )
        self.changed("created", document)
        return document

    async def attach(self, account_id: str, media_id: str, file: Path, facts: FileFacts) -> Document:
        """Make a finished file the document's. Raises `NotFound`, and `OSError` when the file cannot be put in place.

        The document comes first: should the server die in between, the file is still there to be found.
        """
        keys = facts.as_keys()
        document = await self.store.documents.update(
            account_id, media_id, lambda old: (old.body | keys, old.private | {"file": keys}), kind="media"
        )
        await asyncio.to_thread(self.store.media.install, file, account_id, media_id)
        self.changed("changed", document)
        return document

    async def remove(self, account_id: str, media_id: str) -> None:
        """The document and its file; what is gone already is no error. Raises `OSError`."""
        try:
            document = await self.store.documents.delete(account_id, media_id, kind="media")
        except NotFound:
            document = None
        await asyncio.to_thread(self.store.media.remove, account_id, media_id)
        if document is not None:
            self.changed("deleted", document)
