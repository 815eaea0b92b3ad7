"""Devices: who may register and call over SIP. Passwords come in and never go out (`store.credentials`)."""

from mirliton.api.call import Call
from mirliton.api.errors import wrong
from mirliton.api.resource import Body, Resource
from mirliton.store import Document
from mirliton.store.credentials import ha1

COLUMNS = ("name", "owner_id", "device_type", "enabled")


async def keep_digests(call: Call, body: Body, private: Body, old: Document | None) -> tuple[Body, Body]:
    """Replace a password by its digests. A new SIP user name needs the password again: it is part of them."""
    sip = dict(body.get("sip", {}))
    password, username = sip.pop("password", None), sip.get("username")
    body = body | {"sip": sip}
    if username is not None:
        await sip_user_is_free(call, "sip.username", username, "conference")
    if username is None:
        if password is not None:
            raise wrong("sip.username", "required", "a password needs a SIP user name: add one")
        return body, {}
    if password is None:
        if "ha1" not in private or old is None or old.body["sip"].get("username") != username:
            raise wrong("sip.password", "required", "this SIP user name has no password yet: add one")
        return body, private
    realm = call.account.body.get("realm")
    if realm is None:
        raise wrong(
            "sip.password", "forbidden", "the account has no realm, of which SIP passwords are part: set it first"
        )
    return body, private | {"ha1": ha1(username, realm, password)}


async def sip_user_is_free(call: Call, path: str, username: str, other_kind: str) -> None:
    """Devices and the bridges of conferences share the SIP user names of an account. Raises `ApiError` 400.

    Two of one kind are told apart by the store; that two kinds do it at the same moment is left to chance, and then the
    device wins.
    """
    holder = await call.store.sip_user(call.account.id, username)
    if holder is not None and holder.type == other_kind:
        raise wrong(path, "unique", f"a {other_kind} has this SIP user name: choose another", cause=username)


DEVICES = Resource("devices", "device", "devices", COLUMNS, keep_digests)
