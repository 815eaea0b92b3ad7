"""Accounts: documents of type `account` whose id is their own account id."""

import secrets
from typing import Any

from mirliton.store.claims import ACCOUNT_NAME, API_KEY, DEFAULT_ACCOUNT, REALM
from mirliton.store.document import Document, NotFound, new_id
from mirliton.store.documents import Documents
from mirliton.store.lookup import Lookup


class Accounts:
    """The tenants."""

    def __init__(self, documents: Documents, lookup: Lookup) -> None:
        self._documents = documents
        self._lookup = lookup

    async def create(self, body: dict[str, Any], *, default: bool = False) -> Document:
        """A new account from a valid `accounts` document, with an API key (64 hex). Raises `ClaimTaken`."""
        account_id = new_id()
        private = {"api_key": secrets.token_hex(32), "credential_salt": secrets.token_hex(16)}
        if default:
            private["default"] = "yes"
        return await self._documents.create(account_id, "account", body, private, document_id=account_id)

    async def by_id(self, account_id: str) -> Document | None:
        """The account with this id."""
        try:
            return await self._documents.get(account_id, account_id, "account")
        except NotFound:
            return None

    async def by_realm(self, realm: str) -> Document | None:
        """The account with this SIP domain, whatever the case."""
        return await self._lookup.claimed("", REALM, realm.lower())

    async def by_name(self, name: str) -> Document | None:
        """The account with this name, whatever the case."""
        return await self._lookup.claimed("", ACCOUNT_NAME, name.lower())

    async def by_api_key(self, api_key: str) -> Document | None:
        """The account that owns this key."""
        return await self._lookup.claimed("", API_KEY, api_key)

    async def by_number(self, number: str) -> Document | None:
        """The account in which a callflow lists this number, if there is exactly one."""
        found = await self._lookup.accounts_with_number(number)
        return await self.by_id(found[0]) if len(found) == 1 else None

    async def default(self) -> Document | None:
        """The account that the first start made; calls to an unknown domain belong to it."""
        return await self._lookup.claimed("", DEFAULT_ACCOUNT, "default")
