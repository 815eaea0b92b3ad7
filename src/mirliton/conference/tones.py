"""Which sound announces an arrival or a departure (semantics 2.4, recommendation).

A text in the key > the account's tone when set > the profile's sound > the system's tone > the built-in one.
Moderators have tones of their own. `False` means no sound, and so does a profile that was made silent, unless a
document or action asks for a tone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mirliton.conference.defaults import ENTRY_TONE, EXIT_TONE
from mirliton.conference.ports import Sound
from mirliton.conference.profile import BUILT_IN, Configuration, Profile
from mirliton.conference.reading import Document, text


@dataclass(frozen=True, slots=True)
class Way:
    """The names that belong to arriving, or to leaving."""

    key: str
    profile_key: str
    tone_key: str
    built_in: Sound


ENTRY = Way("play_entry_tone", "enter-sound", "entry_tone", ENTRY_TONE)
EXIT = Way("play_exit_tone", "exit-sound", "exit_tone", EXIT_TONE)


def tone(
    way: Way, asked: Sequence[object], profile: Profile, configuration: Configuration, *, moderator: bool
) -> tuple[Sound, str]:
    """The sound ("" = none) and its source. `asked`: values of the key, the strongest first; None = absent."""
    wish = next((item for item in asked if isinstance(item, bool | str)), None)
    if wish in (False, "false"):
        return "", way.key
    if isinstance(wish, str) and wish not in ("", "true"):
        return wish, way.key
    of_profile = profile.chosen(way.profile_key)
    silent = of_profile is not None and _is_silent(of_profile)
    if silent and wish is None:
        return "", profile.sources[way.profile_key]
    names = [f"moderator_{way.tone_key}", way.tone_key] if moderator else [way.tone_key]
    of_account = _configured(configuration.account, names)
    if of_account is not None:
        return of_account, "account"
    if of_profile is not None and not silent:
        return of_profile, profile.sources[way.profile_key]
    of_system = _configured(configuration.system, names)
    return (of_system, "system") if of_system is not None else (way.built_in, BUILT_IN)


def _configured(store: Document, names: Sequence[str]) -> Sound | None:
    return next((found for name in names if (found := text(store, name)) is not None), None)


def _is_silent(sound: Sound) -> bool:
    return sound in ("", "silence") or sound.startswith("silence_stream://")
