"""A setting together with the place that said it (semantics 2.1): the first place that says something wins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mirliton.conference.profile import BUILT_IN, Configuration
from mirliton.conference.reading import Document

T = TypeVar("T")

Places = Sequence[tuple[str, Document]]
"""Where to look, the strongest first, each with its name in words."""


@dataclass(frozen=True, slots=True)
class Chosen(Generic[T]):
    """A value in force and where it was found, in words."""

    value: T
    source: str


def choose(read: Callable[[Document, str], T | None], places: Places, key: str, otherwise: T) -> Chosen[T]:
    """What the first place with a usable value says; `otherwise` is the built-in value."""
    for source, store in places:
        found = read(store, key)
        if found is not None:
            return Chosen(found, source)
    return Chosen(otherwise, BUILT_IN)


def stores(configuration: Configuration, document: Document | None = None) -> Places:
    """The document (when it counts), the account's configuration, the system's."""
    configured = (("account", configuration.account), ("system", configuration.system))
    return configured if document is None else (("document", document), *configured)
