"""Users: who may log in. Passwords come in and never go out (`store.credentials`)."""

import asyncio

from mirliton.api.call import Call
from mirliton.api.errors import wrong
from mirliton.api.resource import Body, Resource
from mirliton.store import Document
from mirliton.store.credentials import kept_credentials

COLUMNS = ("username", "first_name", "last_name", "email", "priv_level", "enabled", "timezone")


async def keep_password(call: Call, body: Body, private: Body, old: Document | None) -> tuple[Body, Body]:
    """Replace a password by what is kept of it. A new name needs the password again: it is part of the digests."""
    password, username = body.pop("password", None), body.get("username")
    if username is None:
        if password is not None:
            raise wrong("username", "required", "a password needs a user name: add one")
        return body, {}
    if password is None:
        if "credentials" in private and old is not None and old.body.get("username") != username:
            raise wrong("password", "required", "the user name changes: give the password again")
        return body, private
    kept = await asyncio.to_thread(kept_credentials, username, password, call.account.private["credential_salt"])
    if old is not None and kept != private.get("credentials"):
        await call.store.tokens.revoke_all(call.account.id, old.id)
    return body, private | {"credentials": kept}


async def end_logins(call: Call, user: Document) -> None:
    """A deleted user's tokens die too."""
    await call.store.tokens.revoke_all(call.account.id, user.id)


USERS = Resource("users", "user", "users", COLUMNS, keep_password, end_logins)
