"""Announced names (semantics 1.5.8): how a caller says theirs, and the sounds that it makes of coming and going."""

from dataclasses import dataclass, replace

from mirliton.conference import defaults
from mirliton.conference.ports import Caller, NameNotKept, Names, Sound
from mirliton.conference.profile import Configuration, merge_profile
from mirliton.conference.reading import Document
from mirliton.conference.settings import CallerSettings, DialogueSettings, language_of
from mirliton.conference.tones import ENTRY, EXIT, Way, tone

_PARTS = "file_string://"


@dataclass(frozen=True, slots=True)
class SpokenName:
    """Where a name can be heard. `temporary`: to be forgotten when the caller is gone."""

    sound: Sound
    temporary: bool = False


async def spoken_name(caller: Caller, dialogue: DialogueSettings, names: Names) -> SpokenName | None:
    """The recording that the caller's user has, or a new one; None when nothing could be recorded or kept.

    Raises `HungUp`; nothing is left of a recording that was not accepted.
    """
    known = await names.known(caller.info)
    if known:
        return SpokenName(known)
    for rounds_left in reversed(range(defaults.NAME_ROUNDS)):
        said = await _record(caller, dialogue, names)
        if said is None:
            return None
        try:
            if not dialogue.review_name or await _review(caller, dialogue, said) or rounds_left == 0:
                return SpokenName(said, temporary=not await names.adopt(caller.info, said))
        except BaseException:
            await names.forget(caller.info, said)
            raise
        await names.forget(caller.info, said)
    return None


async def _record(caller: Caller, dialogue: DialogueSettings, names: Names) -> Sound | None:
    recorded = await caller.record(
        ["conf-announce_your_name", defaults.NAME_BEEP],
        dialogue.language,
        max_seconds=defaults.NAME_SECONDS,
        silence_score=defaults.NAME_SILENCE_SCORE,
        silence_seconds=defaults.NAME_SILENCE_SECONDS,
    )
    if recorded is None:
        return None
    try:
        return await names.keep(caller.info, recorded)
    except NameNotKept:
        return None  # who keeps names tells the operator why; the caller comes in with the usual tones


async def _review(caller: Caller, dialogue: DialogueSettings, sound: Sound) -> bool:
    digit = await caller.collect(
        ["conf-your_announcement", sound, "conf-review"],
        dialogue.language,
        max_digits=1,
        terminator="",
        first_digit_ms=defaults.NAME_REVIEW_MS,
        interdigit_ms=defaults.INTERDIGIT_MS,
    )
    return digit == "1"


def announce(
    settings: CallerSettings, name: Sound, action: Document, document: Document, configuration: Configuration
) -> CallerSettings:
    """The caller comes with tone, name and "has joined", and goes with tone, name and "has left"."""
    profile = merge_profile(document, configuration, language_of(document, configuration))

    def macro(way: Way, ending: Sound) -> Sound:
        asked = (action.get(way.key), document.get(way.key))
        first, _ = tone(way, asked, profile, configuration, moderator=settings.moderator)
        return _in_turn(first, name, ending)

    return replace(settings, enter_sound=macro(ENTRY, "conf-has_joined"), exit_sound=macro(EXIT, "conf-has_left"))


def _in_turn(first: Sound, *others: Sound) -> Sound:
    """One address for several sounds; a first one that is itself a list is opened, for lists cannot lie in lists."""
    opened = first.removeprefix(_PARTS)
    listable = opened and (first.startswith(_PARTS) or "!" not in first)
    return _PARTS + "!".join([opened, *others] if listable else others)
