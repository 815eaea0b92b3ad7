"""What keys a member can press: control groups (semantics 4.3). What is typed is matched in `digits`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from mirliton.conference.defaults import CONTROLS
from mirliton.conference.digits import BadBinding, Binding, check_digits
from mirliton.conference.profile import BUILT_IN, Configuration, Profile
from mirliton.conference.reading import Document, section, text, value

MAX_BINDINGS = 100


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """A named list of bindings, where name and bindings were found, and what was wrong with entries left out."""

    name: str
    bindings: tuple[Binding, ...]
    complaints: tuple[str, ...] = ()
    named_by: str = field(default=BUILT_IN, compare=False)
    bound_by: str = field(default=BUILT_IN, compare=False)


NO_CONTROLS = ControlGroup("none", ())


def control_group(
    document: Document,
    profile: Profile,
    configuration: Configuration,
    known: Collection[str],
    needing_data: Collection[str],
    *,
    moderator: bool,
) -> ControlGroup:
    """The group of members or of moderators.

    `known`: the actions that exist; `needing_data`: those that do nothing without `data`. Entries with others or
    without are left out and named.
    """
    name, named_by = _group_name(document, profile, moderator=moderator)
    entries, bound_by = _entries(name, document, configuration)
    if entries is None:
        return ControlGroup(name, (), (f"control group {name!r} does not exist",), named_by, "nowhere")
    bindings, complaints = _read(name, entries, known, needing_data)
    return ControlGroup(name, bindings, complaints, named_by, bound_by)


def _group_name(document: Document, profile: Profile, *, moderator: bool) -> tuple[str, str]:
    for role in ("moderator", "caller") if moderator else ("caller",):
        if name := text(document, f"{role}_controls"):
            return name, f"document {role}_controls"
        if name := text(profile.values, f"{role}-controls"):
            return name, f"{profile.sources[f'{role}-controls']} {role}-controls"
    return "default", BUILT_IN


def _entries(name: str, document: Document, configuration: Configuration) -> tuple[list[object] | None, str]:
    literal = value(document, "controls")
    if isinstance(literal, list):
        return literal, "document controls"
    layers = (
        ("document controls", literal),
        ("account", section(configuration.account, "controls")),
        ("system", section(configuration.system, "controls")),
        (BUILT_IN, CONTROLS),
    )
    for source, layer in layers:
        found = layer.get(name) if isinstance(layer, Mapping) else None
        if isinstance(found, list):
            return found, source
    return None, "nowhere"


def _read(
    name: str, entries: list[object], known: Collection[str], needing_data: Collection[str]
) -> tuple[tuple[Binding, ...], tuple[str, ...]]:
    """Binding the same digits again replaces the earlier binding."""
    bindings: dict[str, Binding] = {}
    complaints = []
    for entry in entries[:MAX_BINDINGS]:
        try:
            binding = _binding(entry, known, needing_data)
        except BadBinding as problem:
            complaints.append(f"control group {name!r}: {problem}")
        else:
            bindings[binding.digits.removeprefix("=")] = binding
    if len(entries) > MAX_BINDINGS:
        complaints.append(f"control group {name!r}: only the first {MAX_BINDINGS} of {len(entries)} bindings count")
    return tuple(bindings.values()), tuple(complaints)


def _binding(entry: object, known: Collection[str], needing_data: Collection[str]) -> Binding:
    """Raises `BadBinding` for everything that cannot be used."""
    action = text(entry, "action") if isinstance(entry, Mapping) else None
    digits = text(entry, "digits") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or action is None or digits is None:
        raise BadBinding(f"{repr(entry)[:80]} needs action and digits")
    action = " ".join(action.lower().split())
    data = text(entry, "data") or ""
    digits = check_digits(digits)
    if action not in known:
        raise BadBinding(f"unknown action {action[:80]!r}")
    if action in needing_data and not data.strip():
        raise BadBinding(f"{action!r} on {digits!r} does nothing without data")
    return Binding(digits, action, data)
