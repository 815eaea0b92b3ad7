"""What all stored resources have in common: list, create, read, replace, merge, delete (semantics 6.2, 6.3)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mirliton.api.authentication import is_id
from mirliton.api.call import Call, Reply, Route
from mirliton.api.errors import ApiError, bad_identifier
from mirliton.api.listing import list_documents
from mirliton.schemas import validate
from mirliton.store import Document, StaleRevision

MAX_RETRIES = 50
"""How often a change without `If-Match` starts again because another one was faster."""

Body = dict[str, Any]
Prepare = Callable[[Call, Body, Body, Document | None], Awaitable[tuple[Body, Body]]]
"""(call, valid new body, private part, document as it was) -> what to store; raises `ApiError` or `Invalid`."""


async def nothing_to_prepare(_call: Call, body: Body, private: Body, _old: Document | None) -> tuple[Body, Body]:
    """For kinds whose schema says everything."""
    return body, private


async def nothing_to_clean(_call: Call, _document: Document) -> None:
    """For kinds that are nothing but documents."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of document. `name` is its path segment; `columns` are the keys of a list row."""

    name: str
    kind: str
    schema: str
    columns: tuple[str, ...]
    prepare: Prepare = nothing_to_prepare
    clean: Callable[[Call, Document], Awaitable[None]] = nothing_to_clean

    def routes(self) -> list[Route]:
        """The collection and the document, as for most kinds."""
        path = f"/accounts/{{account_id}}/{self.name}"
        document = {"GET": self.read, "POST": self.replace, "PATCH": self.merge, "DELETE": self.delete}
        return [
            Route(path, {"GET": self.list, "PUT": self.create}),
            Route(f"{path}/{{document_id}}", document),
        ]

    async def list(self, call: Call) -> Reply:
        """The rows of a page."""
        return await list_documents(call, self.kind, self.row)

    async def create(self, call: Call) -> Reply:
        """A new document; `Location` is its bare id."""
        body = validate(self.schema, stored_keys(call.data()))
        body, private = await self.prepare(call, body, {}, None)
        document = await call.store.documents.create(call.account.id, self.kind, body, private)
        call.services.changed("created", document)
        return self.reply(document, code=201, headers={"Location": document.id})

    async def read(self, call: Call) -> Reply:
        """The document."""
        return self.reply(await self.document(call))

    async def replace(self, call: Call) -> Reply:
        """A new public part: keys that are missing are gone, defaults are written again."""
        given = stored_keys(call.data())
        return self.reply(await self.change(call, lambda _: given))

    async def merge(self, call: Call) -> Reply:
        """The document with the given keys merged in at any depth; null removes a key."""
        given = stored_keys(call.data())
        return self.reply(await self.change(call, lambda old: merged(old.body, given)))

    async def delete(self, call: Call) -> Reply:
        """The document as it was, marked as deleted."""
        document = await call.store.documents.delete(
            call.account.id, self.id_of(call), kind=self.kind, expected=call.expected_revision
        )
        await self.clean(call, document)
        call.services.changed("deleted", document)
        reply = self.reply(document)
        reply.data["_read_only"]["deleted"] = True
        return reply

    async def document(self, call: Call) -> Document:
        """The document of the path; raises `NotFound`, `ApiError` 404."""
        return await call.store.documents.get(call.account.id, self.id_of(call), self.kind)

    async def change(self, call: Call, next_body: Callable[[Document], Body]) -> Document:
        """Store what follows from the document as it is now; again, when another writer was faster.

        With `If-Match` there is no second attempt: the client wanted to change exactly that revision.
        """
        for _ in range(MAX_RETRIES):
            old = await self.document(call)
            if call.expected_revision not in (None, old.revision):
                raise StaleRevision(old.revision)
            body = validate(self.schema, next_body(old))
            body, private = await self.prepare(call, body, old.private, old)
            try:
                document = await call.store.documents.replace(
                    call.account.id, old.id, body, private, expected=old.revision
                )
            except StaleRevision:
                continue
            call.services.changed("changed", document)
            return document
        raise ApiError(409, "datastore_conflict", {"message": "too many changes at once: try again", "cause": old.id})

    def id_of(self, call: Call) -> str:
        """The id in the path; raises `ApiError` 404 for what cannot be one."""
        document_id = call.path["document_id"]
        if not is_id(document_id):
            raise bad_identifier(document_id)
        return document_id

    def row(self, document: Document) -> Body:
        """One row of a list."""
        return {"id": document.id} | {key: document.body[key] for key in self.columns if key in document.body}

    def reply(self, document: Document, code: int = 200, headers: dict[str, str] | None = None) -> Reply:
        """One document, with its revision as ETag."""
        revision = document.revision
        return Reply(public(document), code, etag=revision, revision=revision, headers=headers or {})


def public(document: Document) -> Body:
    """What clients see of a document."""
    times = {"created": document.created, "modified": document.modified}
    return document.body | {"id": document.id, "_read_only": times}


def merged(old: Body, given: Body) -> Body:
    """`given` laid over `old` at any depth; null removes."""
    result = dict(old)
    for key, value in given.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            under = result.get(key)
            result[key] = merged(under if isinstance(under, dict) else {}, value)
        else:
            result[key] = value
    return result


def stored_keys(data: Body) -> Body:
    """Given keys without the private ones, and without the id, which is ours to give."""
    return {key: value for key, value in data.items() if key != "id" and not key.startswith(("_", "pvt_"))}
