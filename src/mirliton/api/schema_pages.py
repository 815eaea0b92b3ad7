"""The schemas themselves, for whoever wants to check before sending. Public: they hold nothing of anybody."""

from mirliton.api.call import Call, Reply, Route
from mirliton.api.errors import bad_identifier
from mirliton.api.listing import digest
from mirliton.schemas import UnknownSchema, schema, schema_ids, validate


async def list_schemas(_call: Call) -> Reply:
    """All ids."""
    return Reply(schema_ids(), etag=digest(schema_ids()))


async def read_schema(call: Call) -> Reply:
    """One schema; raises `ApiError` 404."""
    schema_id = call.path["schema_id"]
    try:
        found = schema(schema_id)
    except UnknownSchema:
        raise bad_identifier(schema_id) from None
    return Reply({**found, "id": schema_id}, etag=digest(found))


async def validate_document(call: Call) -> Reply:
    """The document as it would be stored; raises `Invalid`, `ApiError` 404."""
    schema_id = call.path["schema_id"]
    try:
        return Reply(validate(schema_id, call.data()))
    except UnknownSchema:
        raise bad_identifier(schema_id) from None


ROUTES = [
    Route("/schemas", {"GET": list_schemas}, public=True),
    Route("/schemas/{schema_id}", {"GET": read_schema}, public=True),
    Route("/schemas/{schema_id}/validation", {"PUT": validate_document}, public=True),
]
