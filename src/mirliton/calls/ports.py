"""What calls need of the rest of the house, as protocols: sounds, and where accounts and callflows are found."""

from dataclasses import dataclass
from typing import Protocol

from mirliton.conference.entry import Documents
from mirliton.conference.reading import Document
from mirliton.media.types import Clip


class Playable(Protocol):
    """A sound that was found: a clip, how often (-1 never ends), and how loud."""

    @property
    def clip(self) -> Clip:
        """What lies in the engine."""

    @property
    def loops(self) -> int:
        """How many times in a row."""

    @property
    def gain(self) -> float:
        """A factor."""


class SoundLibrary(Protocol):
    """Finds sounds; `sounds.library.SoundLibrary` is one."""

    async def resolve(self, account_id: str, address: str, language: str) -> Playable | None:
        """The sound behind a media address (semantics 5.3), or None when it asks for none.

        Raises `sounds.addresses.SoundNotFound` and `media.types.MediaFull`.
        """


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant, as a call sees it."""

    account_id: str
    realm: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A callflow document, and what its pattern captured when a pattern led to it."""

    callflow: Document
    captures: tuple[str, ...] = ()


class CallData(Documents, Protocol):
    """Where calls are sent to. Conferences and their configuration: see `conference.entry.Documents`."""

    async def account_for(self, domain: str) -> Account | None:
        """The account with this SIP domain, else the default one; None when it may not be called."""

    async def callflow_for(self, account_id: str, number: str) -> Route | None:
        """The callflow of a number, else of a pattern that matches, else `no_match`."""

    async def callflow(self, account_id: str, callflow_id: str) -> Document | None:
        """The document of type callflow with this id."""
