"""Public links: a token for who knows account, conference and PIN; links for who manages it (semantics 2.3)."""

from typing import Any

from mirliton.api.authentication import is_id
from mirliton.api.call import Call, Reply, Route
from mirliton.api.errors import bad_identifier, invalid_credentials, too_many_requests, validation_error
from mirliton.api.guesses import Busy
from mirliton.links.links import is_open, member_pins
from mirliton.schemas import Errors
from mirliton.store import Document

MAX_CHARACTERS = 128
_KEYS = ("account_name", "conference_name", "conference_pin")


async def redeem(call: Call) -> Reply:
    """`PUT /conference_auth`: a token for the conference, and the same 401 whatever is wrong."""
    account_name, conference_name, pin = _words(call)
    target = (account_name.lower(), conference_name)
    guesses, refused = call.services.guesses, call.services.metrics.refused_logins
    try:
        await guesses.begin(call.client, target)
    except Busy as busy:
        refused.labels("link rate").inc()
        raise too_many_requests(busy.seconds) from None
    found = await call.services.links.redeem(account_name, conference_name, pin)
    if found is None:
        refused.labels("link").inc()
        raise invalid_credentials()
    guesses.right(call.client, target)
    token, claims = found
    return Reply(claims.public(), 201, extra={"auth_token": token})


async def show(call: Call) -> Reply:
    """`GET …/conference_auth/{C}`: whether the conference has links, and what is missing."""
    missing = _problems(call, await _conference(call))
    return Reply({"shareable": not missing, "problems": missing})


async def make(call: Call) -> Reply:
    """`PUT …/conference_auth/{C}`: a link with the conference's first member PIN."""
    conference = await _conference(call)
    if problems := _problems(call, conference):
        raise validation_error(problems)
    token, claims = await call.services.links.issue(conference, member_pins(conference)[0])
    url = call.services.settings.links.public_url or ""
    return Reply({"link": f"{url}{'&' if '?' in url else '?'}auth={token}", **claims.public()}, 201)


async def revoke(call: Call) -> Reply:
    """`DELETE …/conference_auth/{C}`: every link made so far ends."""
    conference = await call.services.links.revoke(call.account.id, _id(call))
    call.services.changed("changed", conference)
    return Reply({})


ROUTES = [
    Route("/conference_auth", {"PUT": redeem}, public=True),
    Route("/accounts/{account_id}/conference_auth/{document_id}", {"GET": show, "PUT": make, "DELETE": revoke}),
]


def _words(call: Call) -> tuple[str, str, str]:
    data, errors = call.data(), Errors()
    for key in _KEYS:
        if error := _error(data.get(key)):
            errors[key] = error
    if errors:
        raise validation_error(errors)
    return data[_KEYS[0]], data[_KEYS[1]], data[_KEYS[2]]


def _error(value: Any) -> dict[str, dict[str, Any]] | None:
    if value is None:
        return {"required": {"message": "this key is required: add it"}}
    if not isinstance(value, str):
        return {"type": {"message": "must be a text", "target": "string"}}
    if not value:
        return {"minLength": {"message": "must not be empty", "target": 1, "value": value}}
    if len(value) > MAX_CHARACTERS:
        return {"maxLength": {"message": f"at most {MAX_CHARACTERS} characters", "target": MAX_CHARACTERS}}
    return None


def _problems(call: Call, conference: Document) -> Errors:
    """What stands between the conference and a link, by path and code."""
    problems = Errors()
    if not is_open(conference):
        problems["allow_shareable_link"] = {"disabled": {"message": "links are not allowed: set this key to true"}}
    if not member_pins(conference):
        problems["member.pins"] = {"missing": {"message": "links need a member PIN: add one"}}
    if not call.services.settings.links.public_url:
        message = "the server has no public address for links: the operator sets links.public_url"
        problems["public_url"] = {"missing": {"message": message}}
    return problems


async def _conference(call: Call) -> Document:
    return await call.store.documents.get(call.account.id, _id(call), "conference")


def _id(call: Call) -> str:
    conference_id = call.path["document_id"]
    if not is_id(conference_id):
        raise bad_identifier(conference_id)
    return conference_id
