"""Whose request it is: the token (header, query or body), and the account that the path names (semantics 6.1)."""

import re

from mirliton.api.call import Call
from mirliton.api.errors import ApiError, bad_identifier, forbidden, invalid_credentials
from mirliton.store import Document

_ID = re.compile(r"[0-9a-f]{32}")


async def authenticate(call: Call) -> None:
    """Set the call's token and account; raises 401, 404 for an unknown account, 403 for another's, 423 if disabled."""
    call.token_text = _token_text(call)
    lifetime = call.services.settings.http.token_lifetime_seconds
    token = await call.store.tokens.use(call.token_text, lifetime) if call.token_text else None
    if token is None:
        raise invalid_credentials()
    call.token = token
    if "account_id" in call.path:
        call.authenticated_account = await _account(call, call.path["account_id"])


def _token_text(call: Call) -> str | None:
    in_body = call.envelope.get("auth_token")
    sources = (call.request.headers.get("x-auth-token"), call.query.get("auth_token"), in_body)
    return next((text for text in sources if isinstance(text, str) and text), None)


async def _account(call: Call, account_id: str) -> Document:
    account = await call.store.accounts.by_id(account_id) if is_id(account_id) else None
    if account is None:
        raise bad_identifier(account_id)
    if call.token is None or call.token.account_id != account.id:
        raise forbidden("the token belongs to another account: log in to this one")
    require_enabled(account)
    return account


def require_enabled(account: Document) -> None:
    """Raises 423 for a disabled account."""
    if not account.body.get("enabled", True):
        raise ApiError(423, "account_disabled", {"message": "the account is disabled"})


def is_id(text: str) -> bool:
    """32 hexadecimal characters: the only ids that the store gives out."""
    return _ID.fullmatch(text) is not None
