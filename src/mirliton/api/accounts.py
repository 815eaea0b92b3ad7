"""One's own account: name, realm, language, and the API key (semantics 6.1)."""

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from mirliton.api.call import Call, Reply, Route
from mirliton.api.errors import wrong
from mirliton.api.resource import Body, Resource
from mirliton.store import Document


async def keep_essentials(call: Call, body: Body, private: Body, old: Document | None) -> tuple[Body, Body]:
    """An account stays enabled; its realm stays unless another is given, and cannot change under devices.

    Their passwords are kept only as digests over the realm (`store.credentials.ha1`), which would all go stale.
    """
    if not body["enabled"]:
        raise wrong("enabled", "forbidden", "an account cannot disable itself: leave it enabled")
    before = old.body.get("realm") if old is not None else None
    realm = body.get("realm", before)
    if realm is None:
        return body, private
    realm = realm.lower()
    if realm != before and _names_a_machine(realm) and not await _is_default(call):
        message = "calls to an address belong to the account that the first start made: give a domain"
        raise wrong("realm", "forbidden", message, value=realm)
    if realm != before and await _has_sip_devices(call):
        message = "devices authenticate with this realm: delete them or remove their sip.username before changing it"
        raise wrong("realm", "forbidden", message, value=realm)
    return body | {"realm": realm}, private


def _names_a_machine(realm: str) -> bool:
    """An IPv4 address, or this machine: whoever had it as a domain would get everybody's calls to the server."""
    host = realm.rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        IPv4Address(host)
    except AddressValueError:
        return host.rpartition(".")[2].isdecimal()  # 127.1 and the like; no top-level domain is a number
    return True


async def _is_default(call: Call) -> bool:
    default = await call.store.accounts.default()
    return default is not None and default.id == call.account.id


async def _has_sip_devices(call: Call) -> bool:
    page = await call.store.documents.list(call.account.id, "device", limit=1, keep=lambda d: "ha1" in d.private)
    return bool(page.documents)


@dataclass(frozen=True, slots=True)
class Accounts(Resource):
    """The account in the path is the document."""

    def routes(self) -> list[Route]:
        """No list, no creation, no deletion: tenants are the operator's business."""
        path = "/accounts/{account_id}"
        return [
            Route(path, {"GET": self.read, "POST": self.replace, "PATCH": self.merge}),
            Route(f"{path}/api_key", {"GET": self.api_key}),
        ]

    def id_of(self, call: Call) -> str:
        """The account's own id."""
        return call.account.id

    async def api_key(self, call: Call) -> Reply:
        """The key for `PUT /api_auth`."""
        return Reply({"api_key": call.account.private["api_key"]})


ROUTES = Accounts("accounts", "account", "accounts", (), keep_essentials).routes()
