"""Media: a document, and the recording itself under `/raw`, streamed to disk and decoded once before it is accepted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import FileResponse, Response

from mirliton.api.body import too_large, too_slow
from mirliton.api.call import Call, Handler, Reply, Route
from mirliton.api.errors import ApiError, wrong
from mirliton.api.recording import BadRecording, Recording, examine
from mirliton.api.resource import Body, Resource
from mirliton.store import Document

COLUMNS = (
    "name", "owner_id", "language", "media_source", "source_type", "source_id", "start", "prompt_id", "content_type",
    "content_length", "duration",
)  # fmt: skip
UPLOAD_SECONDS = 600.0
_FILE_KEYS = ("content_type", "content_length", "duration", "rate", "channels")


async def keep_file_keys(_call: Call, body: Body, private: Body, _old: Document | None) -> tuple[Body, Body]:
    """What the file says of itself is nobody else's to say, nor is where a recording of the server comes from."""
    given = {key: value for key, value in body.items() if key not in _FILE_KEYS}
    return given | private.get("origin", {}) | private.get("file", {}), private


async def remove_file(call: Call, document: Document) -> None:
    """The recording goes with its document."""
    await asyncio.to_thread(call.store.media.remove, document.account_id, document.id)


@dataclass(frozen=True, slots=True)
class Media(Resource):
    """A `Resource` with a file."""

    def routes(self) -> list[Route]:
        """`/raw` beside the document."""
        collection, document = Resource.routes(self)
        verbs: dict[str, Handler] = {"GET": self.download, "PUT": self.upload, "POST": self.upload}
        return [collection, document, Route(f"{document.path}/raw", verbs, raw=frozenset({"PUT", "POST"}))]

    async def download(self, call: Call) -> Response:
        """The file as it was uploaded."""
        document = await self.document(call)
        path = await asyncio.to_thread(call.store.media.path, document.account_id, document.id)
        if path is None:
            raise ApiError(404, "not_found", {"message": "nothing was uploaded yet: POST the recording here"})
        headers = {"X-Request-ID": call.request_id, "X-Content-Type-Options": "nosniff"}
        return FileResponse(path, headers=headers, media_type=document.body.get("content_type"))

    async def upload(self, call: Call) -> Reply:
        """WAV, FLAC, MP3 or Ogg as the whole body, whatever `Content-Type` says. Raises `ApiError` 400, 408, 413."""
        document = await self.document(call)
        async with _draft(call, document) as draft:
            recording = await _received(call, draft)
            await asyncio.to_thread(call.store.media.install, draft, document.account_id, document.id)
        changed = await call.store.documents.update(
            document.account_id,
            document.id,
            lambda old: (old.body | recording.as_keys(), old.private | {"file": recording.as_keys()}),
            kind=self.kind,
        )
        call.services.changed("changed", changed)
        return self.reply(changed)


@asynccontextmanager
async def _draft(call: Call, document: Document) -> AsyncIterator[Path]:
    draft = await asyncio.to_thread(call.store.media.draft, document.account_id)
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)  # still there unless it was installed


async def _received(call: Call, draft: Path) -> Recording:
    settings = call.services.settings
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            await _stream(call, draft, settings.http.max_media_bytes)
    except TimeoutError:
        raise too_slow() from None
    try:
        return await asyncio.to_thread(examine, draft, settings.media.max_clip_seconds)
    except BadRecording as refusal:
        raise wrong("file", "invalid", str(refusal), target="body") from None


async def _stream(call: Call, draft: Path, limit: int) -> None:
    length = call.request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        call.services.metrics.oversized.inc()
        raise too_large(limit)
    size = 0
    with await asyncio.to_thread(draft.open, "wb") as file:
        async for chunk in call.request.stream():
            size += len(chunk)
            if size > limit:
                call.services.metrics.oversized.inc()
                raise too_large(limit)
            await asyncio.to_thread(file.write, chunk)


MEDIA = Media("media", "media", "media", COLUMNS, keep_file_keys, remove_file)
