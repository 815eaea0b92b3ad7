"""The recorded names of people, kept in the store (semantics 1.5.8): a `conference.ports.Names`."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mirliton.conference.ports import CallerInfo, NameNotKept, Recorded, Sound
from mirliton.recording.media_documents import Changed, MediaDocuments
from mirliton.recording.sound_files import WriteFailed, write_flac
from mirliton.store import Document, DocumentTooLarge, NotFound, StaleRevision, Store, TooManyDocuments
from mirliton.store.document import new_id

_log = structlog.get_logger(__name__)

_ADDRESS = re.compile(r"/([0-9a-f]{32})/([0-9a-f]{32})")
_MARK = ".name-"
_ATTEMPTS = 10
_LONGEST_CALL_ID = 256
_NOT_KEPT = (WriteFailed, OSError, SQLAlchemyError, TooManyDocuments, DocumentTooLarge, StaleRevision, NotFound)
"""The database is among them: on a full disk it may be the first to fail."""


@dataclass(slots=True)
class NameStatistics:
    """Counters since the start."""

    known: int = 0
    kept: int = 0
    temporary: int = 0
    forgotten: int = 0
    failed: int = 0


class StoredNames:
    """Names of users are media documents that their user document points to; those of others go when they leave.

    A file `.name-ID` beside the sounds marks a name that nobody owns (yet): `sweep` removes those that a crash left.
    """

    def __init__(self, store: Store, changed: Changed) -> None:
        self.statistics = NameStatistics()
        self._store = store
        self._documents = MediaDocuments(store, changed)

    async def known(self, caller: CallerInfo) -> Sound | None:
        """`/<account>/<media>` of the caller's user; None without user, recording or file."""
        user = await self._user(caller)
        media_id = _pronounced(user.body).get("media_id") if user else None
        if not isinstance(media_id, str) or await self._get(caller.account_id, media_id, "media") is None:
            return None
        if await asyncio.to_thread(self._store.media.path, caller.account_id, media_id) is None:
            return None
        self.statistics.known += 1
        return address_of(caller.account_id, media_id)

    async def keep(self, caller: CallerInfo, recorded: Recorded) -> Sound:
        """Store the recording, marked as temporary. Raises `NameNotKept`; then nothing is left of it."""
        user, media_id = await self._user(caller), new_id()
        try:
            await self._store_sound(caller, user, media_id, recorded)
        except _NOT_KEPT as problem:
            self.statistics.failed += 1
            await self._remove(caller.account_id, media_id)
            raise NameNotKept(str(problem)) from problem
        self.statistics.kept += 1
        return address_of(caller.account_id, media_id)

    async def adopt(self, caller: CallerInfo, sound: Sound) -> bool:
        """Write a kept recording into the caller's user document; False when there is no user, or it cannot be written.

        Never raises: a name that cannot be kept for later is still good for this conference.
        """
        user, parsed = await self._user(caller), _ADDRESS.fullmatch(sound)
        if user is None or parsed is None or parsed.group(1) != caller.account_id:
            self.statistics.temporary += 1
            return False
        media_id = parsed.group(2)
        try:
            owned = await self._point_to(user, media_id)
        except (OSError, SQLAlchemyError, DocumentTooLarge, StaleRevision) as problem:
            _log.warning("name.not_adopted", account_id=caller.account_id, user_id=user.id, problem=str(problem))
            owned = False
        if owned:
            await asyncio.to_thread(self._mark(caller.account_id, media_id).unlink, missing_ok=True)
        self.statistics.temporary += not owned
        return owned

    async def forget(self, caller: CallerInfo, sound: Sound) -> None:
        """Delete a temporary recording of the caller's account; anything else is left alone. Never raises."""
        parsed = _ADDRESS.fullmatch(sound)
        if parsed is None or parsed.group(1) != caller.account_id:
            return
        media_id = parsed.group(2)
        if await asyncio.to_thread(self._mark(caller.account_id, media_id).exists):
            removed = await self._remove(caller.account_id, media_id)
            self.statistics.forgotten += removed  # read after the wait: others are forgotten at the same time

    async def sweep(self) -> int:
        """Remove the temporary names that a crash left behind, and say how many; before calls come."""
        marks = await asyncio.to_thread(lambda: list((self._store.data_dir / "media").glob(f"*/{_MARK}*")))
        return sum([await self._remove(mark.parent.name, mark.name.removeprefix(_MARK)) for mark in marks])

    async def _store_sound(self, caller: CallerInfo, user: Document | None, media_id: str, recorded: Recorded) -> None:
        draft = await asyncio.to_thread(self._marked_draft, caller.account_id, media_id)
        try:
            facts = await asyncio.to_thread(write_flac, draft, recorded.rate, recorded.samples)
            await self._documents.create(
                caller.account_id,
                media_id,
                f"Name of {caller.caller_id_name or caller.caller_id_number or 'a caller'}",
                source_type="call",
                source_id=caller.call_id[:_LONGEST_CALL_ID],
                owner_id=user.id if user else None,
            )
            await self._documents.attach(caller.account_id, media_id, draft, facts)
        finally:
            await asyncio.to_thread(draft.unlink, missing_ok=True)

    async def _point_to(self, user: Document, media_id: str) -> bool:
        """Write the id into the user document as it is now; false when the user was deleted meanwhile."""

        def pointing(old: Document) -> tuple[dict[str, Any], dict[str, Any]]:
            return old.body | {"name_pronounced": _pronounced(old.body) | {"media_id": media_id}}, old.private

        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                written = await self._store.documents.update(user.account_id, user.id, pointing, kind="user")
            except NotFound:
                return False
            except StaleRevision:
                if not attempts_left:
                    raise
            else:
                self._documents.changed("changed", written)
                return True
        return False

    async def _user(self, caller: CallerInfo) -> Document | None:
        """The user who calls, or who owns the device that calls."""
        owner_id = caller.owner_id
        if owner_id is None and caller.device_id is not None:
            device = await self._get(caller.account_id, caller.device_id, "device")
            owner_id = device.body.get("owner_id") if device else None
        return await self._get(caller.account_id, owner_id, "user") if owner_id else None

    async def _get(self, account_id: str, document_id: str, kind: str) -> Document | None:
        try:
            return await self._store.documents.get(account_id, document_id, kind)
        except NotFound:
            return None

    async def _remove(self, account_id: str, media_id: str) -> bool:
        """Document, file and mark; a failure is logged, and the mark stays for the next sweep."""
        try:
            await self._documents.remove(account_id, media_id)
            await asyncio.to_thread(self._mark(account_id, media_id).unlink, missing_ok=True)
        except Exception as problem:  # a name that cannot be deleted must not end the call
            _log.warning("name.not_removed", account_id=account_id, media_id=media_id, problem=str(problem))
            return False
        return True

    def _marked_draft(self, account_id: str, media_id: str) -> Path:
        draft = self._store.media.draft(account_id)
        try:
            self._mark(account_id, media_id).touch()
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        return draft

    def _mark(self, account_id: str, media_id: str) -> Path:
        return self._store.data_dir / "media" / account_id / f"{_MARK}{media_id}"


def address_of(account_id: str, media_id: str) -> Sound:
    """The address of a media document (semantics 5.3)."""
    return f"/{account_id}/{media_id}"


def _pronounced(body: dict[str, Any]) -> dict[str, Any]:
    """`name_pronounced` of a user document."""
    found = body.get("name_pronounced")
    return found if isinstance(found, dict) else {}
