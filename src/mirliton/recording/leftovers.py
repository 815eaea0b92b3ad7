"""Recordings that were not finished: after a crash of the server, of the writer, or of the disk under them.

While it is written, a recording lies beside the finished files as `.recording-ID`, ID being that of its document. What
came after the writer had died is in `.recording-ID.N`, which begins at the sample N of the whole.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from mirliton.recording.media_documents import MediaDocuments
from mirliton.recording.mending import Part, mend_apart
from mirliton.recording.sound_files import FileFacts
from mirliton.store import NotFound, Store

_PREFIX = ".recording-"


@dataclass(frozen=True, slots=True)
class Leftover:
    """Unfinished files and the document they were meant for."""

    account_id: str
    media_id: str
    parts: tuple[Part, ...]


def place_for(store: Store, account_id: str, media_id: str) -> Path:
    """An empty file to record into; blocking. Raises `OSError`."""
    draft = store.media.draft(account_id)
    return draft.replace(draft.with_name(_PREFIX + media_id))


def leftovers(store: Store) -> list[Leftover]:
    """All unfinished recordings, running ones too; blocking. Raises `OSError`."""
    found: dict[tuple[str, str], list[Part]] = {}
    for path in sorted((store.data_dir / "media").glob(f"*/{_PREFIX}*")):
        media_id, _, offset = path.name.removeprefix(_PREFIX).partition(".")
        if media_id.isalnum() and (offset or "0").isdecimal() and path.is_file():
            found.setdefault((path.parent.name, media_id), []).append(Part(int(offset or 0), str(path)))
    return [Leftover(account_id, media_id, tuple(parts)) for (account_id, media_id), parts in found.items()]


async def finish_leftover(documents: MediaDocuments, left: Leftover) -> FileFacts | None:
    """Give the document what can be decoded of the parts; remove all of it when that is nothing.

    Raises `WriteFailed` and `OSError`; the parts then stay for the next attempt.
    """
    draft = await asyncio.to_thread(documents.store.media.draft, left.account_id)
    try:
        mended = await mend_apart(list(left.parts), draft)
        facts = mended.facts
        if facts is None:
            await documents.remove(left.account_id, left.media_id)
        else:
            whole = Path(left.parts[0].path) if mended.in_place else draft
            await documents.attach(left.account_id, left.media_id, whole, facts)
    except NotFound:  # somebody deleted the document: nobody wants the sound
        facts = None
    finally:
        await asyncio.to_thread(draft.unlink, missing_ok=True)
    await asyncio.to_thread(remove_parts, left.parts)
    return facts


def remove_parts(parts: tuple[Part, ...]) -> None:
    """Their files; what is gone already is no error. Blocking; raises `OSError`."""
    for part in parts:
        Path(part.path).unlink(missing_ok=True)
