"""The settings that do not come from a profile, each with its order of places (semantics 2.1, 2.2, 2.7)."""

from mirliton.conference import defaults
from mirliton.conference.choice import Chosen, choose, stores
from mirliton.conference.profile import BUILT_IN, Configuration, Profile
from mirliton.conference.reading import Document, flag, text, whole

MAX_TIMEOUT_MS = 600_000
MAX_GRACE_SECONDS = 86_400


def language(document: Document, configuration: Configuration) -> Chosen[str]:
    """Document, then account, then system; lower case."""
    places = (
        ("document", document),
        ("account", {"language": configuration.account_language or text(configuration.account, "language")}),
        ("system", configuration.system),
    )
    found = choose(_filled, places, "language", configuration.system_language)
    return Chosen(found.value.lower(), found.source)


def welcome(action: Document, document: Document) -> Chosen[str]:
    """The welcome sound, "" = none: an action that says nothing leaves it to the document (semantics 1.6)."""
    asked = flag(action, "welcome_prompt.play")
    wanted = (
        Chosen(asked, "action") if asked is not None else choose(flag, (("document", document),), "play_welcome", True)
    )
    if not wanted.value:
        return Chosen("", wanted.source)
    return choose(_filled, (("action", action),), "welcome_prompt.media_id", "conf-welcome")


def full_sound(document: Document) -> Chosen[str]:
    """What a caller hears whom the first check finds one too many."""
    return choose(_filled, (("document max_members_media", document),), "max_members_media", "conf-max_participants")


def member_limit(document: Document, profile: Profile) -> Chosen[int]:
    """`max_participants` above 1 replaces the profile's `max-members`; below 2 the media side has no limit."""
    asked = whole(document, "max_participants") or 0
    if asked > 1:
        return Chosen(asked, "max_participants")
    of_profile = whole(profile.values, "max-members") or 0
    return Chosen(of_profile if of_profile > 1 else 0, profile.sources.get("max-members", BUILT_IN))


def number_timeout(configuration: Configuration) -> Chosen[int]:
    """Milliseconds until the first digit of a conference number."""
    return _bounded(choose(_positive, stores(configuration), "number_timeout", defaults.NUMBER_TIMEOUT_MS))


def pin_timeout(document: Document, configuration: Configuration) -> Chosen[int]:
    """Milliseconds until the first digit of a PIN."""
    return _bounded(choose(_positive, stores(configuration, document), "pin_timeout", defaults.PIN_TIMEOUT_MS))


def play_name(document: Document, configuration: Configuration) -> Chosen[bool]:
    """Whether callers are announced by their names (semantics 1.5.8)."""
    wanted = choose(flag, (("document", document),), "play_name", False)
    supported = choose(flag, stores(configuration), "support_name_announcement", True)
    if wanted.value and not supported.value:
        return Chosen(False, f"{supported.source} support_name_announcement")
    return wanted


def review_name(configuration: Configuration) -> Chosen[bool]:
    """Whether callers hear their recorded name and may record it again."""
    return choose(flag, stores(configuration), "review_name", False)


def moderators_enter_always(configuration: Configuration) -> Chosen[bool]:
    """Whether moderators may enter a full or locked room."""
    return choose(flag, stores(configuration), "moderators_enter_always", True)


def moderator_grace(document: Document, configuration: Configuration) -> Chosen[int]:
    """Seconds from the leave of the last moderator to what `without_moderator` says."""
    places = stores(configuration, document)
    found = choose(_natural, places, "moderator_grace_seconds", defaults.MODERATOR_GRACE_SECONDS)
    return Chosen(min(found.value, MAX_GRACE_SECONDS), found.source)


def without_moderator(document: Document, configuration: Configuration) -> Chosen[str]:
    """`wait` or `end`: what a room does that needs a moderator and has lost the last one."""
    return choose(_wait_or_end, stores(configuration, document), "without_moderator", "wait")


def _bounded(timeout: Chosen[int]) -> Chosen[int]:
    """At most ten minutes: a forgotten phone must not stay for ever."""
    return Chosen(min(timeout.value, MAX_TIMEOUT_MS), timeout.source)


def _filled(document: Document, key: str) -> str | None:
    return text(document, key) or None


def _positive(document: Document, key: str) -> int | None:
    found = whole(document, key)
    return found if found is not None and found > 0 else None


def _natural(document: Document, key: str) -> int | None:
    found = whole(document, key)
    return found if found is not None and found >= 0 else None


def _wait_or_end(document: Document, key: str) -> str | None:
    found = text(document, key)
    return found if found in ("wait", "end") else None
