"""Logging in with an API key or a user's credentials; looking at tokens and ending them (semantics 6.1)."""

import asyncio
import re
from typing import Any

from mirliton.api.authentication import require_enabled
from mirliton.api.call import Call, Reply, Route
from mirliton.api.errors import (
    ApiError,
    bad_identifier,
    invalid_credentials,
    too_many_requests,
    validation_error,
    wrong,
)
from mirliton.store import Document
from mirliton.store.credentials import hardened
from mirliton.store.tokens import Token

_DIGEST_LENGTH = {"md5": 32, "sha": 40}
_HEX = re.compile(r"[0-9a-fA-F]+")
_ACCOUNT_KEYS = ("account_name", "account_realm", "phone_number")


async def log_in_with_key(call: Call) -> Reply:
    """`PUT /api_auth`."""
    api_key = _text(call, "api_key")
    _take_attempt(call)
    account = await call.store.accounts.by_api_key(api_key)
    if account is None:
        raise _refused(call)
    return await _logged_in(call, account, None, "api_auth")


async def log_in_with_credentials(call: Call) -> Reply:
    """`PUT /user_auth`."""
    digest, method = _text(call, "credentials"), call.data().get("method", "md5")
    if not isinstance(method, str) or method not in _DIGEST_LENGTH:
        message = "must be md5 or sha: choose the digest that you send"
        raise wrong("method", "enum", message, value=method, target=sorted(_DIGEST_LENGTH))
    keys = _account_keys(call)
    _take_attempt(call)
    account = await _account(call, keys)
    user = await _user(call, account, method, digest)
    if account is None or user is None:
        raise _refused(call)
    return await _logged_in(call, account, user, "user_auth")


async def inspect(call: Call) -> Reply:
    """`GET /user_auth/{token}`: what a token of one's own account stands for."""
    text = call.path["token"]
    token = await call.store.tokens.look(text)
    if token is None or call.token is None or token.account_id != call.token.account_id:
        raise bad_identifier("token")
    account = await call.store.accounts.by_id(token.account_id)
    if account is None:
        raise bad_identifier("token")
    return Reply(_described(account, token.owner_id) | _times(token))


async def inspect_own(call: Call) -> Reply:
    """`GET /token_auth`: what the request's own token stands for."""
    account = await call.store.accounts.by_id(call.token.account_id) if call.token else None
    if account is None or call.token is None:
        raise invalid_credentials()
    return Reply(_described(account, call.token.owner_id) | _times(call.token))


async def revoke(call: Call) -> Reply:
    """`DELETE /token_auth`: the request's own token dies."""
    await call.store.tokens.revoke(call.token_text or "")
    return Reply({})


ROUTES = [
    Route("/api_auth", {"PUT": log_in_with_key}, public=True),
    Route("/user_auth", {"PUT": log_in_with_credentials}, public=True),
    Route("/user_auth/{token}", {"GET": inspect}),
    Route("/token_auth", {"GET": inspect_own, "DELETE": revoke}),
]


def _text(call: Call, key: str) -> str:
    value = call.data().get(key)
    if value is None:
        raise wrong(key, "required", "this key is required: add it")
    if not isinstance(value, str):
        raise wrong(key, "type", "must be a text", target="string")
    return value


def _account_keys(call: Call) -> dict[str, str]:
    data = call.data()
    keys = {key: data[key] for key in _ACCOUNT_KEYS if data.get(key)}
    if not keys:
        raise wrong("account_name", "required", f"say which account: add one of {', '.join(_ACCOUNT_KEYS)}")
    for key, value in keys.items():
        if not isinstance(value, str):
            raise validation_error({key: {"type": {"message": "must be a text", "target": "string"}}})
    return keys


async def _account(call: Call, keys: dict[str, str]) -> Document | None:
    accounts = call.store.accounts
    if "account_name" in keys:
        return await accounts.by_name(keys["account_name"])
    if "account_realm" in keys:
        return await accounts.by_realm(keys["account_realm"])
    return await accounts.by_number(keys["phone_number"])


async def _user(call: Call, account: Document | None, method: str, digest: str) -> Document | None:
    if len(digest) != _DIGEST_LENGTH[method] or not _HEX.fullmatch(digest):
        return None
    # For an unknown account as well: the time it takes must not tell which accounts exist.
    salt = account.private["credential_salt"] if account is not None else ""
    kept = await asyncio.to_thread(hardened, digest, salt)
    user = await call.store.user_by_credential(account.id, method, kept) if account is not None else None
    return user if user is not None and user.body.get("enabled", True) else None


def _take_attempt(call: Call) -> None:
    attempts = call.services.attempts
    if not attempts.take(call.client):
        call.services.metrics.refused_logins.labels("rate").inc()
        raise too_many_requests(attempts.wait_seconds(call.client))


def _refused(call: Call) -> ApiError:
    call.services.metrics.refused_logins.labels("credentials").inc()
    return invalid_credentials()


async def _logged_in(call: Call, account: Document, user: Document | None, method: str) -> Reply:
    call.services.attempts.give_back(call.client)
    require_enabled(account)
    owner_id = user.id if user is not None else None
    lifetime = call.services.settings.http.token_lifetime_seconds
    text = await call.store.tokens.issue(account.id, owner_id, method, lifetime)
    call.token_text, call.token = text, await call.store.tokens.look(text)
    return Reply(_described(account, owner_id), 201)


def _described(account: Document, owner_id: str | None) -> dict[str, Any]:
    described = {
        "account_id": account.id,
        "account_name": account.body["name"],
        "is_reseller": False,
        "reseller_id": account.id,
        "language": account.body.get("language", "en-us"),
        "apps": [],
    }
    return described | ({"owner_id": owner_id} if owner_id else {})


def _times(token: Token) -> dict[str, Any]:
    return {"method": token.method, "issued_at": token.issued, "expires_at": token.expires}
