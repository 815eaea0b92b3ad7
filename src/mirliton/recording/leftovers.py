"""Recordings that were not finished: after a crash of the server, or of the disk under them.

While it is written, a recording lies beside the finished files as `.recording-ID`, ID being that of its document.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from mirliton.recording.flac import FileFacts, rewrite
from mirliton.recording.media_documents import MediaDocuments
from mirliton.store import NotFound, Store

_PREFIX = ".recording-"


@dataclass(frozen=True, slots=True)
class Leftover:
    """An unfinished file and the document it was meant for."""

    account_id: str
    media_id: str
    path: Path


def place_for(store: Store, account_id: str, media_id: str) -> Path:
    """An empty file to record into; blocking. Raises `OSError`."""
    draft = store.media.draft(account_id)
    return draft.replace(draft.with_name(_PREFIX + media_id))


def leftovers(store: Store) -> list[Leftover]:
    """All unfinished files, of running recordings too; blocking. Raises `OSError`."""
    found = (store.data_dir / "media").glob(f"*/{_PREFIX}*")
    return [Leftover(path.parent.name, path.name.removeprefix(_PREFIX), path) for path in sorted(found)]


async def finish_leftover(documents: MediaDocuments, left: Leftover) -> FileFacts | None:
    """Give the document what can be decoded of the file; remove both when that is nothing.

    Raises `WriteFailed` and `OSError`; the file then stays for the next attempt.
    """
    draft = await asyncio.to_thread(documents.store.media.draft, left.account_id)
    try:
        facts = await asyncio.to_thread(rewrite, left.path, draft)
        if facts is None:
            await documents.remove(left.account_id, left.media_id)
        else:
            await documents.attach(left.account_id, left.media_id, draft, facts)
    except NotFound:  # somebody deleted the document: nobody wants the sound
        facts = None
    finally:
        await asyncio.to_thread(draft.unlink, missing_ok=True)
    await asyncio.to_thread(left.path.unlink, missing_ok=True)
    return facts
