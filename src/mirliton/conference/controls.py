"""What keys a member can press: control groups (semantics 4.3) and the digit matcher (semantics 4.2).

The matcher is sans-IO: the time of each digit is passed in, seconds as a float.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mirliton.conference.defaults import CONTROLS
from mirliton.conference.profile import Configuration, Profile
from mirliton.conference.reading import Document, section, text, value

DIGIT_SECONDS = 0.5
MAX_BINDINGS = 100
_KEYS = frozenset("0123456789*#ABCD")


@dataclass(frozen=True, slots=True)
class Binding:
    """Digits, the action they run (lower case), and its argument."""

    digits: str
    action: str
    data: str = ""


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """A named list of bindings, and what was wrong with the entries that were left out."""

    name: str
    bindings: tuple[Binding, ...]
    complaints: tuple[str, ...] = ()


NO_CONTROLS = ControlGroup("none", ())


def control_group(
    document: Document, profile: Profile, configuration: Configuration, known: Iterable[str], *, moderator: bool
) -> ControlGroup:
    """The group of members or of moderators. `known`: the actions that exist; others are left out and named."""
    name = _group_name(document, profile, moderator=moderator)
    entries = _entries(name, document, configuration)
    if entries is None:
        return ControlGroup(name, (), (f"control group {name!r} does not exist",))
    return _read(name, entries, frozenset(known))


def _group_name(document: Document, profile: Profile, *, moderator: bool) -> str:
    members = text(document, "caller_controls") or text(profile.values, "caller-controls") or "default"
    if not moderator:
        return members
    return text(document, "moderator_controls") or text(profile.values, "moderator-controls") or members


def _entries(name: str, document: Document, configuration: Configuration) -> list[object] | None:
    literal = value(document, "controls")
    if isinstance(literal, list):
        return literal
    layers = (section(configuration.account, "controls"), section(configuration.system, "controls"), CONTROLS)
    for layer in (literal, *layers):
        found = layer.get(name) if isinstance(layer, Mapping) else None
        if isinstance(found, list):
            return found
    return None


def _read(name: str, entries: list[object], known: frozenset[str]) -> ControlGroup:
    """Binding the same digits again replaces the earlier binding."""
    bindings: dict[str, Binding] = {}
    complaints = []
    for entry in entries[:MAX_BINDINGS]:
        binding = _binding(entry)
        if binding is None or not binding.digits or not _KEYS.issuperset(binding.digits):
            complaints.append(f"control group {name!r}: {entry!r} has no digits that can be matched")
        elif binding.action not in known:
            complaints.append(f"control group {name!r}: unknown action {binding.action!r}")
        else:
            bindings[binding.digits] = binding
    if len(entries) > MAX_BINDINGS:
        complaints.append(f"control group {name!r}: only the first {MAX_BINDINGS} of {len(entries)} bindings count")
    return ControlGroup(name, tuple(bindings.values()), tuple(complaints))


def _binding(entry: object) -> Binding | None:
    if not isinstance(entry, Mapping):
        return None
    action, digits = text(entry, "action"), text(entry, "digits")
    if action is None or digits is None:
        return None
    return Binding(digits.upper(), " ".join(action.lower().split()), text(entry, "data") or "")


class DigitMatcher:
    """One member's digits on their way to becoming an action."""

    def __init__(self, bindings: Iterable[Binding], digit_seconds: float = DIGIT_SECONDS) -> None:
        self._bindings = {binding.digits: binding for binding in bindings}
        self._prefixes = {digits[:end] for digits in self._bindings for end in range(1, len(digits))}
        self._digit_seconds = max(digit_seconds, DIGIT_SECONDS)
        self._buffer = ""
        self._deadline: float | None = None

    @property
    def deadline(self) -> float | None:
        """When `expire` is to be called; None while nothing waits."""
        return self._deadline

    def press(self, digit: str, now: float) -> list[Binding]:
        """Take a digit; returns the bindings to run now, in order. An exact match that is a prefix always waits.

        Two can come at once when the digit timer is overdue: the one that waited, and the digit's own.
        """
        due = (self.expire(now), self._take(digit, now))
        return [binding for binding in due if binding is not None]

    def _take(self, digit: str, now: float) -> Binding | None:
        typed = self._buffer + digit
        if typed in self._prefixes:
            self._buffer, self._deadline = typed, now + self._digit_seconds
            return None
        self._buffer, self._deadline = "", None
        return self._bindings.get(typed)

    def expire(self, now: float) -> Binding | None:
        """The digit timer: an exact match runs, a mere prefix is thrown away."""
        if self._deadline is None or now < self._deadline:
            return None
        typed, self._buffer, self._deadline = self._buffer, "", None
        return self._bindings.get(typed)
