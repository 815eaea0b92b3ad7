"""`ports.Callees` over the document store."""

from collections.abc import Mapping, Sequence

from mirliton.calls.dialling.ports import Stored
from mirliton.conference.reading import section, text
from mirliton.store import Document, NotFound, Store

_EXTENSION_MODULES = ("device", "user")


class StoredCallees:
    """Reads the account's documents when a request names them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def realm(self, account_id: str) -> str | None:
        """The account's SIP domain."""
        account = await self._store.accounts.by_id(account_id)
        return text(account.body, "realm") if account else None

    async def document(self, account_id: str, document_id: str) -> Stored | None:
        """A document of the account."""
        try:
            return _stored(await self._store.documents.get(account_id, document_id))
        except NotFound:
            return None

    async def owned_devices(self, account_id: str) -> Mapping[str, Sequence[Stored]]:
        """The devices that have an owner, by owner, newest first. Reads every device of the account."""
        page = await self._store.documents.list(account_id, "device", keep=lambda device: "owner_id" in device.body)
        found: dict[str, list[Stored]] = {}
        for device in page.documents:
            found.setdefault(str(device.body["owner_id"]), []).append(_stored(device))
        return found

    async def extension(self, account_id: str, number: str) -> str | None:
        """The device or user to which a callflow of the account sends this number, at once and exactly."""
        route = await self._store.callflow_for(account_id, number)
        if route is None or number not in route.callflow.body.get("numbers", ()):
            return None
        flow = section(route.callflow.body, "flow")
        return text(flow, "data.id") if text(flow, "module") in _EXTENSION_MODULES else None


def _stored(document: Document) -> Stored:
    return Stored(document.id, document.type, document.body)
