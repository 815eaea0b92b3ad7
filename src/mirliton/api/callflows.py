"""Callflows: where calls to a number go."""

from mirliton.api.call import Call
from mirliton.api.resource import Body, Resource
from mirliton.schemas import Invalid
from mirliton.store import Document
from mirliton.store.patterns import BadPattern, check_pattern

COLUMNS = ("name", "numbers", "patterns", "owner_id", "flags")


async def check_patterns(_call: Call, body: Body, private: Body, _old: Document | None) -> tuple[Body, Body]:
    """Raises `Invalid` for expressions that the server would not run."""
    errors = {}
    for place, pattern in enumerate(body["patterns"]):
        try:
            check_pattern(pattern)
        except BadPattern as refusal:
            message = f"cannot be used as an expression ({refusal}): use RE2 syntax without back references"
            errors[f"patterns.{place}"] = {"invalid": {"message": message, "value": pattern}}
    if errors:
        raise Invalid(errors)
    return body, private


CALLFLOWS = Resource("callflows", "callflow", "callflows", COLUMNS, check_patterns)
