"""What SIP and the sounds ask of the store, in their own words."""

from pathlib import Path

from mirliton.conference.defaults import LANGUAGE
from mirliton.sip.types import Bridge, Credential, Device
from mirliton.store import Document, Store


class StoredCredentials:
    """A `sip.types.CredentialSource`: devices with a SIP password, and conferences with one for bridges."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def realm_for(self, domain: str) -> str:
        """The account's realm when the domain is one, else the default account's."""
        accounts = self._store.accounts
        found = await accounts.by_realm(domain.lower()) or await accounts.default()
        return str(found.body.get("realm", domain)) if found else domain

    async def credential(self, realm: str, username: str) -> Credential | None:
        """The enabled device or the conference with this SIP user name, and its digests."""
        found = await self._store.sip_credential(realm, username)
        if found is None:
            return None
        account_id, holder = found.account.id, found.holder
        if holder.type == "conference":
            return Credential(Bridge(account_id, holder.id), found.ha1)
        return Credential(Device(account_id, holder.id, holder.body.get("owner_id"), username), found.ha1)


class RecordedSounds:
    """An account's own recordings: media documents, and those of them that stand in for a prompt.

    The list of prompts is kept for each account until one of its media documents changes.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._prompts: dict[str, dict[tuple[str, str], str]] = {}

    async def media_file(self, account_id: str, media_id: str) -> Path | None:
        """The file of a media document."""
        try:
            return self._store.media.path(account_id, media_id)
        except ValueError:  # no id at all
            return None

    async def account_prompt(self, account_id: str, prompt_id: str, language: str) -> Path | None:
        """The account's recording of a prompt in exactly this language."""
        if account_id not in self._prompts:
            self._prompts[account_id] = await self._read_prompts(account_id)
        media_id = self._prompts[account_id].get((prompt_id, language.lower()))
        return await self.media_file(account_id, media_id) if media_id else None

    def changed(self, _event: str, document: Document) -> None:
        """A document was written."""
        if document.type == "media":
            self._prompts.pop(document.account_id, None)

    async def _read_prompts(self, account_id: str) -> dict[tuple[str, str], str]:
        page = await self._store.documents.list(account_id, "media", keep=lambda media: "prompt_id" in media.body)
        return {
            (str(media.body["prompt_id"]), str(media.body.get("language", LANGUAGE)).lower()): media.id
            for media in page.documents
        }
