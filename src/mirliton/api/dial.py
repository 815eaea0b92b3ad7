"""The action `dial`: a conference calls somebody (semantics 6.7)."""

import json
from typing import Any

from mirliton.api.call import Call, Reply
from mirliton.api.errors import ApiError, validation_error, wrong
from mirliton.calls.live import BadEndpoints, Refused
from mirliton.schemas import Errors, Invalid, check, schema
from mirliton.sip.grammar import is_call_id
from mirliton.store import Document

MAX_VARIABLES_LENGTH = 4096
"""Characters of `custom_application_vars` as JSON: every call that is made carries them in all its events."""

_VARIABLES = "custom_application_vars"
_NOT_FOR_ROOMS = {"action", "data", _VARIABLES}


async def dial(call: Call, document: Document | None, arguments: dict[str, Any]) -> Reply:
    """202 and what became of each endpoint, once each has joined or failed. Raises `ApiError`, `schemas.Invalid`."""
    request = _request(call, document, arguments)
    dialling = call.services.dialling
    if dialling is None:
        raise ApiError(501, "not_implemented", {"message": "this server makes no calls"})
    try:
        responses = await dialling.dial(call.account.id, call.path["document_id"], request)
    except BadEndpoints as bad:
        raise validation_error(_errors(bad)) from None
    except Refused as refused:
        raise ApiError(refused.code, "refused", {"status": "error", "message": str(refused)}) from None
    return Reply({"endpoint_responses": responses}, 202, extra={"message": "attempted dial"})


def _request(call: Call, document: Document | None, arguments: dict[str, Any]) -> dict[str, Any]:
    """A valid request. Keys beside those of `conferences.dial` are kept, and checked, for ad-hoc rooms alone."""
    own = _checked({key: item for key, item in arguments.items() if key not in _NOT_FOR_ROOMS})
    known = schema("conferences.dial")["properties"]
    request = {key: item for key, item in own.items() if key in known}
    if "outbound_call_id" in request and not is_call_id(request["outbound_call_id"]):
        message = "has characters that no SIP Call-ID may have: use letters, digits, dots and dashes"
        raise wrong("outbound_call_id", "pattern", message, value=request["outbound_call_id"])
    if document is None:
        room = {key: item for key, item in own.items() if key not in known}
        name = {} if "name" in room else {"name": call.path["document_id"]}
        checked = check("conferences", room | name)
        request = {key: item for key, item in checked.items() if key in room} | request
    return request | {_VARIABLES: _variables(call, arguments)}


def _checked(arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        return check("conferences.dial", arguments)
    except Invalid as invalid:
        for path, codes in invalid.errors.items():
            if path.partition(".")[0] == "endpoints":  # a device object may hold a password: it is not repeated
                for details in codes.values():
                    details.pop("value", None)
                    details.pop("cause", None)
        raise


def _variables(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    """They stand beside the inner `data`; a client that sends no inner `data` puts them among the arguments."""
    places = (arguments, call.data(), call.envelope)
    found: Any = next((place[_VARIABLES] for place in places if _VARIABLES in place), {})
    if not isinstance(found, dict):
        raise wrong(_VARIABLES, "type", "must be an object of names and values", target="object")
    if len(json.dumps(found)) > MAX_VARIABLES_LENGTH:
        message = f"may have at most {MAX_VARIABLES_LENGTH} characters as JSON: send less"
        raise wrong(_VARIABLES, "maxLength", message, target=MAX_VARIABLES_LENGTH)
    return found


def _errors(bad: BadEndpoints) -> Errors:
    errors: Errors = {}
    for position, code, message in bad.problems:
        path = "data.endpoints" if position is None else f"data.endpoints.{position}"
        errors.setdefault(path, {})[code] = {"message": message}
    return errors
