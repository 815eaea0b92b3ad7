"""`CallData` over the document store."""

from collections.abc import Sequence

from mirliton.calls.ports import Account, Route
from mirliton.conference.defaults import LANGUAGE
from mirliton.conference.profile import Configuration
from mirliton.conference.reading import Document, flag, text
from mirliton.store.document import Document as StoredDocument
from mirliton.store.document import NotFound
from mirliton.store.store import Store


class StoredCallData:
    """Reads accounts, callflows, conferences and configuration when a call needs them: changes hold from the next call.

    `system`: category `conferences` of the whole server (semantics 2.7).
    """

    def __init__(self, store: Store, system: Document | None = None, language: str = LANGUAGE) -> None:
        self._store = store
        self._system = system or {}
        self._language = language

    async def account_for(self, domain: str) -> Account | None:
        """The account with this realm, else the default one; None when that account is disabled."""
        accounts = self._store.accounts
        found = await accounts.by_realm(domain) or await accounts.default()
        if found is None or flag(found.body, "enabled") is False:
            return None
        return Account(found.id, text(found.body, "realm") or "", text(found.body, "language"))

    async def callflow_for(self, account_id: str, number: str) -> Route | None:
        """By number, pattern or `no_match`."""
        found = await self._store.callflow_for(account_id, number)
        return Route(found.callflow.body, found.captured or ()) if found else None

    async def callflow(self, account_id: str, callflow_id: str) -> Document | None:
        """A callflow by its id."""
        return await self._typed(account_id, callflow_id, "callflow")

    async def conference(self, account_id: str, conference_id: str) -> Document | None:
        """A conference by its id."""
        return await self._typed(account_id, conference_id, "conference")

    async def conferences_by_number(self, account_id: str, number: str) -> Sequence[Document]:
        """Conferences that list the number, each once."""
        return [_with_id(found) for found in await self._store.conference_by_number(account_id, number)]

    async def conference_configuration(self, account_id: str) -> Configuration:
        """Account over system."""
        account = await self._store.accounts.by_id(account_id)
        return Configuration(
            system=self._system,
            account=await self._store.config(account_id, "conferences"),
            account_language=text(account.body, "language") if account else None,
            system_language=self._language,
        )

    async def _typed(self, account_id: str, document_id: str, kind: str) -> Document | None:
        if "\0" in document_id:  # no database takes it, and a dialled number may hold anything
            return None
        try:
            return _with_id(await self._store.documents.get(account_id, document_id, kind))
        except NotFound:
            return None


def _with_id(found: StoredDocument) -> Document:
    return {**found.body, "id": found.id}
