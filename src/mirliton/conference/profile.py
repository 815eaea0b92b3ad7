"""The profile of a room, merged key by key (semantics 2.5, recommendation), and where each value came from.

built-in <- system `default` <- account `default` <- named profiles <- inline `profile`; `""` means "no sound".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mirliton.conference.defaults import DEFAULT_PROFILE, LANGUAGE, PAGE_PROFILE
from mirliton.conference.reading import Document, section, text

BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class Configuration:
    """Category `conferences` (semantics 2.7) as the call's account sees it, its ancestors merged into `account`."""

    system: Document = field(default_factory=dict)
    account: Document = field(default_factory=dict)
    account_language: str | None = None
    system_language: str = LANGUAGE


@dataclass(frozen=True, slots=True)
class Profile:
    """Merged values by key, and the layer that each came from."""

    values: Document
    sources: dict[str, str]

    def chosen(self, key: str) -> str | None:
        """A text that somebody has set: not the built-in one."""
        return None if self.sources.get(key) == BUILT_IN else text(self.values, key)


def merge_profile(document: Document, configuration: Configuration, language: str) -> Profile:
    """The profile for a conference document in a language. Never fails: an unknown name is the default profile."""
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    for source, layer in _layers(document, configuration, language):
        for key, found in layer.items():
            if found is not None:
                values[key] = found
                sources[key] = source
    return Profile(values, sources)


def _layers(document: Document, configuration: Configuration, language: str) -> Iterator[tuple[str, Document]]:
    names = [name for key in ("base_profile_name", "profile_name") if (name := text(document, key))]
    paging = "page" in names[:1]
    if paging:
        yield "built-in page", PAGE_PROFILE
    else:
        yield BUILT_IN, DEFAULT_PROFILE
        yield from _named("default", configuration, language)
    for name in names:
        if name != "default":
            yield from _named(name, configuration, language)
    yield "document profile", section(document, "profile")


def _named(name: str, configuration: Configuration, language: str) -> Iterator[tuple[str, Document]]:
    """One named profile; the profile without a language lies over the one with (semantics 2.5)."""
    for source, store in (("system", configuration.system), ("account", configuration.account)):
        profiles = section(store, "profiles")
        label = f"{source} profile {name}"
        yield label, _profile(profiles, language, name)
        yield label, _profile(profiles, name)


def _profile(profiles: Document, *keys: str) -> Document:
    found: object = profiles
    for key in keys:
        if not isinstance(found, Mapping):
            return {}
        found = found.get(key)
    return found if isinstance(found, Mapping) else {}
