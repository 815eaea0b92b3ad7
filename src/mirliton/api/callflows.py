"""Callflows: where calls to a number go."""

from mirliton.api.call import Call
from mirliton.api.resource import Body, Resource
from mirliton.schemas import Invalid
from mirliton.store import Document
from mirliton.store.patterns import pattern_errors

COLUMNS = ("name", "numbers", "patterns", "owner_id", "flags")


async def check_patterns(_call: Call, body: Body, private: Body, _old: Document | None) -> tuple[Body, Body]:
    """Raises `Invalid` for expressions that the server would not run."""
    if errors := pattern_errors(body["patterns"]):
        raise Invalid(errors)
    return body, private


CALLFLOWS = Resource("callflows", "callflow", "callflows", COLUMNS, check_patterns)
