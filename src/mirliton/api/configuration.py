"""An account's configuration, category `conferences` (semantics 2.7)."""

from collections.abc import Callable
from typing import Any

from mirliton.api.call import Call, Reply, Route
from mirliton.api.errors import bad_identifier
from mirliton.api.resource import merged, public, stored_keys
from mirliton.schemas import validate
from mirliton.store import Document, NotFound, StaleRevision
from mirliton.store.store import config_id

SCHEMAS = {"conferences": "system_config.conferences"}


async def read(call: Call) -> Reply:
    """What is set; nothing is set at first."""
    found = await _stored(call)
    return _reply(call, found) if found is not None else Reply({"id": _category(call)})


async def replace(call: Call) -> Reply:
    """All of it anew."""
    given = stored_keys(call.data())
    return await _change(call, lambda _: given)


async def merge(call: Call) -> Reply:
    """The given keys merged in; null removes one."""
    given = stored_keys(call.data())
    return await _change(call, lambda old: merged(old, given))


ROUTES = [Route("/accounts/{account_id}/config/{category}", {"GET": read, "POST": replace, "PATCH": merge})]


async def _change(call: Call, next_body: Callable[[dict[str, Any]], dict[str, Any]]) -> Reply:
    category, account_id = _category(call), call.account.id
    schema_id = SCHEMAS[category]
    while (found := await _stored(call)) is None:
        if call.expected_revision is not None:
            raise StaleRevision("none: nothing is stored yet")
        body = validate(schema_id, next_body({}))
        try:
            made = await call.store.documents.create(account_id, "config", body, document_id=config_id(category))
        except StaleRevision:  # another writer made it first
            continue
        call.services.changed("created", made)
        return _reply(call, made)
    changed = await call.store.documents.update(
        account_id,
        found.id,
        lambda old: (validate(schema_id, next_body(old.body)), old.private),
        kind="config",
        expected=call.expected_revision,
    )
    call.services.changed("changed", changed)
    return _reply(call, changed)


async def _stored(call: Call) -> Document | None:
    try:
        return await call.store.documents.get(call.account.id, config_id(_category(call)), "config")
    except NotFound:
        return None


def _category(call: Call) -> str:
    category = call.path["category"]
    if category not in SCHEMAS:
        raise bad_identifier(category)
    return category


def _reply(call: Call, document: Document) -> Reply:
    data = public(document) | {"id": _category(call)}
    return Reply(data, etag=document.revision, revision=document.revision)
